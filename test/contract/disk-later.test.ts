import test, { type ExecutionContext } from 'ava';
import { COMPRESSED_START, type CompressedPlace, type Disk, DiskError } from '../../src/ports/disk.js';
import { DISK_WORLDS } from './contract-world.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (content: Uint8Array): string => new TextDecoder().decode(content);

/** What a call said when it called back: its error, and what else it gave. */
type Outcome<T extends unknown[]> = readonly [error: DiskError | undefined, ...rest: T];

/** Half text, half noise: blocks that shrink and blocks that do not. */
function mixed(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, (_, at) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return at % 200_000 < 100_000 ? 97 + ((at >> 3) % 23) : state >>> 24;
  });
}

for (const [name, make] of DISK_WORLDS) {
  const promise = (title: string, body: (calls: Calls, t: ExecutionContext) => Promise<void>) => {
    test.serial(`${name}: ${title}`, async (t) => {
      const world = make();
      t.teardown(() => world.dispose());
      world.disk.lock();
      await body(new Calls(world.disk, world.until), t);
    });
  };

  promise('replaceLater puts a whole new file in place of the old one, later', async (calls, t) => {
    const { disk } = calls;
    disk.makeDirectory('log');
    disk.replace('log/f', bytes('old, and longer'));
    const old = disk.open('log/f');
    const [error] = await calls.ended((done) => disk.replaceLater('log/f', bytes('new'), done));
    t.is(error, undefined);
    t.is(text(disk.read('log/f')), 'new');
    t.deepEqual(disk.list('log'), ['f']);
    const target = new Uint8Array(15);
    t.is(old.read(target, 0, 15, 0), 15, 'who has the old one open still reads it');
    t.is(text(target), 'old, and longer');
    old.close();
    await calls.ended((done) => disk.replaceLater('log/empty', new Uint8Array(0), done));
    t.is(disk.read('log/empty').length, 0);
    const large = mixed(3_000_001);
    await calls.ended((done) => disk.replaceLater('log/large', large, done));
    t.is(Buffer.compare(disk.read('log/large'), large), 0);
  });

  promise('replaceLater into a directory that is missing is an error, and leaves nothing', async (calls, t) => {
    const { disk } = calls;
    const [error] = await calls.ended((done) => disk.replaceLater('nowhere/f', bytes('x'), done));
    t.deepEqual([error?.kind, error?.path], ['missing', 'nowhere/f']);
    t.false(disk.exists('nowhere'));
  });

  promise('rename gives a file its new name, contents and open files with it', async (calls, t) => {
    const { disk } = calls;
    disk.makeDirectory('log');
    disk.replace('log/a', bytes('content'));
    const file = disk.open('log/a');
    const [error] = await calls.ended((done) => disk.rename('log/a', 'log/b', done));
    t.is(error, undefined);
    t.deepEqual(disk.list('log'), ['b']);
    t.false(disk.exists('log/a'));
    file.write(bytes('CON'), 0, 3, 0);
    file.close();
    t.is(text(disk.read('log/b')), 'CONtent');
    const [again] = await calls.ended((done) => disk.rename('log/a', 'log/c', done));
    t.deepEqual([again?.kind, again?.path], ['missing', 'log/a']);
    t.deepEqual(disk.list('log'), ['b']);
  });

  promise('removeLater removes a file; one that is not there is no error', async (calls, t) => {
    const { disk } = calls;
    disk.replace('f', bytes('still there'));
    const file = disk.open('f');
    for (let round = 0; round < 2; round++) {
      const [error] = await calls.ended((done) => disk.removeLater('f', done));
      t.is(error, undefined);
      t.false(disk.exists('f'));
    }
    const target = new Uint8Array(11);
    file.read(target, 0, 11, 0);
    t.is(text(target), 'still there', 'who has it open still reads it');
    file.close();
  });

  promise('compress puts the first bytes of a file into another, which reads as they were', async (calls, t) => {
    const { disk } = calls;
    disk.makeDirectory('log');
    const content = mixed(700_000);
    disk.replace('log/raw', content);
    for (const length of [0, 1, 65_536, 65_537, 640_000, 700_000]) {
      // The second of them takes the place of the first, and so on.
      const [error, stored] = await calls.ended<[number]>((done) =>
        disk.compress('log/raw', 'log/small', length, done),
      );
      t.is(error, undefined);
      t.is(stored, disk.read('log/small').length);
      t.is(Buffer.compare(disk.readCompressed('log/small'), content.subarray(0, length)), 0, `${length} bytes`);
      const parts = await calls.readCompressed('log/small', 100_000);
      t.is(Buffer.compare(Buffer.concat(parts), content.subarray(0, length)), 0, `${length} bytes in parts`);
      t.true(
        parts.every((part) => part.length <= 131_072),
        'in whole blocks, about as long as was asked',
      );
    }
    t.true(disk.read('log/small').length < 400_000, 'text shrinks');
    t.deepEqual(disk.list('log'), ['raw', 'small']);
    t.is(Buffer.compare(disk.read('log/raw'), content), 0);
  });

  promise('compress of what is not there is an error, and leaves nothing', async (calls, t) => {
    const { disk } = calls;
    disk.replace('raw', bytes('short'));
    for (const [from, length, kind] of [
      ['nowhere', 1, 'missing'],
      ['raw', 6, 'io'],
    ] as const) {
      const [error] = await calls.ended<[number]>((done) => disk.compress(from, 'small', length, done));
      t.deepEqual([error?.kind, error?.path], [kind, 'small']);
      t.deepEqual(disk.list(''), ['raw']);
    }
  });

  promise('a compressed file that is damaged is refused with its path and the place', async (calls, t) => {
    const { disk } = calls;
    const content = mixed(200_000);
    disk.replace('raw', content);
    await calls.ended<[number]>((done) => disk.compress('raw', 'small', content.length, done));
    const whole = new Uint8Array(disk.read('small'));
    const second = 32 + 8 + new DataView(whole.buffer).getUint32(32, true);
    const damages: readonly (readonly [image: Uint8Array, at: number])[] = [
      [flipped(whole, 5), 0],
      [flipped(whole, 13), 0],
      [flipped(whole, 36), 32],
      [flipped(whole, 50), 32],
      [flipped(whole, second + 20), second],
      [whole.slice(0, second + 3), second],
      [new Uint8Array(Buffer.concat([whole, bytes('x')])), whole.length],
      [bytes('not compressed at all, but long enough for a header'), 0],
    ];
    for (const [image, at] of damages) {
      disk.replace('small', image);
      const thrown = t.throws(() => disk.readCompressed('small'), { instanceOf: DiskError });
      t.deepEqual([thrown?.kind, thrown?.path, thrown?.offset], ['damaged', 'small', at]);
      const later = await t.throwsAsync(calls.readCompressed('small', 65_536), { instanceOf: DiskError });
      t.deepEqual([later?.kind, later?.path, later?.offset], ['damaged', 'small', at]);
      t.is(later?.message, thrown?.message);
    }
    const missing = await t.throwsAsync(calls.readCompressed('nowhere', 65_536), { instanceOf: DiskError });
    t.deepEqual([missing?.kind, missing?.path], ['missing', 'nowhere']);
  });
}

/** Makes calls that call back, and waits for them. */
class Calls {
  readonly disk: Disk;
  readonly #until: (predicate: () => boolean) => Promise<void>;

  constructor(disk: Disk, until: (predicate: () => boolean) => Promise<void>) {
    this.disk = disk;
    this.#until = until;
  }

  async ended<T extends unknown[]>(call: (done: (error?: DiskError, ...rest: T) => void) => void): Promise<Outcome<T>> {
    const outcomes: Outcome<T>[] = [];
    call((error, ...rest) => outcomes.push([error, ...rest]));
    if (outcomes.length > 0) throw new Error('the callback came before the call returned');
    await this.#until(() => outcomes.length > 0);
    const [outcome] = outcomes;
    if (outcome === undefined || outcomes.length > 1) throw new Error('one call, one callback');
    return outcome;
  }

  /** All of a compressed file, a part after the other. Throws the error of a part. */
  async readCompressed(path: string, length: number): Promise<Uint8Array[]> {
    const parts: Uint8Array[] = [];
    for (let place = COMPRESSED_START; ; ) {
      const [error, part, next] = await this.ended<[Uint8Array, CompressedPlace]>((done) =>
        this.disk.readCompressedLater(path, place, length, done),
      );
      if (error !== undefined) throw error;
      if (part.length === 0) return parts;
      parts.push(part);
      place = next;
    }
  }
}

function flipped(image: Uint8Array, at: number): Uint8Array {
  const damaged = image.slice();
  damaged[at] = (damaged[at] ?? 0) ^ 4;
  return damaged;
}

import test, { type ExecutionContext } from 'ava';
import { type Disk, DiskError, type DiskErrorKind } from '../../src/ports/disk.js';
import { type ContractWorld, DISK_WORLDS } from './contract-world.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (content: Uint8Array): string => new TextDecoder().decode(content);

function throwsKind(t: ExecutionContext, kind: DiskErrorKind, call: () => void): void {
  const error = t.throws(call, { instanceOf: DiskError });
  t.is(error?.kind, kind);
}

async function preallocate(
  world: ContractWorld,
  disk: Disk,
  path: string,
  length: number,
): Promise<DiskError | undefined> {
  let outcome: [DiskError | undefined] | undefined;
  disk.preallocate(path, length, (error) => {
    outcome = [error];
  });
  if (outcome !== undefined) throw new Error('the callback came before the call returned');
  await world.until(() => outcome !== undefined);
  return outcome?.[0];
}

for (const [name, make] of DISK_WORLDS) {
  const promise = (title: string, body: (world: ContractWorld, t: ExecutionContext) => Promise<void>) => {
    test.serial(`${name}: ${title}`, async (t) => {
      const world = make();
      t.teardown(() => world.dispose());
      await body(world, t);
    });
  };

  promise('a data directory has one holder at a time', async (world, t) => {
    world.disk.lock();
    throwsKind(t, 'locked', world.lockAgain);
    world.disk.unlock();
    world.disk.lock();
    world.disk.unlock();
  });

  promise('replace puts a whole new file in place of the old one', async ({ disk }, t) => {
    disk.lock();
    disk.replace('identity', bytes('first, and longer'));
    disk.replace('identity', bytes('second'));
    t.is(text(disk.read('identity')), 'second');
    disk.replace('empty', new Uint8Array(0));
    t.is(disk.read('empty').length, 0);
    t.deepEqual(disk.list(''), ['empty', 'identity']);
  });

  promise('what is missing is an error of that kind, or nothing where nothing is asked', async ({ disk }, t) => {
    disk.lock();
    throwsKind(t, 'missing', () => disk.read('nowhere'));
    throwsKind(t, 'missing', () => disk.open('nowhere'));
    throwsKind(t, 'missing', () => disk.replace('no/such/directory', bytes('x')));
    throwsKind(t, 'missing', () => disk.syncDirectory('nowhere'));
    t.deepEqual(disk.list('nowhere'), []);
    t.false(disk.exists('nowhere'));
    disk.remove('nowhere');
  });

  promise('directories hold files of their own', async ({ disk }, t) => {
    disk.lock();
    disk.makeDirectory('log/old');
    disk.makeDirectory('log');
    t.true(disk.exists('log/old'));
    disk.replace('log/b', bytes('b'));
    disk.replace('log/a', bytes('a'));
    disk.replace('log/old/c', bytes('c'));
    t.deepEqual(disk.list('log'), ['a', 'b']);
    t.deepEqual(disk.list('log/old'), ['c']);
    disk.syncDirectory('log');
    disk.syncDirectory('');
    disk.remove('log/a');
    t.deepEqual(disk.list('log'), ['b']);
  });

  promise('a preallocated file reads as zeros over its whole length', async (world, t) => {
    const { disk } = world;
    disk.lock();
    disk.makeDirectory('log');
    const length = 3 * 1024 * 1024 + 12_345;
    t.is(await preallocate(world, disk, 'log/1', length), undefined);
    t.deepEqual(disk.list('log'), ['1']);
    const file = disk.open('log/1');
    t.is(file.size(), length);
    const content = new Uint8Array(length + 10).fill(7);
    t.is(file.read(content, 0, length + 10, 0), length);
    t.true(content.subarray(0, length).every((byte) => byte === 0));
    t.is(content[length], 7);
    file.close();
  });

  promise('a file cannot be preallocated in a directory that is missing', async (world, t) => {
    world.disk.lock();
    const error = await preallocate(world, world.disk, 'nowhere/1', 1000);
    t.is(error?.kind, 'missing');
    t.is(error?.path, 'nowhere/1');
    t.is(await preallocate(world, world.disk, '1', 1000), undefined, 'and the next one still works');
  });

  promise('reads see what was written, at every position and beyond the end', async (world, t) => {
    const { disk } = world;
    disk.lock();
    await preallocate(world, disk, 'f', 2000);
    const file = disk.open('f');
    const source = bytes('..hello..');
    file.write(source, 2, 5, 1990);
    file.write(source, 2, 5, 1998);
    t.is(file.size(), 2003);
    const target = new Uint8Array(20);
    t.is(file.read(target, 3, 17, 1990), 13);
    t.is(text(target.subarray(3, 16)), 'hello\0\0\0hello');
    t.is(file.read(target, 0, 5, 5000), 0);
    file.close();
    t.is(text(disk.read('f').subarray(1990)), 'hello\0\0\0hello');
  });

  promise('a part of a file is read off the loop, and a file that is missing is an error', async (world, t) => {
    const { disk } = world;
    disk.lock();
    disk.replace('f', bytes('0123456789'));
    const read: string[] = [];
    const note = (error: DiskError | undefined, part: Uint8Array): void => {
      read.push(error?.kind ?? text(part));
    };
    disk.readLater('f', 3, 4, note);
    t.deepEqual(read, [], 'not before the call returned');
    await world.until(() => read.length === 1);
    disk.readLater('f', 8, 100, note);
    await world.until(() => read.length === 2);
    disk.readLater('nowhere', 0, 1, note);
    await world.until(() => read.length === 3);
    t.deepEqual(read, ['3456', '89', 'missing']);
  });

  promise('sync calls back later, once for each call, and closing does not lose it', async (world, t) => {
    const { disk } = world;
    disk.lock();
    await preallocate(world, disk, 'f', 10_000);
    const file = disk.open('f');
    let synced = 0;
    for (let round = 0; round < 5; round++) {
      file.write(bytes(`round ${round}`), 0, 7, round * 1000);
      file.sync((error) => {
        t.is(error, undefined);
        synced++;
      });
    }
    t.is(synced, 0);
    file.close();
    await world.until(() => synced === 5);
    t.is(synced, 5);
  });

  promise('an open file outlives its name', async (world, t) => {
    const { disk } = world;
    disk.lock();
    await preallocate(world, disk, 'f', 100);
    const file = disk.open('f');
    disk.remove('f');
    t.false(disk.exists('f'));
    file.write(bytes('still there'), 0, 11, 0);
    const target = new Uint8Array(11);
    file.read(target, 0, 11, 0);
    t.is(text(target), 'still there');
    file.close();
  });
}

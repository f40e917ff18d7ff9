import test from 'ava';
import fc from 'fast-check';
import { StorageError } from '../../src/storage/storage-error.js';
import { bytesOf, StorageWorld } from '../harness/storage-world.js';

/** How often each property is tried: the whole file stays below some ten seconds. */
const RUNS = 150;

type Step =
  | { readonly kind: 'set'; readonly key: number; readonly size: number; readonly age: number }
  | { readonly kind: 'delete'; readonly key: number }
  | { readonly kind: 'meta'; readonly key: number }
  | { readonly kind: 'commit' | 'settle' | 'close' | 'fail-sync' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'crash'; readonly powerLoss: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      key: fc.nat(12),
      size: fc.oneof(fc.nat(40), fc.nat(600), fc.nat(30_000)),
      age: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(5)),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('meta' as const), key: fc.nat(3) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('commit' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('settle' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('close' as const, 'fail-sync' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const), powerLoss: fc.boolean() }) },
);

interface Logged {
  readonly key: string;
  /** Undefined: deleted. */
  readonly value: string | undefined;
  readonly counter: number;
}

/** The slow, obvious store: a list of everything, in LSN order. */
class Model {
  readonly log: (Logged | undefined)[] = [];

  newest(key: string): Logged | undefined {
    let newest: Logged | undefined;
    for (const logged of this.log) {
      if (logged?.key === key && (newest === undefined || logged.counter > newest.counter)) newest = logged;
    }
    return newest;
  }
}

for (const durability of ['sync', 'interval'] as const) {
  test(`${durability}: a crash at any moment leaves a prefix of the log that holds all that was durable`, (t) => {
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { minLength: 5, maxLength: 80 }), (seed, steps) => {
        const world = new StorageWorld(seed, { durability, syncIntervalMs: 5 });
        const model = new Model();
        let counter = 10;
        for (const action of steps) counter = apply(world, model, action, counter);
        restart(world, model, () => world.crash({ powerLoss: true }), false);
      }),
      { numRuns: RUNS },
    );
    t.pass();
  });
}

function apply(world: StorageWorld, model: Model, action: Step, counter: number): number {
  switch (action.kind) {
    case 'set': {
      const stamp = Math.max(1, counter - action.age);
      const value = String.fromCharCode(97 + (counter % 26)).repeat(action.size);
      // Two versions never share a stamp.
      const held = model.log.some((logged) => logged?.counter === stamp);
      if (held) return counter;
      world.set(`key ${action.key}`, value, stamp);
      model.log.push({ key: `key ${action.key}`, value, counter: stamp });
      return counter + 1;
    }
    case 'delete':
      world.delete(`key ${action.key}`, counter);
      model.log.push({ key: `key ${action.key}`, value: undefined, counter });
      return counter + 1;
    case 'meta':
      world.store.putMeta(`meta ${action.key}`, bytesOf(`${counter}`));
      model.log.push({ key: `meta ${action.key}`, value: `${counter}`, counter });
      return counter + 1;
    case 'commit':
      world.store.commit();
      return counter;
    case 'settle':
      world.settle();
      return counter;
    case 'wait':
      world.run(action.ms);
      return counter;
    case 'close':
      restart(world, model, () => world.close(), true);
      return counter;
    case 'fail-sync':
      world.image.behaviour.failSyncs = 1;
      world.store.commit();
      world.run();
      world.image.behaviour.failSyncs = 0;
      if (world.fatal !== undefined) restart(world, model, () => world.crash({ powerLoss: counter % 2 === 0 }), false);
      return counter;
    case 'crash':
      restart(world, model, () => world.crash({ powerLoss: action.powerLoss }), false);
      return counter;
  }
}

/** Ends the store, opens it again, and compares it with the model cut to what must and may be there. */
function restart(world: StorageWorld, model: Model, end: () => void, clean: boolean): void {
  const { lastLsn, syncedLsn } = world.store;
  end();
  const { store } = { store: world.open() };
  const kept = store.lastLsn;
  if (kept > lastLsn) throw new Error(`the log ends at ${kept}, but only ${lastLsn} was appended`);
  if (kept < (clean ? lastLsn : syncedLsn)) throw new Error(`the log ends at ${kept}, durable was ${syncedLsn}`);
  model.log.length = kept;
  const keys = new Set(model.log.map((logged) => logged?.key ?? ''));
  for (let key = 0; key <= 12; key++) keys.add(`key ${key}`);
  for (const key of keys) {
    const newest = model.newest(key);
    const actual = key.startsWith('meta') ? textOf(store.meta(key)) : world.get(key);
    if (actual !== newest?.value) throw new Error(`${key} is ${actual}, expected ${newest?.value}`);
  }
  const cursor = store.logCursor(0);
  let lsn = 0;
  while (cursor.next()) {
    if (cursor.lsn !== ++lsn) throw new Error(`LSN ${cursor.lsn} follows ${lsn - 1}`);
    const logged = model.log[lsn - 1];
    const name = Buffer.from(
      cursor.segment.bytes.subarray(cursor.keyStart, cursor.keyStart + cursor.keyLength),
    ).toString();
    if (name !== logged?.key) throw new Error(`LSN ${lsn} is ${name}, expected ${logged?.key}`);
  }
  if (lsn !== kept) throw new Error(`the cursor ends at ${lsn}, the log at ${kept}`);
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes).toString();
}

/** A log of about 64 KiB in several batches, closed cleanly, and what it holds. */
function closedLog(crashFirst: boolean): { world: StorageWorld; expected: Map<string, string> } {
  const world = new StorageWorld(42);
  const expected = new Map<string, string>();
  for (let number = 0; number < 120; number++) {
    const key = `key ${number % 90}`;
    const value = `${number}`.repeat(1 + ((number * 7) % 150));
    world.set(key, value, number + 1);
    expected.set(key, value);
    if (number % 10 === 9) world.settle();
    if (crashFirst && number === 70) {
      world.settle();
      world.crash({ powerLoss: true });
      world.open();
    }
  }
  world.settle();
  world.close();
  return { world, expected };
}

for (const crashFirst of [false, true]) {
  const kind = crashFirst ? 'a log with a manifested segment' : 'a closed log';
  test(`every flipped bit of ${kind} is recovered exactly or refused with file and offset`, (t) => {
    const { world, expected } = closedLog(crashFirst);
    const whole = world.image.backup();
    let refused = 0;
    for (const path of world.image.paths()) {
      const content = whole.get(path);
      if (!(content instanceof Uint8Array)) continue;
      const used = Math.min(content.length, lastUsed(content) + 200);
      for (let position = 0; position < used; position += position < 200 ? 1 : 37) {
        world.image.restore(whole);
        world.image.file(path)?.flipBit(position, (position * 5) % 8);
        if (!opensExactly(world, expected)) refused++;
      }
    }
    t.true(refused > 500, `${refused} were refused`);
  });

  test(`every cut of ${kind} is recovered exactly or refused`, (t) => {
    const { world, expected } = closedLog(crashFirst);
    const whole = world.image.backup();
    for (const path of world.image.paths()) {
      const content = whole.get(path);
      if (!(content instanceof Uint8Array)) continue;
      const used = Math.min(content.length, lastUsed(content) + 200);
      for (let length = 0; length < used; length += length < 200 ? 1 : 61) {
        world.image.restore(new Map([...whole, [path, content.slice(0, length)]]));
        opensExactly(world, expected);
      }
    }
    t.pass();
  });
}

/** Opens the damaged log: false when it is refused properly; throws when it opens with something else in it. */
function opensExactly(world: StorageWorld, expected: Map<string, string>): boolean {
  try {
    world.open();
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    if (error.code !== 'corrupt' || !error.file.startsWith('log/') || !(error.offset >= 0)) throw error;
    return false;
  }
  for (const [key, value] of expected) {
    if (world.get(key) !== value) throw new Error(`${key} is ${world.get(key)}, expected ${value}`);
  }
  world.crash({ powerLoss: false });
  return true;
}

function lastUsed(bytes: Uint8Array): number {
  let at = bytes.length - 1;
  while (at >= 0 && bytes[at] === 0) at--;
  return at;
}

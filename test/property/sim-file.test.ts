import test from 'ava';
import fc from 'fast-check';
import { SimFaultCounters } from '../harness/sim-faults.js';
import { SECTOR_BYTES, SimFile, type SimFileLayer } from '../harness/sim-file.js';
import { SimRandom } from '../harness/sim-random.js';

type Step =
  | { readonly kind: 'write'; readonly position: number; readonly length: number; readonly value: number }
  | { readonly kind: 'begin' | 'done' | 'fail' };

const FILE_BYTES = 6 * SECTOR_BYTES;

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('write' as const),
        position: fc.nat(FILE_BYTES),
        length: fc.integer({ min: 1, max: 3 * SECTOR_BYTES }),
        value: fc.integer({ min: 1, max: 255 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('begin' as const, 'done' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const) }) },
  ),
  { maxLength: 20 },
);

/**
 * The obvious oracle: for every byte, all values that it had and that no good sync has ruled out since. A sync rules
 * out what its byte held before the sync began, unless an earlier sync of that very write failed.
 */
class Oracle {
  readonly #possible: Set<number>[] = [];
  readonly #cache: number[] = [];
  #dirty: Set<number> = new Set();

  write(position: number, length: number, value: number): void {
    for (let at = this.#cache.length; at < position + length; at++) {
      this.#cache[at] = 0;
      this.#possible[at] = new Set([0]);
    }
    // Whole sectors are written back, so the bytes around become dirty with what they hold.
    const first = Math.floor(position / SECTOR_BYTES) * SECTOR_BYTES;
    const last = Math.ceil((position + length) / SECTOR_BYTES) * SECTOR_BYTES;
    for (let at = position; at < position + length; at++) {
      this.#cache[at] = value;
      this.#possible[at].add(value);
    }
    for (let at = first; at < Math.min(last, this.#cache.length); at++) this.#dirty.add(at);
  }

  /** What a sync that begins now will make durable: positions and their values. */
  begin(): ReadonlyMap<number, number> {
    const synced = new Map([...this.#dirty].map((at) => [at, this.#cache[at]] as const));
    this.#dirty = new Set();
    return synced;
  }

  /** `later`: values written since that sync began are possible too. */
  done(synced: ReadonlyMap<number, number>, later: ReadonlyMap<number, Set<number>>): void {
    for (const [at, value] of synced) this.#possible[at] = new Set([value, ...(later.get(at) ?? [])]);
  }

  allows(at: number, value: number): boolean {
    return this.#possible[at]?.has(value) ?? value === 0;
  }
}

test('after a power cut every byte holds something it held since its last good sync', (t) => {
  fc.assert(
    fc.property(steps, fc.nat(), fc.constantFrom(0, 0.5, 1), (script, seed, lossRate) => {
      const file = new SimFile(new Uint8Array(0));
      const oracle = new Oracle();
      // One sync at a time: begun, then done or failed.
      let running: { layer: SimFileLayer; synced: ReadonlyMap<number, number> } | undefined;
      const later = new Map<number, Set<number>>();
      for (const step of script) {
        if (step.kind === 'write') {
          file.write(new Uint8Array(step.length).fill(step.value), 0, step.length, step.position);
          oracle.write(step.position, step.length, step.value);
          for (let at = step.position; at < step.position + step.length; at++) {
            later.set(at, (later.get(at) ?? new Set()).add(step.value));
          }
        } else if (step.kind === 'begin' && running === undefined) {
          running = { layer: file.beginSync(), synced: oracle.begin() };
          later.clear();
        } else if (step.kind === 'done' && running !== undefined) {
          file.syncDone(running.layer);
          oracle.done(running.synced, later);
          running = undefined;
        } else if (step.kind === 'fail' && running !== undefined) {
          file.syncFailed(running.layer);
          running = undefined;
        }
      }
      const cached = file.content();
      file.losePower(new SimRandom(seed), lossRate, new SimFaultCounters());
      const left = file.content();
      if (lossRate === 0) t.deepEqual(left, cached);
      t.true(left.length <= cached.length);
      t.true(left.every((byte, at) => oracle.allows(at, byte)));
    }),
    { numRuns: 300 },
  );
});

test('with everything lost, a file is what its last good sync left', (t) => {
  fc.assert(
    fc.property(steps, fc.nat(), (script, seed) => {
      const file = new SimFile(new Uint8Array(FILE_BYTES * 2));
      let durable = file.content();
      for (const step of script) {
        if (step.kind === 'write') {
          file.write(new Uint8Array(step.length).fill(step.value), 0, step.length, step.position);
        } else if (step.kind === 'begin') {
          const layer = file.beginSync();
          durable = file.content();
          file.syncDone(layer);
        }
      }
      const random = new SimRandom(seed);
      const faults = new SimFaultCounters();
      // A torn sector keeps a part of what is new: ask for a cut without one.
      random.chance = (probability) => probability === 1;
      file.losePower(random, 1, faults);
      t.deepEqual(file.content(), durable);
      t.is(faults.count('sector-torn'), 0);
    }),
    { numRuns: 200 },
  );
});

test('data whose sync failed stays lost although a later sync of the file succeeds', (t) => {
  const file = new SimFile(new Uint8Array(4096));
  file.write(new Uint8Array(512).fill(1), 0, 512, 0);
  file.syncFailed(file.beginSync());
  file.write(new Uint8Array(512).fill(2), 0, 512, 512);
  file.syncDone(file.beginSync());
  t.is(file.content()[0], 1, 'the page cache still shows it');
  file.losePower(new SimRandom(1), 1, new SimFaultCounters());
  const left = file.content();
  t.is(left[511], 0);
  t.is(left[512], 2);
});

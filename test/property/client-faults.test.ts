import { MemDbError, Opcode } from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import type { FakeRequest, FakeServer } from '../harness/fake-server.js';
import { FakeWorld } from '../harness/fake-world.js';
import type { SimRandom } from '../harness/sim-random.js';

const decoder = new TextDecoder();
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

/** What became of every write, by its value, which is unique. */
class Ledger {
  readonly received: Map<string, number> = new Map();
  readonly refused: Map<string, number> = new Map();
  /** In the order in which servers applied them. */
  readonly applied: string[] = [];
}

/** Misbehaves at random, but never lies: what it refuses is not applied, and it applies in the order of arrival. */
function misbehave(fake: FakeWorld, server: FakeServer, ledger: Ledger, random: SimRandom, badness: number): void {
  const note = (map: Map<string, number>, value: string): void => {
    map.set(value, (map.get(value) ?? 0) + 1);
  };
  const later = (call: () => void): void => fake.world.at(fake.world.nowMs + random.below(30), call);
  const apply = (request: FakeRequest): (() => void) => {
    if (request.opcode === Opcode.set) ledger.applied.push(decoder.decode(request.value));
    const { key } = request;
    if (request.opcode === Opcode.set) fake.cluster.values.set(key, request.value);
    const value = fake.cluster.values.get(key);
    return () => {
      if (request.opcode === Opcode.set) request.session.sendStamp(request, true);
      else request.session.sendValue(request, value);
    };
  };
  server.script = (request) => {
    if (request.opcode !== Opcode.set && request.opcode !== Opcode.get) return undefined;
    const value = decoder.decode(request.value);
    if (request.opcode === Opcode.set) note(ledger.received, value);
    if (!random.chance(badness)) {
      apply(request)();
      return 'handled';
    }
    switch (random.below(9)) {
      case 0:
      case 1:
      case 2: {
        const codes = ['overloaded', 'not-replica', 'wrong-epoch', 'unavailable', 'shutting-down'] as const;
        note(ledger.refused, value);
        request.session.sendError(request, codes[random.below(codes.length)] ?? 'overloaded');
        break;
      }
      case 3:
        later(apply(request));
        break;
      case 4:
        apply(request);
        request.session.sendError(request, 'timeout', { outcome: 'unknown', retryable: true });
        break;
      case 5:
        apply(request);
        request.session.connection.destroy();
        break;
      case 6:
        request.session.connection.destroy();
        break;
      case 7:
        apply(request);
        break;
      default:
        request.session.sendRaw(new Uint8Array(32).fill(random.below(256)));
    }
    return 'handled';
  };
}

interface Outcome {
  readonly key: string;
  readonly value: string;
  readonly result: 'done' | MemDbError;
}

test('whatever servers and network do: errors tell the truth, no sent write is repeated, order is kept, all is freed', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (seed) => {
      const fake = new FakeWorld(3, seed);
      const { random, network } = fake.world;
      const ledger = new Ledger();
      network.behaviour.retainChance = 0.1;
      network.behaviour.splitChance = 0.5;
      const db = await fake.connect({ connectionsPerNode: 1 + random.below(2), maxInFlight: 1 + random.below(20) });
      const badness = random.chance(0.3) ? 0.5 : 0.05;
      for (const server of fake.cluster.servers) misbehave(fake, server, ledger, random, badness);

      const writes: Promise<Outcome>[] = [];
      const reads: Promise<boolean>[] = [];
      for (let index = 0; index < 120; index++) {
        const key = KEYS[random.below(KEYS.length)] ?? 'a';
        const value = `${key}${index}`;
        const timeoutMs = 20 + random.below(400);
        if (random.chance(0.6)) {
          const write = db.set(key, value, { timeoutMs });
          writes.push(
            write.then(
              () => ({ key, value, result: 'done' as const }),
              (result: MemDbError) => ({ key, value, result }),
            ),
          );
        } else {
          const read = db.get(key, { timeoutMs });
          reads.push(
            read.then(
              (got) => t.true(got === undefined || got.startsWith(key), `${key} gave ${got}`),
              (error: MemDbError) => t.is(error.outcome, 'not-applied'),
            ),
          );
        }
        if (random.chance(0.02)) fake.world.pause(`n${1 + random.below(3)}`);
        if (random.chance(0.2)) await fake.pass(random.below(10));
        if (random.chance(0.05)) for (const server of fake.cluster.servers) fake.world.resume(`n${server.number}`);
      }
      const startMs = fake.world.nowMs;
      const outcomes = await fake.settle(Promise.all(writes));
      await fake.settle(Promise.all(reads));
      t.true(fake.world.nowMs - startMs < 500, 'every operation ended by its time limit');

      for (const server of fake.cluster.servers) {
        server.script = () => undefined;
        fake.world.resume(`n${server.number}`);
      }
      await fake.pass(3000);
      const done: string[] = [];
      for (const { value, result } of outcomes) {
        const times = ledger.received.get(value) ?? 0;
        const refusals = ledger.refused.get(value) ?? 0;
        t.true(times <= refusals + 1, `${value} was sent ${times} times and refused ${refusals} times`);
        const isApplied = ledger.applied.includes(value);
        if (result === 'done') {
          t.true(isApplied, `${value} was acknowledged and not applied`);
          done.push(value);
        } else {
          t.true(result instanceof MemDbError);
          if (result.outcome === 'not-applied') t.false(isApplied, `${value}: ${result.message}`);
        }
      }
      for (const key of KEYS) {
        const called = done.filter((value) => value.startsWith(key));
        const applied = ledger.applied.filter((value) => called.includes(value));
        t.deepEqual(applied, called, `writes to ${key} were applied in another order than called`);
      }
      t.is(db.stats.inProgress, 0);
      t.is(db.stats.queued, 0);
      t.is(await fake.settle(db.set('a', 'at last').then(() => db.get('a'))), 'at last');
      await fake.settle(db.close());
      t.is(
        fake.cluster.servers.reduce((sum, server) => sum + server.sessions.size, 0),
        0,
      );
    }),
    { numRuns: 60, includeErrorInReport: true },
  );
});

test('batches under the same faults: a result for every key, and what failed without effect had none', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (seed) => {
      const fake = new FakeWorld(3, seed);
      const { random } = fake.world;
      const db = await fake.connect({ timeoutMs: 300 });
      const applied = new Set<string>();
      for (const server of fake.cluster.servers) {
        server.script = (request) => {
          if (request.opcode !== Opcode.setMany) return undefined;
          if (random.chance(0.1)) {
            request.session.connection.destroy();
            return 'handled';
          }
          if (random.chance(0.1)) return 'handled';
          request.session.sendBatch(request, (entry) => {
            if (random.chance(0.1)) return { kind: 'error', error: new MemDbError('overloaded', 'Again.') };
            if (random.chance(0.05)) return { kind: 'error', error: new MemDbError('timeout', 'Who knows.') };
            t.false(applied.has(entry.key), `${entry.key} was applied twice`);
            applied.add(entry.key);
            return server.serveEntry(request, entry);
          });
          return 'handled';
        };
      }
      const keys = Array.from({ length: 200 }, (_, index) => `key:${index}`);
      const results = await fake.settle(db.setMany(keys.map((key) => [key, 'x'] as const)));
      t.deepEqual(
        results.map(({ key }) => key),
        keys,
      );
      for (const { key, error } of results) {
        if (error === undefined) t.true(applied.has(key as string));
        else if (error.outcome === 'not-applied') t.false(applied.has(key as string));
      }
      t.is(db.stats.inProgress, 0);
      await fake.settle(db.close());
    }),
    { numRuns: 40, includeErrorInReport: true },
  );
});

import { decodeTopology, encodeTopology, isTakenUp, type WireRequest, type WireTopology } from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import { nextEpoch } from '../../src/topology/changes/next-epoch.js';
import { previewChange } from '../../src/topology/changes/preview.js';
import { QUEUED_REQUESTS_MAX, RequestQueue } from '../../src/topology/changes/request-queue.js';
import { beginChange, refusalOf } from '../../src/topology/epoch-change.js';
import { composeFirstEpoch } from '../../src/topology/first-epoch.js';
import type { NodeRecord } from '../../src/topology/pledge.js';
import { viewOf } from '../harness/protocol-frames.js';

const PARTITIONS = 32;

function record(name: number): NodeRecord {
  const uuid = `00000000-0000-4000-8000-${name.toString(16).padStart(12, '0')}`;
  return { uuid, address: `h${name}:1`, http: '', zone: '', host: `h${name}`, weight: 1 };
}

function founded(founders: number, replicationFactor = 3): WireTopology {
  const records = Array.from({ length: founders }, (_, index) => record(index + 1));
  return composeFirstEpoch(new Uint8Array(16).fill(7), records, { partitions: PARTITIONS, replicationFactor }, 5);
}

/** The next epoch, when all transfers are done the moment they are wanted. */
function next(topology: WireTopology, requests: readonly WireRequest[], isComplete = true): WireTopology | undefined {
  const drained = new Set(topology.nodes.map(({ number }) => number));
  return nextEpoch(topology, { requests, isComplete, drained, isReleased: () => true, reachable: () => true });
}

/** All epochs up to the last. */
function run(topology: WireTopology, requests: readonly WireRequest[]): WireTopology {
  let current = topology;
  for (let steps = 0; steps < 40; steps++) {
    const following = next(current, requests);
    if (following === undefined) return current;
    if (following.epoch !== current.epoch + 1) throw new Error('an epoch was left out');
    current = following;
  }
  throw new Error('there is no end');
}

const join = (name: number): WireRequest => ({ kind: 'join', record: record(name) });

const request: fc.Arbitrary<WireRequest> = fc.oneof(
  fc.integer({ min: 10, max: 14 }).map(join),
  fc.record({ kind: fc.constantFrom('leave', 'remove', 'replace'), node: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ kind: fc.constant('weigh'), node: fc.integer({ min: 1, max: 6 }), weight: fc.constantFrom(0.5, 1, 2) }),
  fc.record({
    kind: fc.constant('move'),
    node: fc.integer({ min: 1, max: 6 }),
    zone: fc.constantFrom('', 'z'),
    host: fc.constantFrom('a', 'b'),
  }),
  fc.record({ kind: fc.constant('replicate'), replicationFactor: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('set'), name: fc.constantFrom('a', 'b'), value: fc.constantFrom('1', '2', undefined) }),
) as fc.Arbitrary<WireRequest>;

test('whatever is asked together comes to an end, and what can be done is', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(request, { maxLength: 8 }), (founders, asked) => {
      // As a queue keeps them: the latest of a kind about a node.
      const queue = new RequestQueue();
      const first = founded(founders);
      for (const one of asked) queue.add(first, one, false, 0);
      const requests = queue.all.map((queued) => queued.request);
      const last = run(first, requests);
      t.is(last.pending, undefined);
      const bytes = encodeTopology(last);
      t.deepEqual(encodeTopology(decodeTopology(bytes, viewOf(bytes), 0, bytes.length)), bytes);
      t.true(last.nodes.every(({ standing }) => standing === 'member'));
      const unpaired = requests.filter(({ kind }) => kind === 'replace').length > 0;
      for (const one of requests) {
        if (isTakenUp(last, one) || one.kind === 'set' || unpaired) continue;
        if (!['join', 'leave', 'remove'].includes(one.kind)) continue;
        const refusal = refusalOf(last, one as Exclude<typeof one, { kind: 'set' | 'pause' | 'resume' | 'abort' }>);
        t.not(refusal, undefined, `${JSON.stringify(one)} was left undone`);
      }
    }),
    { numRuns: 300 },
  );
});

test('a pending change is committed only when all new owners are complete, and not while it is paused', (t) => {
  const pending = next(founded(3), [join(9)]);
  if (pending === undefined) throw new Error('nothing began');
  t.not(pending.pending, undefined);
  t.is(next(pending, [], false), undefined);
  const paused = next(pending, [{ kind: 'pause' }], true);
  t.true(paused?.pending?.isPaused);
  if (paused === undefined) return;
  t.is(next(paused, [], true), undefined);
  const resumed = next(paused, [{ kind: 'resume' }], true);
  t.false(resumed?.pending?.isPaused);
  const committed = resumed === undefined ? undefined : next(resumed, [], true);
  t.is(committed?.pending, undefined);
  t.deepEqual(
    committed?.nodes.map(({ standing }) => standing),
    ['member', 'member', 'member', 'member'],
  );
});

test('an abort goes before everything else, and what waits begins after it', (t) => {
  const pending = next(founded(3), [join(9)]);
  if (pending === undefined) throw new Error('nothing began');
  const aborted = next(pending, [{ kind: 'leave', node: 2 }, { kind: 'abort' }], true);
  t.is(aborted?.pending, undefined);
  t.is(aborted?.nodes.length, 3);
  if (aborted === undefined) return;
  const begun = next(aborted, [{ kind: 'leave', node: 2 }, { kind: 'abort' }], false);
  t.deepEqual(begun?.pending?.changes, [{ kind: 'leave', node: 2 }]);
});

test('a replacement waits for a node that joins, and goes in the same change', (t) => {
  const first = founded(3);
  t.is(next(first, [{ kind: 'replace', node: 2 }]), undefined);
  const begun = next(first, [{ kind: 'replace', node: 2 }, join(9)], false);
  t.deepEqual(begun?.pending?.changes, [
    { kind: 'join', node: 4 },
    { kind: 'remove', node: 2 },
  ]);
});

test('of two that cannot both go, one goes', (t) => {
  const last = run(founded(2), [
    { kind: 'leave', node: 1 },
    { kind: 'leave', node: 2 },
  ]);
  t.is(last.nodes.length, 1);
});

test('a queue keeps the latest of what is about one thing, and no more than it may', (t) => {
  const topology = founded(3);
  const queue = new RequestQueue();
  queue.add(topology, { kind: 'weigh', node: 1, weight: 2 }, false, 0);
  queue.add(topology, { kind: 'weigh', node: 1, weight: 3 }, false, 10);
  t.deepEqual(
    queue.all.map(({ request }) => request),
    [{ kind: 'weigh', node: 1, weight: 3 }],
  );
  for (let name = 1; name < QUEUED_REQUESTS_MAX; name++) t.true(queue.add(topology, join(name + 10), false, 0));
  t.false(queue.add(topology, join(9999), false, 0));
  // Who joins has to go on asking; an operator need not.
  queue.sweep(topology, 5001);
  t.is(queue.size, 1);
  queue.sweep(topology, 600_011);
  t.is(queue.size, 0);
});

test('what is asked about one change does not strike the next one', (t) => {
  const first = beginChange(founded(3), [{ kind: 'leave', node: 3 }], () => true);
  const queue = new RequestQueue();
  queue.add(first, { kind: 'abort' }, false, 0);
  queue.sweep(first, 1);
  t.is(queue.size, 1);
  const second = { ...first, epoch: first.epoch + 2, pending: { ...(first.pending ?? t.fail()), begun: 4 } };
  queue.sweep(second as WireTopology, 2);
  t.is(queue.size, 0);
});

test('a preview says what a change moves, and that is what it moves', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 8 }), fc.integer({ min: 1, max: 8 }), (founders, node) => {
      const topology = founded(founders);
      const asked: WireRequest[] = [join(20), { kind: 'leave', node: 1 + (node % founders) }];
      for (const one of asked) {
        const preview = previewChange(topology, one, {
          bytesOf: () => 100,
          reachable: () => true,
          freshUuid: record(30).uuid,
        });
        const begun = next(topology, [one], false) ?? topology;
        const { pending, owners, replicas } = begun;
        let moved = 0;
        for (let partition = 0; partition < PARTITIONS && pending !== undefined; partition++) {
          const before = owners.subarray(partition * replicas, (partition + 1) * replicas);
          const after = pending.owners.subarray(partition * pending.replicas, (partition + 1) * pending.replicas);
          moved += after.filter((owner) => !before.includes(owner)).length;
        }
        t.is(preview.copies, moved);
        t.is(preview.bytes, moved * 100);
        t.is(preview.withoutQuorum.count, 0);
      }
    }),
    { numRuns: 50 },
  );
});

test('a preview names partitions that would be without a quorum, and a change that is refused', (t) => {
  const topology = founded(5);
  const facts = { bytesOf: () => 0, reachable: (node: number) => node > 2, freshUuid: record(30).uuid };
  const { withoutQuorum } = previewChange(topology, { kind: 'remove', node: 1 }, facts);
  t.true(withoutQuorum.count > 0);
  t.true(withoutQuorum.partitions.length > 0);
  t.throws(() => previewChange(topology, { kind: 'leave', node: 9 }, facts), { instanceOf: RangeError });
  t.throws(() => previewChange(topology, { kind: 'abort' }, facts), { message: /no change is pending/ });
});

test('an owner that died is taken out of the pending change, and those that join go on joining', (t) => {
  const pending = next(founded(4), [join(9)]);
  if (pending === undefined) throw new Error('nothing began');
  const amended = next(pending, [{ kind: 'remove', node: 2 }], false);
  t.is(amended?.pending?.begun, amended?.epoch);
  t.deepEqual(amended?.pending?.changes, [
    { kind: 'join', node: 5 },
    { kind: 'remove', node: 2 },
  ]);
  t.false(amended?.pending?.owners.includes(2));
  t.deepEqual(amended?.owners, pending.owners);
  if (amended === undefined) return;
  const committed = next(amended, [], true);
  t.deepEqual(
    committed?.nodes.map(({ number, standing }) => `${number} ${standing}`),
    ['1 member', '3 member', '4 member', '5 member'],
  );
});

test('no change begins that would wait for an owner who is away', (t) => {
  const facts = { isComplete: false, drained: new Set<number>(), isReleased: () => true };
  const reachable = (node: number): boolean => node !== 2;
  const first = founded(4);
  t.is(nextEpoch(first, { ...facts, requests: [join(9)], reachable }), undefined);
  const begun = nextEpoch(first, { ...facts, requests: [join(9), { kind: 'replace', node: 2 }], reachable });
  t.not(begun?.pending, undefined);
});

import { decodeTopology, encodeTopology, type WireTopology } from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import {
  abortChange,
  beginChange,
  type ChangeRequest,
  commitChange,
  pauseChange,
  refusalOf,
  retire,
  withSetting,
} from '../../src/topology/epoch-change.js';
import { partitionsOf, rowOf, votersOf } from '../../src/topology/epoch-roles.js';
import { composeFirstEpoch } from '../../src/topology/first-epoch.js';
import type { NodeRecord } from '../../src/topology/pledge.js';
import { viewOf } from '../harness/protocol-frames.js';

const PARTITIONS = 32;

function record(name: number): NodeRecord {
  const uuid = `00000000-0000-4000-8000-${name.toString(16).padStart(12, '0')}`;
  return { uuid, address: `h${name}:1`, http: '', zone: '', host: `h${name}`, weight: 1 };
}

function founded(founders: number, replicationFactor: number): WireTopology {
  const records = Array.from({ length: founders }, (_, index) => record(index + 1));
  return composeFirstEpoch(new Uint8Array(16).fill(7), records, { partitions: PARTITIONS, replicationFactor }, 5);
}

/** One thing that an operator does, by numbers: what they mean depends on the epoch. */
const action = fc.record({ kind: fc.nat(11), one: fc.nat(20), two: fc.nat(20) });

function act(
  topology: WireTopology,
  { kind, one, two }: { kind: number; one: number; two: number },
  fresh: () => number,
): WireTopology {
  const numbers = topology.nodes.map(({ number }) => number);
  const node = numbers[one % numbers.length];
  const other = numbers[two % numbers.length];
  if (topology.pending !== undefined) {
    if (kind < 6) return commitChange(topology);
    if (kind < 8) return abortChange(topology);
    return pauseChange(topology, !topology.pending.isPaused);
  }
  const departing = topology.nodes.find(({ standing }) => standing === 'departing');
  if (departing !== undefined && kind < 6) return retire(topology, [departing.number]);
  const join: ChangeRequest = { kind: 'join', record: record(fresh()) };
  const choices: readonly (readonly ChangeRequest[])[] = [
    [join],
    [join, { kind: 'join', record: record(fresh()) }],
    [{ kind: 'leave', node }],
    [{ kind: 'remove', node }],
    [{ kind: 'replace', node }, join],
    [{ kind: 'weigh', node, weight: 1 + (two % 4) }],
    [{ kind: 'move', node, zone: `z${two % 3}`, host: `m${two}` }],
    [{ kind: 'replicate', replicationFactor: 1 + (two % 5) }],
    [{ kind: 'leave', node }, { kind: 'remove', node: other }, join],
    [],
    [],
    [],
  ];
  const requests = choices[kind];
  if (requests.length === 0) return withSetting(topology, `s${one % 3}`, two % 2 === 0 ? String(two) : undefined);
  if (requests.some((request) => refusalOf(topology, request) !== undefined)) return withSetting(topology, 'a', 'b');
  try {
    return beginChange(topology, requests, ({ partition }) => partition % 2 === 0);
  } catch (error) {
    // Everybody was to go.
    if (error instanceof RangeError) return withSetting(topology, 'a', 'b');
    throw error;
  }
}

test('whatever is asked, in any order: epochs count on, numbers are given once, and removed nodes stay removed', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 4 }),
      fc.array(action, { maxLength: 20 }),
      (founders, factor, actions) => {
        let topology = founded(founders, factor);
        let fresh = 100;
        const uuidOf = new Map<number, string>();
        for (const one of actions) {
          const next = act(topology, one, () => fresh++);
          t.is(next.epoch, topology.epoch + 1);
          const encoded = encodeTopology(next);
          t.deepEqual(decodeTopology(encoded, viewOf(encoded), 0, encoded.length), next);
          for (const { number, uuid } of [...next.nodes, ...next.removed]) {
            t.is(uuidOf.get(number) ?? uuid, uuid, `number ${number} was given twice`);
            uuidOf.set(number, uuid);
          }
          t.deepEqual(next.removed.slice(0, topology.removed.length), topology.removed);
          t.true(next.highestNumber >= topology.highestNumber);
          t.not(votersOf(next).length, 0);
          if (next.pending !== undefined) {
            // Nothing of who owns what now, or who votes, changes before the commit.
            t.deepEqual(next.owners, topology.owners);
            t.deepEqual(votersOf(next), votersOf(topology));
          }
          if (topology.pending !== undefined && next.pending === undefined) {
            const { owners } = topology.pending;
            t.true(
              Buffer.from(next.owners).equals(Buffer.from(owners)) ||
                Buffer.from(next.owners).equals(Buffer.from(topology.owners)),
            );
          }
          topology = next;
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('an owner that loses a partition is named as a former owner until it has released it', (t) => {
  const before = founded(3, 1);
  const joined = commitChange(beginChange(before, [{ kind: 'join', record: record(4) }], () => false));
  const lost = [...before.owners].flatMap((owner, partition) => (joined.owners[partition] === owner ? [] : [owner]));
  t.is(joined.former.length, lost.length);
  t.true(joined.former.every(({ partition, node }) => before.owners[partition] === node));
  const [first] = joined.former;
  const again = beginChange(joined, [{ kind: 'join', record: record(5) }], (entry) => entry === first);
  t.deepEqual(again.former, joined.former.slice(1));
  // Who owns it again is no former owner.
  const back = commitChange(beginChange(joined, [{ kind: 'remove', node: 4 }], () => false));
  t.deepEqual(
    back.former.filter(({ partition, node }) => rowOf(back.owners, 1, partition).includes(node)),
    [],
  );
});

test('a replaced node hands its partitions to the newcomer, and nothing else moves', (t) => {
  const before = founded(5, 3);
  const pending = beginChange(
    before,
    [
      { kind: 'replace', node: 2 },
      { kind: 'join', record: record(9) },
    ],
    () => false,
  );
  const { owners, replicas } = pending.pending ?? t.fail() ?? before;
  t.deepEqual(partitionsOf(owners, replicas, 6).sort(), partitionsOf(before.owners, 3, 2).sort());
  for (const node of [1, 3, 4, 5]) {
    t.deepEqual(partitionsOf(owners, replicas, node).sort(), partitionsOf(before.owners, 3, node).sort());
  }
  const after = commitChange(pending);
  t.deepEqual(after.removed, [{ number: 2, uuid: before.nodes[1].uuid }]);
});

test('a node that leaves owns nothing and votes no more, and is gone once it is retired', (t) => {
  const left = commitChange(beginChange(founded(4, 3), [{ kind: 'leave', node: 3 }], () => false));
  t.is(left.nodes.find(({ number }) => number === 3)?.standing, 'departing');
  t.deepEqual(votersOf(left), [1, 2, 4]);
  t.deepEqual(partitionsOf(left.owners, left.replicas, 3), []);
  const gone = retire(left, [3]);
  t.deepEqual(
    gone.nodes.map(({ number }) => number),
    [1, 2, 4],
  );
  t.deepEqual(
    gone.removed.map(({ number }) => number),
    [3],
  );
  t.deepEqual(gone.former, []);
});

test('a change in which nothing moves is committed at once', (t) => {
  const before = founded(3, 3);
  const weighed = beginChange(before, [{ kind: 'weigh', node: 2, weight: 2 }], () => false);
  t.is(weighed.pending, undefined);
  t.is(weighed.nodes[1].weight, 2);
});

test('an aborted change leaves owners and weights as they were, and its joiners do not come back', (t) => {
  const before = founded(3, 2);
  const requests: ChangeRequest[] = [
    { kind: 'join', record: record(7) },
    { kind: 'weigh', node: 1, weight: 9 },
  ];
  const aborted = abortChange(beginChange(before, requests, () => false));
  t.deepEqual(aborted.owners, before.owners);
  t.deepEqual(aborted.nodes, before.nodes);
  t.regex(refusalOf(aborted, { kind: 'join', record: record(7) }) ?? '', /removed/);
});

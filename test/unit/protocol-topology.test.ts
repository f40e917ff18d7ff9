import {
  decodeTopology,
  encodeTopology,
  formatUuid,
  ProtocolError,
  parseUuid,
  TOPOLOGY_BYTES_MAX,
  type WireTopology,
} from '@memdb/protocol';
import test from 'ava';
import { placed, viewOf } from '../harness/protocol-frames.js';

const node = (number: number): WireTopology['nodes'][number] => ({
  number,
  uuid: `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`,
  standing: 'member',
  weight: number / 100,
  address: `10.0.0.${number}:10000`,
  http: '',
  zone: 'zürich',
  host: `host-${number}`,
});

const valid: WireTopology = {
  epoch: 0xffffffff,
  clusterId: parseUuid('c1000000-0000-4000-8000-00000000000c'),
  hashSeed: 0xfedcba98,
  partitions: 4,
  replicas: 2,
  nodes: [node(1), node(2), node(7)],
  owners: Uint16Array.of(1, 2, 2, 7, 7, 1, 1, 7),
  pending: undefined,
  replicationFactor: 3,
  highestNumber: 65_535,
  settings: [{ name: 'log.level', value: 'info' }],
  removed: [{ number: 3, uuid: node(3).uuid }],
  former: [{ partition: 3, node: 2 }],
};

const pending: WireTopology = {
  ...valid,
  nodes: [node(1), node(2), { ...node(7), standing: 'joining' }],
  owners: Uint16Array.of(1, 2, 2, 1, 2, 1, 1, 2),
  pending: {
    begun: 7,
    isPaused: false,
    changes: [
      { kind: 'join', node: 7 },
      { kind: 'leave', node: 1 },
      { kind: 'remove', node: 2 },
      { kind: 'weigh', node: 2, weight: 0.5 },
      { kind: 'move', node: 1, zone: 'bern', host: 'ä' },
      { kind: 'replicate', replicationFactor: 2 },
    ],
    replicas: 1,
    owners: Uint16Array.of(7, 7, 2, 1),
  },
};

function decode(bytes: Uint8Array): WireTopology {
  return decodeTopology(bytes, viewOf(bytes), 0, bytes.length);
}

test('a topology survives the wire and keeps nothing of the buffer', (t) => {
  for (const topology of [valid, pending]) {
    const { bytes, view, start, end } = placed(encodeTopology(topology));
    const back = decodeTopology(bytes, view, start, end);
    bytes.fill(0);
    t.deepEqual(back, topology);
  }
});

test('a topology cut at any offset, or with a byte too many, is refused', (t) => {
  const bytes = encodeTopology(pending);
  for (let length = 0; length < bytes.length; length++) {
    t.throws(() => decode(bytes.slice(0, length)), { instanceOf: ProtocolError }, `at ${length}`);
  }
  t.throws(() => decode(new Uint8Array([...bytes, 0])), { instanceOf: ProtocolError });
});

const change = pending.pending;
const contradictions: Readonly<Record<string, Partial<WireTopology>>> = {
  'an owner that is departing': { nodes: [node(1), node(2), { ...node(7), standing: 'departing' }] },
  'a joining node that no change admits': { nodes: [node(1), node(2), node(7), { ...node(8), standing: 'joining' }] },
  'a node above the highest number': { highestNumber: 6 },
  'a node that is removed as well': { removed: [{ number: 7, uuid: node(9).uuid }] },
  'a node whose directory is removed': { removed: [{ number: 9, uuid: node(7).uuid }] },
  'a former owner that is no node': { former: [{ partition: 0, node: 9 }] },
  'a former owner of no partition': { former: [{ partition: 4, node: 1 }] },
  'replication factor 0': { replicationFactor: 0 },
  'more settings than there may be': { settings: new Array(65).fill({ name: 'a', value: 'b' }) },
  'a setting that is too long': { settings: [{ name: 'a', value: 'b'.repeat(65) }] },
  'a next owner that is no node': { ...pending, pending: change && { ...change, owners: Uint16Array.of(7, 7, 2, 3) } },
  'too few next owners': { ...pending, pending: change && { ...change, owners: Uint16Array.of(7, 7, 2) } },
  'a change of a node that is not there': {
    ...pending,
    pending: change && { ...change, changes: [{ kind: 'leave', node: 9 }] },
  },
  'a member that joins': { ...pending, pending: change && { ...change, changes: [{ kind: 'join', node: 1 }] } },
  'a change that never began': { ...pending, pending: change && { ...change, begun: 0 } },
  'a change to no replicas': { ...pending, pending: change && { ...change, replicas: 0 } },
  'an owner that is no node': { owners: Uint16Array.of(1, 2, 2, 3, 7, 1, 1, 7) },
  'an owner 0': { owners: Uint16Array.of(1, 2, 2, 0, 7, 1, 1, 7) },
  'a node that owns a partition twice': { owners: Uint16Array.of(1, 2, 2, 2, 7, 1, 1, 7) },
  'too few owners': { owners: Uint16Array.of(1, 2, 2, 7, 7, 1) },
  'too many owners': { owners: Uint16Array.of(1, 2, 2, 7, 7, 1, 1, 7, 1, 2) },
  'epoch 0': { epoch: 0 },
  'an epoch of 33 bits': { epoch: 2 ** 32 + 5 },
  'no partitions': { partitions: 0, owners: new Uint16Array(0) },
  'partitions that are no power of two': { partitions: 3, owners: Uint16Array.of(1, 2, 2, 7, 7, 1) },
  'more partitions than there can be': { partitions: 131_072 },
  'no replicas': { replicas: 0, owners: new Uint16Array(0) },
  'more replicas than nodes': { replicas: 4, partitions: 2 },
  'a node number twice': { nodes: [node(1), node(2), node(7), { ...node(7), uuid: node(8).uuid }] },
  'a node uuid twice': { nodes: [node(1), node(2), node(7), { ...node(8), uuid: node(7).uuid }] },
  'a node number 0': { nodes: [node(1), node(2), node(7), node(0)] },
  'a node number of 17 bits': { nodes: [node(1), node(2), node(7), { ...node(8), number: 65_536 + 8 }] },
  'a weight out of range': { nodes: [node(1), node(2), { ...node(7), weight: 700 }] },
  'an address that is too long': { nodes: [node(1), node(2), { ...node(7), address: 'a'.repeat(256) }] },
  'a zone with a control character': { nodes: [node(1), node(2), { ...node(7), zone: 'a\nb' }] },
};

for (const [what, change] of Object.entries(contradictions)) {
  test(`a topology with ${what} is not encoded`, (t) => {
    t.throws(() => encodeTopology({ ...valid, ...change }), { instanceOf: RangeError });
  });
}

test('a topology that contradicts itself on the wire is refused', (t) => {
  const edits: readonly (readonly [at: number, byte: number])[] = [
    [0, 0],
    [24, 5],
    [28, 0],
    [28, 3],
    [29, 3],
    [29, 1],
    [52, 3],
    [53, 1],
    [30, 2],
    [30, 4],
    [32, 0],
    [32, 2],
  ];
  const good = encodeTopology({ ...valid, epoch: 1 });
  for (const [at, byte] of edits) {
    const bytes = good.slice();
    bytes[at] = byte;
    t.throws(() => decode(bytes), { instanceOf: ProtocolError }, `byte ${at} = ${byte}`);
  }
  const notText = good.slice();
  notText[56] = 0xff;
  t.throws(() => decode(notText), { instanceOf: ProtocolError, message: /address is not UTF-8/ });
});

test('the largest topology fits into its limit', (t) => {
  const nodes = Array.from({ length: 1024 }, (_, index) => ({
    ...node(index + 1),
    address: 'a'.repeat(255),
    http: 'b'.repeat(255),
    zone: 'z'.repeat(255),
    host: 'h'.repeat(255),
  }));
  const owners = Uint16Array.from({ length: 65_536 * 7 }, (_, index) => (index % 1021) + 1);
  const changes = nodes.map(({ number, zone, host }) => ({ kind: 'move' as const, node: number, zone, host }));
  const bytes = encodeTopology({
    ...valid,
    partitions: 65_536,
    replicas: 7,
    nodes,
    owners,
    pending: { begun: 1, isPaused: false, changes, replicas: 7, owners },
    settings: new Array(64).fill({ name: 'n'.repeat(64), value: 'v'.repeat(64) }),
    removed: Array.from({ length: 65_535 }, (_, index) => ({ number: 0, uuid: node(index + 2000).uuid })),
    former: Array.from({ length: 65_536 * 14 }, (_, index) => ({ partition: index % 65_536, node: 1 })),
  });
  t.is(bytes.length, TOPOLOGY_BYTES_MAX);
});

test('1000 nodes and 4096 partitions take less than 256 KiB, while a change is pending too', (t) => {
  const nodes = Array.from({ length: 1000 }, (_, index) => ({
    ...node(index + 1),
    address: `10.100.${index >> 8}.${index & 255}:10000`,
    http: `10.100.${index >> 8}.${index & 255}:10100`,
    zone: `europe-west-${index % 3}`,
    host: `machine-${index}.example.net`,
  }));
  const owners = Uint16Array.from({ length: 4096 * 3 }, (_, index) => (index % 1000) + 1);
  const former = Array.from({ length: 1000 }, (_, index) => ({ partition: index, node: 1 }));
  const removed = Array.from({ length: 500 }, (_, index) => ({ number: 2000 + index, uuid: node(2000 + index).uuid }));
  const next = { begun: 1, isPaused: false, changes: [], replicas: 3, owners };
  const bytes = encodeTopology({
    ...valid,
    partitions: 4096,
    replicas: 3,
    nodes,
    owners,
    pending: next,
    former,
    removed,
  });
  t.log(`${bytes.length} bytes`);
  t.true(bytes.length <= 256 * 1024);
});

test('a UUID is written as usual and read back, and nothing else is one', (t) => {
  const text = '01234567-89ab-cdef-fedc-ba9876543210';
  t.is(formatUuid(parseUuid(text)), text);
  t.is(formatUuid(parseUuid(text.toUpperCase())), text);
  for (const wrong of ['', text.slice(1), `${text}0`, text.replace('a', 'g'), text.replaceAll('-', ''), ` ${text}`]) {
    t.throws(() => parseUuid(wrong), { instanceOf: RangeError });
  }
});

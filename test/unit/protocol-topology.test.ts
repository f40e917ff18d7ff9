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
};

function decode(bytes: Uint8Array): WireTopology {
  return decodeTopology(bytes, viewOf(bytes), 0, bytes.length);
}

test('a topology survives the wire and keeps nothing of the buffer', (t) => {
  const { bytes, view, start, end } = placed(encodeTopology(valid));
  const back = decodeTopology(bytes, view, start, end);
  bytes.fill(0);
  t.deepEqual(back, valid);
});

test('a topology cut at any offset, or with a byte too many, is refused', (t) => {
  const bytes = encodeTopology(valid);
  for (let length = 0; length < bytes.length; length++) {
    t.throws(() => decode(bytes.slice(0, length)), { instanceOf: ProtocolError }, `at ${length}`);
  }
  t.throws(() => decode(new Uint8Array([...bytes, 0])), { instanceOf: ProtocolError });
});

const contradictions: Readonly<Record<string, Partial<WireTopology>>> = {
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
    [29, 1],
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
  notText[54] = 0xff;
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
  const bytes = encodeTopology({ ...valid, partitions: 65_536, replicas: 7, nodes, owners });
  t.is(bytes.length, TOPOLOGY_BYTES_MAX);
});

test('a UUID is written as usual and read back, and nothing else is one', (t) => {
  const text = '01234567-89ab-cdef-fedc-ba9876543210';
  t.is(formatUuid(parseUuid(text)), text);
  t.is(formatUuid(parseUuid(text.toUpperCase())), text);
  for (const wrong of ['', text.slice(1), `${text}0`, text.replace('a', 'g'), text.replaceAll('-', ''), ` ${text}`]) {
    t.throws(() => parseUuid(wrong), { instanceOf: RangeError });
  }
});

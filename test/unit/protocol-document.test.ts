import { createHash, createHmac, createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  ackLsn,
  ackRefusals,
  ackStreamId,
  appendScanEntry,
  appendScanKey,
  type CasReply,
  ClientHandshake,
  Consistency,
  CounterEntryList,
  clientOperationId,
  counterListBytes,
  decodeAuditDiffering,
  decodeAuditFetch,
  decodeAuditList,
  decodeAuditListRequest,
  decodeAuditRoots,
  decodeAuditTable,
  decodeAuditTableRequest,
  decodeBatchReply,
  decodeCasReply,
  decodeChunkRequest,
  decodeEpochAccept,
  decodeEpochAcceptance,
  decodeEpochPrepare,
  decodeEpochPromise,
  decodeErrorBody,
  decodeGetManyRequest,
  decodeHoldings,
  decodeIntroduction,
  decodeKill,
  decodeMembers,
  decodeQuorumGetReply,
  decodeRelay,
  decodeRelayed,
  decodeReplicaPage,
  decodeRequest,
  decodeResolveReply,
  decodeScanReply,
  decodeScanRequest,
  decodeSerialAccept,
  decodeSerialAnswer,
  decodeSerialPrepare,
  decodeSerialRead,
  decodeSerialRequest,
  decodeSerialState,
  decodeSetManyRequest,
  decodeSnapshot,
  decodeTopology,
  decodeTransferList,
  decodeTransferListRequest,
  decodeTransferPage,
  decodeTransferPageRequest,
  decodeTransferProgress,
  ErrorCode,
  type ErrorCodeName,
  encodeAuditDiffering,
  encodeAuditFetch,
  encodeAuditList,
  encodeAuditListRequest,
  encodeAuditRoots,
  encodeAuditTable,
  encodeAuditTableRequest,
  encodeCasReply,
  encodeChunkRequest,
  encodeCounterAdd,
  encodeEpochAccept,
  encodeEpochAcceptance,
  encodeEpochPrepare,
  encodeEpochPromise,
  encodeHoldings,
  encodeIntroduction,
  encodeKill,
  encodeMembers,
  encodeRelay,
  encodeRelayed,
  encodeReplicaPage,
  encodeRequest,
  encodeResolveReply,
  encodeScanReply,
  encodeScanRequest,
  encodeSerialAccept,
  encodeSerialAnswer,
  encodeSerialPrepare,
  encodeSerialRead,
  encodeSerialRequest,
  encodeSerialState,
  encodeSnapshot,
  encodeTopology,
  encodeTransferList,
  encodeTransferListRequest,
  encodeTransferPage,
  encodeTransferPageRequest,
  encodeTransferProgress,
  errorDefaults,
  Feature,
  Flag,
  frameCorrelation,
  frameCounter,
  frameDeadlineMs,
  frameEpoch,
  frameFlags,
  frameOpcode,
  MemDbError,
  Opcode,
  OutgoingBuffer,
  PRESSURE_BYTES,
  parseUuid,
  pressureKeys,
  pressureNode,
  Resolution,
  type ResolveReply,
  Role,
  RUN_CATCH_UP,
  runLastLsn,
  runOptions,
  runSegmentGeneration,
  runSegmentOffset,
  runStreamId,
  ScanReach,
  type SerialAnswer,
  SerialContent,
  type SerialRequest,
  type SerialState,
  SerialVerdict,
  ServerHandshake,
  STREAM_ACK_HEADER_BYTES,
  STREAM_REFUSAL_BYTES,
  STREAM_RUN_HEADER_BYTES,
  setRequestTtlMs,
  setRequestValueStart,
  type WireMember,
  type WireRequest,
  type WireSnapshot,
  type WireTopology,
  writeBatchReply,
  writeCounter,
  writeCounterList,
  writeErrorReply,
  writeFrame,
  writeGetManyRequest,
  writeKeyRequest,
  writePressure,
  writeQuorumGetReply,
  writeSetManyRequest,
  writeSetRequest,
  writeStamp,
  writeStampReply,
  writeStreamAckHeader,
  writeStreamRunHeader,
  writeValueReply,
} from '@memdb/protocol';
import test from 'ava';
import { CounterSum } from '../../src/counters/counter-sum.js';
import { placed, viewOf, written } from '../harness/protocol-frames.js';

const document = readFileSync(new URL('../../../protocol/PROTOCOL.md', import.meta.url), 'utf8');

/** The examples of the document: fenced blocks "```hex name", each line hexadecimal bytes and a comment behind ";". */
const examples = new Map<string, Uint8Array>();
for (const [, name, block] of document.matchAll(/^```hex ([\w-]+)\n([\s\S]*?)^```$/gm)) {
  const digits = block.replace(/;.*$/gm, '').replace(/\s+/g, '');
  examples.set(
    name,
    Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)),
  );
}

function example(name: string): Uint8Array {
  const bytes = examples.get(name);
  if (bytes === undefined) throw new Error(`PROTOCOL.md has no example ${name}`);
  return bytes;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const topology: WireTopology = {
  epoch: 3,
  clusterId: parseUuid('c1000000-0000-4000-8000-00000000000c'),
  hashSeed: 0x1234abcd,
  partitions: 2,
  replicas: 1,
  nodes: [
    {
      number: 1,
      uuid: 'a1000000-0000-4000-8000-000000000001',
      standing: 'member',
      weight: 1,
      address: 'h:1',
      http: 'h:2',
      zone: 'z',
      host: 'm',
    },
    {
      number: 5,
      uuid: 'a5000000-0000-4000-8000-000000000005',
      standing: 'member',
      weight: 2.5,
      address: 'h:3',
      http: '',
      zone: '',
      host: 'n',
    },
  ],
  owners: Uint16Array.of(5, 1),
  pending: undefined,
  replicationFactor: 2,
  highestNumber: 5,
  settings: [{ name: 'log.level', value: 'warn' }],
  removed: [{ number: 2, uuid: 'a2000000-0000-4000-8000-000000000002' }],
  former: [{ partition: 0, node: 1 }],
};

const pendingTopology: WireTopology = {
  ...topology,
  epoch: 4,
  nodes: [
    topology.nodes[1],
    {
      number: 6,
      uuid: 'a6000000-0000-4000-8000-000000000006',
      standing: 'joining',
      weight: 1,
      address: 'h:4',
      http: '',
      zone: '',
      host: '',
    },
  ],
  owners: Uint16Array.of(5, 5),
  pending: {
    begun: 4,
    isPaused: true,
    changes: [
      { kind: 'join', node: 6 },
      { kind: 'weigh', node: 5, weight: 1.5 },
      { kind: 'move', node: 5, zone: 'z', host: 'm' },
    ],
    replicas: 1,
    owners: Uint16Array.of(6, 5),
  },
  replicationFactor: 1,
  highestNumber: 6,
  settings: [],
  removed: [],
  former: [],
};

const JOIN: WireRequest = {
  kind: 'join',
  record: {
    uuid: 'a6000000-0000-4000-8000-000000000006',
    address: 'h:4',
    http: '',
    zone: 'z',
    host: 'm-1',
    weight: 1.5,
  },
};
const PLACE = { partition: 7, position: 2 ** 31 + 9, after: text('foo') };
const PROGRESS = { partitions: 64, filled: 9, bytesTaken: 2 ** 32 + 7, isDrained: true };

const BALLOT = { counter: 2 ** 32 + 7, node: 2, generation: 3 };
const VALUE = Uint8Array.of(1, 2, 3, 4);

const FLOOR = { counter: 2 ** 32 + 5, node: 2, cutoffMs: 0 };
const VERSION = { hash: 0xcafe0003, counter: 88, node: 3, kind: 3 };
const LIST_REQUEST = { partition: 7, floor: FLOOR, position: 2 ** 31 + 9, bucketsLow: 1, bucketsHigh: 2 ** 31 };
const LIST = { partition: 7, floor: FLOOR, next: undefined, versions: [{ ...VERSION, kind: 2, bytes: 128 }] };

function framed(opcode: number, flags: number, body: Uint8Array): Uint8Array {
  return written((out) => writeFrame(out, opcode, flags, 5, 0, 90, 3, body));
}

const snapshot: WireSnapshot = {
  session: 7,
  node: 'a1000000-0000-4000-8000-000000000001',
  lastLsn: 2 ** 32 + 70,
  segments: [{ id: 3, generation: 3, firstLsn: 41, bytes: 4096, capacity: 131_072 }],
};
const kill = { node: 'a1000000-0000-4000-8000-000000000001', isGraceful: false };
const chunk = { session: 7, id: 3, generation: 3, offset: 0, length: 4096 };

const gossip = (opcode: Opcode, flags: number, body: Uint8Array): Uint8Array =>
  written((out) => writeFrame(out, opcode, flags, 7, 0, 90, 3, body));
const FIRST: WireMember = {
  uuid: 'a1000000-0000-4000-8000-000000000001',
  generation: 9,
  bootNonce: 'cccccccccccccccc',
  claim: { incarnation: 2, state: 'alive', by: '', sinceMs: Date.UTC(2026, 0, 1) },
  profile: {
    version: 5,
    address: 'h:1',
    http: 'h:2',
    zone: 'z',
    host: 'm',
    weight: 1,
    release: '0.1.0',
    epoch: 3,
    load: 250,
    logEnd: 2 ** 32 + 7,
    health: 1,
  },
};
const SECOND: WireMember = {
  uuid: 'a5000000-0000-4000-8000-000000000005',
  generation: 4,
  bootNonce: 'bbbbbbbbbbbbbbbb',
  claim: { incarnation: 0, state: 'suspect', by: FIRST.uuid, sinceMs: Date.UTC(2026, 0, 1, 0, 0, 1) },
  profile: {
    version: 1,
    address: 'h:3',
    http: '',
    zone: '',
    host: 'n',
    weight: 2.5,
    release: '0.1.0',
    epoch: 2,
    load: 0,
    logEnd: 0,
    health: 0,
  },
};

/** What writes each example that is one frame, or for the topology one body. */
const SERIAL_STATE: SerialState = {
  promised: { counter: 2 ** 32 + 42, node: 2, generation: 6 },
  accepted: { counter: 2 ** 32 + 40, node: 2, generation: 6 },
  isVote: true,
  content: SerialContent.value,
  stamp: { counter: 2 ** 32 + 40, node: 2 },
  expiresAtMs: 0,
  forgotten: 0,
  operations: [
    {
      id: clientOperationId(2 ** 32 + 7, 0x01020304, 0x05060708),
      stamp: { counter: 2 ** 32 + 40, node: 2 },
      verdict: SerialVerdict.applied,
    },
  ],
  value: text('Ada'),
};

const PROPOSAL: SerialState = { ...SERIAL_STATE, operations: [] };
const CAS: SerialRequest = {
  key: text('k'),
  ttlMs: 60_000,
  id: clientOperationId(2 ** 32 + 7, 0x01020304, 0x05060708),
  isRepeated: true,
  expected: text('free'),
  value: text('held'),
};
const SERIAL_SET: SerialRequest = { ...CAS, ttlMs: 0, isRepeated: false, expected: undefined, value: text('v') };
const CAS_REPLY: CasReply = { stamp: { counter: 90, node: 2 }, applied: false, actual: text('held') };
const RESOLVE_REPLY: ResolveReply = { resolution: Resolution.applied, stamp: { counter: 90, node: 2 } };

const writers: Readonly<Record<string, () => Uint8Array>> = {
  ping: () => written((out) => writeFrame(out, Opcode.ping, 0, 1, 2000, 5, 0, text('hi'))),
  get: () => written((out) => writeKeyRequest(out, Opcode.get, 7, 1500, 2 ** 32 + 2, 3, Consistency.quorum, 'user:1')),
  'get-reply': () =>
    written((out) => {
      const value = text('Ada');
      writeValueReply(out, 7, 2 ** 32 + 3, 3, 2 ** 32 + 3, 2, value, viewOf(value), 0, 3);
    }),
  'get-absent': () => written((out) => writeStampReply(out, Opcode.get, Flag.absent, 7, 12, 3, 0, 0)),
  set: () => written((out) => writeSetRequest(out, 8, 0, 12, 3, Consistency.all, 'k', Uint8Array.of(0, 255))),
  'set-expiring': () =>
    written((out) => writeSetRequest(out, 8, 0, 12, 3, Consistency.quorum, 'k', 'v', 0, 2 ** 32 + 10_000)),
  'set-reply': () => written((out) => writeStampReply(out, Opcode.set, 0, 8, 13, 3, 13, 1)),
  'error-reply': () =>
    written((out) => writeErrorReply(out, Opcode.set, 8, 13, 3, new MemDbError('unavailable', '1 of 3.', { node: 2 }))),
  'quorum-get-reply': () =>
    written((out) =>
      writeQuorumGetReply(out, 9, 21, 3, {
        agreed: false,
        stamp: { counter: 20, node: 1 },
        value: text('b'),
        responses: [
          { node: 1, kind: 'same' },
          { node: 2, kind: 'value', stamp: { counter: 9, node: 3 }, bytes: text('a') },
          { node: 3, kind: 'error', error: new MemDbError('timeout', 'slow', { node: 3, outcome: 'not-applied' }) },
          { node: 4, kind: 'absent', stamp: { counter: 0, node: 0 } },
        ],
      }),
    ),
  'get-many': () => written((out) => writeGetManyRequest(out, 10, 0, 21, 3, Consistency.one, ['a', 'bc'])),
  'get-many-reply': () =>
    written((out) =>
      writeBatchReply(out, Opcode.getMany, 10, 22, 3, [
        { kind: 'value', stamp: { counter: 20, node: 1 }, bytes: text('x') },
        { kind: 'absent', stamp: { counter: 21, node: 2 } },
      ]),
    ),
  'set-many': () =>
    written((out) =>
      writeSetManyRequest(out, 11, 0, 22, 3, Consistency.quorum, [
        ['a', 'x'],
        ['b', new Uint8Array(0)],
      ]),
    ),
  'set-many-expiring': () =>
    written((out) => writeSetManyRequest(out, 11, 0, 22, 3, Consistency.quorum, [['a', 'x']], 0, 10_000)),
  'set-many-reply': () =>
    written((out) =>
      writeBatchReply(out, Opcode.setMany, 11, 24, 3, [
        { kind: 'stored', stamp: { counter: 23, node: 1 } },
        { kind: 'error', error: new MemDbError('overloaded', 'Later.', { node: 1 }) },
      ]),
    ),
  scan: () => {
    const place = { partition: 1, position: 2 ** 31 + 5, after: text('b') };
    const body = encodeScanRequest(place, text('a'));
    return written((out) => writeFrame(out, Opcode.scan, 0, 12, 1500, 22, 3, body));
  },
  'scan-reply': () => {
    const keys = written((out) => {
      appendScanKey(out, text('x'));
      appendScanKey(out, text('yz'));
    });
    const body = encodeScanReply({ partition: 1, position: 2 ** 31 + 9, after: text('yz') }, 2, keys);
    return written((out) => writeFrame(out, Opcode.scan, Flag.reply, 12, 0, 24, 3, body));
  },
  'scan-page': () => {
    const key = text('xy');
    const entries = written((out) => {
      appendScanEntry(out, false, false, 20, 1, key, viewOf(key), 0, 1);
      appendScanEntry(out, true, true, 21, 2, key, viewOf(key), 1, 1);
    });
    const body = encodeReplicaPage(ScanReach.position, 2 ** 31 + 9, { counter: 17, node: 3 }, 2, entries);
    return written((out) => writeFrame(out, Opcode.scan, Flag.reply, 12, 0, 24, 3, body));
  },
  snapshot: () => encodeSnapshot(snapshot),
  'backup-read': () => encodeChunkRequest(chunk),
  'counter-add': () => {
    const body = encodeCounterAdd(Consistency.one, text('hits'), -(2n ** 32n + 5n));
    return written((out) => writeFrame(out, Opcode.counterAdd, 0, 7, 2000, 90, 3, body));
  },
  'counter-get-reply': () => {
    const value = new CounterEntryList();
    value.push(3, 0, 90, 0, 0, 1, 5);
    const sum = new CounterSum();
    sum.of(value);
    const body = new Uint8Array(8);
    sum.write(viewOf(body), 0);
    return written((out) => writeFrame(out, Opcode.counterGet, Flag.reply, 7, 0, 91, 3, body));
  },
  'counter-merge': () => {
    const entries = new CounterEntryList();
    entries.push(3, 2 ** 20 + 2, 90, 1, 2 ** 32 - 1, 2 ** 31, 0);
    const bytes = new Uint8Array(counterListBytes(entries, 4));
    writeCounterList(bytes, viewOf(bytes), 0, entries, text('hits'), 0, 4);
    return bytes;
  },
  kill: () => encodeKill(kill),
  topology: () => encodeTopology(topology),
  'topology-pending': () => encodeTopology(pendingTopology),
  'epoch-prepare': () => framed(Opcode.epochPrepare, 0, encodeEpochPrepare({ epoch: 4, ballot: BALLOT })),
  'epoch-promise': () => {
    const accepted = { ballot: { counter: 1, node: 1, generation: 9 }, value: VALUE };
    return framed(
      Opcode.epochPrepare,
      Flag.reply,
      encodeEpochPromise({ isRefused: false, promised: BALLOT }, accepted),
    );
  },
  'epoch-accept': () => framed(Opcode.epochAccept, 0, encodeEpochAccept({ epoch: 4, ballot: BALLOT }, VALUE)),
  'epoch-change-join': () => framed(Opcode.epochChange, 0, encodeRequest(JOIN)),
  'epoch-change-set': () =>
    framed(Opcode.epochChange, 0, encodeRequest({ kind: 'set', name: 'log.format', value: undefined })),
  'transfer-page': () => framed(Opcode.transferPage, 0, encodeTransferPageRequest(PLACE)),
  'transfer-page-reply': () =>
    framed(
      Opcode.transferPage,
      Flag.reply,
      encodeTransferPage(7, FLOOR, { ...PLACE, position: 2 ** 31 + 10, after: text('g') }, VALUE),
    ),
  'transfer-list': () => framed(Opcode.transferList, 0, encodeTransferListRequest(LIST_REQUEST)),
  'transfer-list-reply': () => framed(Opcode.transferList, Flag.reply, encodeTransferList(LIST)),
  'transfer-progress-reply': () => framed(Opcode.transferProgress, Flag.reply, encodeTransferProgress(PROGRESS)),
  holdings: () => framed(Opcode.holdings, 0, encodeHoldings([7, 11])),
  'epoch-acceptance': () => {
    const promised = { counter: 8, node: 3, generation: 1 };
    return framed(Opcode.epochAccept, Flag.reply, encodeEpochAcceptance({ isRefused: true, promised }));
  },
  'stream-run': () => {
    const body = new Uint8Array(STREAM_RUN_HEADER_BYTES + 4);
    writeStreamRunHeader(viewOf(body), 0, 9, 2, 4096, RUN_CATCH_UP, 2 ** 32 + 70);
    body.set([1, 2, 3, 4], STREAM_RUN_HEADER_BYTES);
    return written((out) => writeFrame(out, Opcode.streamRun, 0, 0, 0, 90, 3, body));
  },
  'audit-roots': () =>
    framed(Opcode.auditRoots, 0, encodeAuditRoots([{ partition: 7, floor: FLOOR, first: 0x11223344, second: -1 }])),
  'audit-roots-reply': () => framed(Opcode.auditRoots, Flag.reply, encodeAuditDiffering([7])),
  'audit-table': () => framed(Opcode.auditTable, 0, encodeAuditTableRequest(7, FLOOR)),
  'audit-table-reply': () =>
    framed(
      Opcode.auditTable,
      Flag.reply,
      encodeAuditTable({ partition: 7, floor: FLOOR, table: Int32Array.of(0x11223344, -1, 0, 0) }),
    ),
  'serial-state': () => encodeSerialState(SERIAL_STATE),
  cas: () => encodeSerialRequest(CAS, true),
  'serial-set': () => encodeSerialRequest(SERIAL_SET, false),
  'cas-reply': () => encodeCasReply(CAS_REPLY),
  'resolve-reply': () => encodeResolveReply(RESOLVE_REPLY),
  'serial-read': () => encodeSerialRead(text('k')),
  'serial-prepare': () => encodeSerialPrepare({ ballot: SERIAL_STATE.promised, key: text('k') }),
  'serial-accept': () => encodeSerialAccept({ key: text('k'), proposal: PROPOSAL }),
  'serial-refused': () => encodeSerialAnswer({ kind: 'refused', promised: PROPOSAL.promised }),
  'serial-promise': () => encodeSerialAnswer({ kind: 'state', state: PROPOSAL }),
  'audit-list': () => framed(Opcode.auditList, 0, encodeAuditListRequest(7, FLOOR, 3)),
  'audit-list-reply': () =>
    framed(
      Opcode.auditList,
      Flag.reply,
      encodeAuditList({ partition: 7, floor: FLOOR, bucket: 3, versions: [VERSION] }),
    ),
  'gossip-ping': () => gossip(Opcode.gossipPing, 0, encodeMembers([FIRST, SECOND])),
  'gossip-relay': () => gossip(Opcode.gossipRelay, 0, encodeRelay(SECOND.uuid, [SECOND])),
  'gossip-introduce': () => gossip(Opcode.introduce, 0, encodeIntroduction(SECOND, true)),
  'gossip-relayed': () => gossip(Opcode.gossipRelay, Flag.reply, encodeRelayed(true, [])),
  'memory-pressure': () => {
    const body = new Uint8Array(PRESSURE_BYTES);
    writePressure(viewOf(body), 0, 2, 1000);
    return written((out) => writeFrame(out, Opcode.memoryPressure, 0, 0, 0, 90, 3, body));
  },
  'audit-fetch': () => framed(Opcode.auditFetch, 0, encodeAuditFetch(7, [VERSION])),
  'stream-ack': () => {
    const body = new Uint8Array(STREAM_ACK_HEADER_BYTES + STREAM_REFUSAL_BYTES);
    writeStreamAckHeader(viewOf(body), 0, 9, 1, 2 ** 32 + 70);
    writeCounter(viewOf(body), STREAM_ACK_HEADER_BYTES, 2 ** 32 + 60);
    writeStamp(viewOf(body), STREAM_ACK_HEADER_BYTES + 8, 88, 3);
    return written((out) => writeFrame(out, Opcode.streamAck, Flag.reply, 0, 0, 91, 3, body));
  },
};

for (const [name, write] of Object.entries(writers)) {
  test(`the code writes the ${name} of PROTOCOL.md`, (t) => {
    t.deepEqual(write(), example(name));
  });
}

test('every example of PROTOCOL.md is compared with the code', (t) => {
  const handshake = ['hello', 'welcome', 'proof', 'ready'];
  t.deepEqual([...examples.keys()].sort(), [...Object.keys(writers), ...handshake].sort());
});

test('the header fields of an example read back', (t) => {
  const view = viewOf(example('get'));
  t.is(frameOpcode(view, 0), Opcode.get);
  t.is(frameFlags(view, 0), 0);
  t.is(frameCorrelation(view, 0), 7);
  t.is(frameDeadlineMs(view, 0), 1500);
  t.is(frameCounter(view, 0), 2 ** 32 + 2);
  t.is(frameEpoch(view, 0), 3);
});

test('the code reads the replies and batches of PROTOCOL.md', (t) => {
  const read = <T>(name: string, decode: (bytes: Uint8Array, view: DataView, frame: number, end: number) => T): T => {
    const bytes = example(name);
    return decode(bytes, viewOf(bytes), 0, bytes.length);
  };
  const reply = read('quorum-get-reply', decodeQuorumGetReply);
  t.deepEqual(reply.value, text('b'));
  t.deepEqual(
    reply.responses.map(({ node, kind }) => [node, kind]),
    [
      [1, 'same'],
      [2, 'value'],
      [3, 'error'],
      [4, 'absent'],
    ],
  );
  t.deepEqual(read('get-many', decodeGetManyRequest).keys, [
    { keyStart: 34, keyLength: 1 },
    { keyStart: 37, keyLength: 2 },
  ]);
  t.is(read('set-many', decodeSetManyRequest).entries.length, 2);
  t.is(read('set-many', decodeSetManyRequest).ttlMs, 0);
  t.deepEqual(read('set-many-expiring', decodeSetManyRequest), {
    consistency: Consistency.quorum,
    ttlMs: 10_000,
    entries: [{ keyStart: 48, keyLength: 1, valueStart: 49, valueLength: 1 }],
  });
  const expiring = viewOf(example('set-expiring'));
  t.deepEqual([setRequestTtlMs(expiring, 0), setRequestValueStart(expiring, 0)], [2 ** 32 + 10_000, 41]);
  const items = read('set-many-reply', (bytes, view, frame, end) =>
    decodeBatchReply(bytes, view, frame, end, Opcode.setMany),
  );
  t.deepEqual(
    items.map((item) => item.kind),
    ['stored', 'error'],
  );
  t.deepEqual(read('topology', decodeTopology), topology);
  t.deepEqual(read('topology-pending', decodeTopology), pendingTopology);
  const error = read('error-reply', (bytes, view, _frame, end) => decodeErrorBody(bytes, view, 28, end));
  t.deepEqual(
    [error.code, error.outcome, error.retryable, error.node, error.message],
    ['unavailable', 'not-applied', true, 2, '1 of 3.'],
  );
});

test('the code reads the frames by which epochs are decided in PROTOCOL.md', (t) => {
  const body = <Result>(name: string, decode: Decoder<Result>): Result => {
    const { bytes, view, start, end } = placed(example(name));
    return decode(bytes, view, start + 28, end);
  };
  t.deepEqual(body('epoch-prepare', decodeEpochPrepare), { epoch: 4, ballot: BALLOT });
  t.deepEqual(body('epoch-promise', decodeEpochPromise), {
    isRefused: false,
    promised: BALLOT,
    accepted: { ballot: { counter: 1, node: 1, generation: 9 }, value: VALUE },
  });
  t.deepEqual(body('epoch-accept', decodeEpochAccept), { epoch: 4, ballot: BALLOT, value: VALUE });
  t.deepEqual(body('epoch-acceptance', decodeEpochAcceptance), {
    isRefused: true,
    promised: { counter: 8, node: 3, generation: 1 },
  });
});

test('the code reads the frames of changes and transfers of PROTOCOL.md', (t) => {
  const body = <Result>(name: string, decode: Decoder<Result>): Result => {
    const { bytes, view, start, end } = placed(example(name));
    return decode(bytes, view, start + 28, end);
  };
  t.deepEqual(body('epoch-change-join', decodeRequest), JOIN);
  t.deepEqual(body('epoch-change-set', decodeRequest), { kind: 'set', name: 'log.format', value: undefined });
  t.deepEqual(body('transfer-page', decodeTransferPageRequest), PLACE);
  const { recordsStart, ...page } = body('transfer-page-reply', decodeTransferPage);
  t.is(recordsStart, placed(example('transfer-page-reply')).start + 28 + 33);
  t.deepEqual(page, { partition: 7, floor: FLOOR, next: { partition: 7, position: 2 ** 31 + 10, after: text('g') } });
  t.deepEqual(body('transfer-list', decodeTransferListRequest), LIST_REQUEST);
  t.deepEqual(body('transfer-list-reply', decodeTransferList), LIST);
  t.deepEqual(body('transfer-progress-reply', decodeTransferProgress), PROGRESS);
  t.deepEqual(body('holdings', decodeHoldings), [7, 11]);
});

test('the code reads the serial state of PROTOCOL.md', (t) => {
  const { bytes, view, start, end } = placed(example('serial-state'));
  t.deepEqual(decodeSerialState(bytes, view, start, end, 2 ** 32 + 40, 2), SERIAL_STATE);
});

test('the code reads the serial frames of PROTOCOL.md', (t) => {
  const body = <Result>(name: string, decode: Decoder<Result>): Result => {
    const { bytes, view, start, end } = placed(example(name));
    return decode(bytes, view, start, end);
  };
  const request =
    (isCas: boolean): Decoder<SerialRequest> =>
    (bytes, view, start, end) =>
      decodeSerialRequest(bytes, view, start, end, isCas, true);
  const answer: Decoder<SerialAnswer> = (bytes, view, start, end) => decodeSerialAnswer(bytes, view, start, end, true);
  t.deepEqual(body('cas', request(true)), CAS);
  t.deepEqual(body('serial-set', request(false)), SERIAL_SET);
  t.deepEqual(body('cas-reply', decodeCasReply), CAS_REPLY);
  t.deepEqual(body('resolve-reply', decodeResolveReply), RESOLVE_REPLY);
  t.deepEqual(body('serial-read', decodeSerialRead), text('k'));
  t.deepEqual(body('serial-prepare', decodeSerialPrepare), { ballot: PROPOSAL.promised, key: text('k') });
  t.deepEqual(body('serial-accept', decodeSerialAccept), { key: text('k'), proposal: PROPOSAL });
  t.deepEqual(body('serial-refused', answer), { kind: 'refused', promised: PROPOSAL.promised });
  t.deepEqual(body('serial-promise', answer), { kind: 'state', state: PROPOSAL });
});

test('the code reads the scan frames of PROTOCOL.md', (t) => {
  const body = <Result>(name: string, decode: Decoder<Result>): Result => {
    const { bytes, view, start, end } = placed(example(name));
    return decode(bytes, view, start + 28, end);
  };
  t.deepEqual(body('scan', decodeScanRequest), {
    place: { partition: 1, position: 2 ** 31 + 5, after: text('b') },
    prefix: text('a'),
  });
  t.deepEqual(body('scan-reply', decodeScanReply), {
    next: { partition: 1, position: 2 ** 31 + 9, after: text('yz') },
    keys: [text('x'), text('yz')],
  });
  t.deepEqual(body('scan-page', decodeReplicaPage), {
    reach: ScanReach.position,
    position: 2 ** 31 + 9,
    floor: { counter: 17, node: 3 },
    entries: [
      { key: text('x'), absent: false, serial: false, stamp: { counter: 20, node: 1 } },
      { key: text('y'), absent: true, serial: true, stamp: { counter: 21, node: 2 } },
    ],
  });
  for (const [name, decode] of [
    ['scan', decodeScanRequest],
    ['scan-reply', decodeScanReply],
    ['scan-page', decodeReplicaPage],
  ] as const) {
    const whole = example(name).slice(28);
    for (let end = 0; end < whole.length; end++) {
      t.throws(() => decode(whole, viewOf(whole), 0, end), { name: 'ProtocolError' }, `${name} cut at ${end}`);
    }
  }
});

type Decoder<Result> = (bytes: Uint8Array, view: DataView, start: number, end: number) => Result;

test('the code reads the kill of PROTOCOL.md, and refuses one that is cut or unclear', (t) => {
  const { bytes, view, start, end } = placed(example('kill'));
  t.deepEqual(decodeKill(bytes, view, start, end), kill);
  const whole = example('kill');
  for (let end = 0; end < whole.length; end++) {
    t.throws(() => decodeKill(whole, viewOf(whole), 0, end), { name: 'ProtocolError' }, `cut at ${end}`);
  }
  for (const how of [0, 3]) {
    const unclear = Uint8Array.of(how, ...whole.subarray(1));
    t.throws(() => decodeKill(unclear, viewOf(unclear), 0, unclear.length), { name: 'ProtocolError' });
  }
});

test('the code reads the backup messages of PROTOCOL.md', (t) => {
  const body = <Result>(name: string, decode: Decoder<Result>): Result => {
    const { bytes, view, start, end } = placed(example(name));
    return decode(bytes, view, start, end);
  };
  t.deepEqual(body('snapshot', decodeSnapshot), snapshot);
  t.deepEqual(body('backup-read', decodeChunkRequest), chunk);
  for (const [name, decode] of [
    ['snapshot', decodeSnapshot],
    ['backup-read', decodeChunkRequest],
  ] as const) {
    const whole = example(name);
    for (let end = 0; end < whole.length; end++) {
      t.throws(() => decode(whole, viewOf(whole), 0, end), { name: 'ProtocolError' }, `${name} cut at ${end}`);
    }
  }
});

test('the code reads the stream frames of PROTOCOL.md', (t) => {
  const run = viewOf(example('stream-run'));
  t.deepEqual(
    [runStreamId(run, 28), runSegmentGeneration(run, 28), runSegmentOffset(run, 28), runOptions(run, 28)],
    [9, 2, 4096, RUN_CATCH_UP],
  );
  t.is(runLastLsn(run, 28), 2 ** 32 + 70);
  const ack = viewOf(example('stream-ack'));
  t.deepEqual([ackStreamId(ack, 28), ackRefusals(ack, 28), ackLsn(ack, 28)], [9, 1, 2 ** 32 + 70]);
  const pressure = viewOf(example('memory-pressure'));
  t.deepEqual([pressureNode(pressure, 28), pressureKeys(pressure, 28)], [2, 1000]);
});

test('the code reads the audit frames of PROTOCOL.md', (t) => {
  const read = <T>(name: string, decode: (view: DataView, start: number, end: number) => T): T => {
    const bytes = example(name);
    return decode(viewOf(bytes), 28, bytes.length);
  };
  t.deepEqual(read('audit-roots', decodeAuditRoots), [{ partition: 7, floor: FLOOR, first: 0x11223344, second: -1 }]);
  t.deepEqual(read('audit-roots-reply', decodeAuditDiffering), [7]);
  t.deepEqual(read('audit-table', decodeAuditTableRequest), { partition: 7, floor: FLOOR });
  t.deepEqual(
    read('audit-table-reply', (view, start, end) => decodeAuditTable(view, start, end, 4)),
    { partition: 7, floor: FLOOR, table: Int32Array.of(0x11223344, -1, 0, 0) },
  );
  t.deepEqual(read('audit-list', decodeAuditListRequest), { partition: 7, floor: FLOOR, bucket: 3 });
  t.deepEqual(read('audit-list-reply', decodeAuditList), {
    partition: 7,
    floor: FLOOR,
    bucket: 3,
    versions: [VERSION],
  });
  t.deepEqual(read('audit-fetch', decodeAuditFetch), { partition: 7, versions: [VERSION] });
});

test('the gossip of PROTOCOL.md reads back', (t) => {
  const read = <T>(name: string, decode: (bytes: Uint8Array, view: DataView, start: number, end: number) => T): T => {
    const { bytes, view, start, end } = placed(example(name));
    return decode(bytes, view, start + 28, end);
  };
  t.deepEqual(read('gossip-ping', decodeMembers), [FIRST, SECOND]);
  t.deepEqual(read('gossip-relay', decodeRelay), { target: SECOND.uuid, members: [SECOND] });
  t.deepEqual(read('gossip-introduce', decodeIntroduction), { self: SECOND, wantsMembers: true });
  t.deepEqual(read('gossip-relayed', decodeRelayed), { reached: true, members: [] });
});

test('the error table of PROTOCOL.md is the table of the code', (t) => {
  const rows = [...document.matchAll(/^\| (\d+) +\| ([a-z-]+) +\| (not-applied|unknown) +\| (yes|no) +\|/gm)];
  t.is(rows.length, Object.keys(ErrorCode).length);
  for (const [, number, name, outcome, retryable] of rows) {
    const code = name as ErrorCodeName;
    t.is(ErrorCode[code], Number(number) as (typeof ErrorCode)[ErrorCodeName], name);
    t.deepEqual({ ...errorDefaults(code) }, { outcome: outcome as 'unknown', retryable: retryable === 'yes' }, name);
  }
});

test('the opcode table of PROTOCOL.md is the table of the code', (t) => {
  const rows = [...document.matchAll(/^\| 0x([0-9a-f]{2}) +\| (\w+) +\|/gm)];
  t.deepEqual(Object.fromEntries(rows.map(([, number, name]) => [name, Number.parseInt(number, 16)])), { ...Opcode });
});

const secret = Uint8Array.from({ length: 32 }, (_, index) => index);

function countingFrom(first: number): (bytes: Uint8Array) => void {
  let next = first;
  return (bytes) => {
    for (let index = 0; index < bytes.length; index++) bytes[index] = next++;
  };
}

test('the code speaks the handshake of PROTOCOL.md', (t) => {
  const client = new ClientHandshake({
    role: Role.node,
    keyId: 'k1',
    secret,
    identity: parseUuid('a2000000-0000-4000-8000-000000000002'),
    clusterId: topology.clusterId,
    generation: 4,
    bootNonce: new Uint8Array(8).fill(0xbb),
    advertisedAddress: 'h:3',
    features: Feature.batch,
    random: countingFrom(0x20),
  });
  const server = new ServerHandshake({
    keys: () => secret,
    identity: parseUuid('a1000000-0000-4000-8000-000000000001'),
    clusterId: topology.clusterId,
    nodeNumber: 1,
    generation: 9,
    features: Feature.batch,
    bootNonce: new Uint8Array(8).fill(0xcc),
    random: countingFrom(0x80),
  });
  const out = new OutgoingBuffer();
  const sent = (): Uint8Array => {
    const bytes = out.bytes.slice(0, out.end);
    out.clear();
    return bytes;
  };
  const give = (to: ClientHandshake | ServerHandshake, bytes: Uint8Array): string =>
    to.onFrame(bytes, viewOf(bytes), 0, bytes.length, out).kind;

  client.start(out);
  t.deepEqual(sent(), example('hello'));
  t.is(give(server, example('hello')), 'continue');
  t.deepEqual(sent(), example('welcome'));
  t.is(give(client, example('welcome')), 'continue');
  t.deepEqual(sent(), example('proof'));
  t.is(give(server, example('proof')), 'done');
  t.deepEqual(sent(), example('ready'));
  t.is(give(client, example('ready')), 'done');
});

/** An X25519 key of OpenSSL from its 32 raw bytes (RFC 8410 has the fixed prefixes). */
function privateKey(raw: Uint8Array): ReturnType<typeof createPrivateKey> {
  const der = Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), raw]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}
function publicKey(raw: Uint8Array): ReturnType<typeof createPublicKey> {
  const der = Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), raw]);
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}

test('the proofs of PROTOCOL.md follow from its formulas, computed by OpenSSL', (t) => {
  const hello = example('hello').subarray(28);
  const welcome = example('welcome').subarray(28, 28 + 116);
  const sha512 = (...parts: readonly (Uint8Array | string)[]): Buffer => {
    const hash = createHash('sha512');
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  const transcript = sha512('memdb handshake v1', hello, welcome);
  const clientSecretKey = Uint8Array.from({ length: 32 }, (_, index) => 0x20 + index);
  const shared = diffieHellman({
    privateKey: privateKey(clientSecretKey),
    publicKey: publicKey(welcome.subarray(52, 84)),
  });
  const sessionKey = sha512(secret, shared, transcript);
  const proof = (label: string): Uint8Array =>
    new Uint8Array(createHmac('sha512', sessionKey).update(label).update(transcript).digest().subarray(0, 32));
  t.deepEqual(proof('server'), example('welcome').slice(28 + 116));
  t.deepEqual(proof('client'), example('proof').slice(28));
});

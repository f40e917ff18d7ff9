import {
  CounterEntryList,
  counterListBytes,
  decodeAuditDiffering,
  decodeAuditFetch,
  decodeAuditList,
  decodeAuditRoots,
  decodeAuditTable,
  decodeBatchReply,
  decodeCasReply,
  decodeCounterAdd,
  decodeCounterName,
  decodeCounterValue,
  decodeEpochAccept,
  decodeEpochAcceptance,
  decodeEpochPrepare,
  decodeEpochPromise,
  decodeErrorBody,
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
  decodeSerialAccept,
  decodeSerialAnswer,
  decodeSerialPrepare,
  decodeSerialRead,
  decodeSerialRequest,
  decodeSerialState,
  decodeTopology,
  decodeTransferList,
  decodeTransferListRequest,
  decodeTransferPage,
  decodeTransferPageRequest,
  decodeTransferProgress,
  encodeAuditDiffering,
  encodeAuditFetch,
  encodeAuditList,
  encodeAuditRoots,
  encodeEpochAccept,
  encodeEpochAcceptance,
  encodeEpochPrepare,
  encodeEpochPromise,
  encodeErrorBody,
  encodeHoldings,
  encodeIntroduction,
  encodeKill,
  encodeMembers,
  encodeRelay,
  encodeRelayed,
  encodeRequest,
  encodeScanReply,
  encodeSerialState,
  encodeTopology,
  encodeTransferList,
  encodeTransferPage,
  FRAME_HEADER_BYTES,
  FRESH_SERIAL_STATE,
  Opcode,
  readCounterEntries,
  readCounterMerge,
  type WireNode,
  writeCounterList,
} from '@memdb/protocol';
import { startOf } from '../harness/gossip-world.js';
import { viewOf } from '../harness/protocol-frames.js';
import { SETTLED } from '../harness/settled.js';
import type { FuzzTarget } from './fuzz.js';
import { refusing } from './refusing.js';

type Decoder = (bytes: Uint8Array, view: DataView, start: number, end: number) => unknown;

/** What a client or a node reads out of a reply. Batch and quorumGet replies count from the start of the frame. */
const decoders: readonly Decoder[] = [
  decodeErrorBody,
  decodeTopology,
  decodeScanReply,
  decodeReplicaPage,
  (bytes, view, start, end) => decodeQuorumGetReply(bytes, view, start - FRAME_HEADER_BYTES, end),
  (bytes, view, start, end) => decodeBatchReply(bytes, view, start - FRAME_HEADER_BYTES, end, Opcode.getMany),
  (bytes, view, start, end) => decodeBatchReply(bytes, view, start - FRAME_HEADER_BYTES, end, Opcode.setMany),
  decodeIntroduction,
  decodeMembers,
  decodeRelay,
  decodeRelayed,
  (_bytes, view, start, end) => decodeAuditRoots(view, start, end),
  (_bytes, view, start, end) => decodeAuditDiffering(view, start, end),
  (_bytes, view, start, end) => decodeAuditList(view, start, end),
  (_bytes, view, start, end) => decodeAuditTable(view, start, end, 4),
  (_bytes, view, start, end) => decodeAuditFetch(view, start, end),
  decodeEpochPrepare,
  decodeEpochPromise,
  decodeEpochAccept,
  decodeEpochAcceptance,
  decodeRequest,
  decodeTransferList,
  decodeTransferListRequest,
  decodeTransferPage,
  decodeTransferPageRequest,
  decodeTransferProgress,
  decodeHoldings,
  decodeKill,
  (bytes, view, start, end) => decodeSerialState(bytes, view, start, end, end & 1, 2),
  (bytes, view, start, end) => decodeSerialRequest(bytes, view, start, end, (end & 1) === 1, true),
  (bytes, view, start, end) => decodeSerialAnswer(bytes, view, start, end, (end & 1) === 1),
  decodeCasReply,
  decodeResolveReply,
  decodeSerialAccept,
  decodeSerialPrepare,
  decodeSerialRead,
  (_bytes, view, start, end) => decodeCounterAdd(view, start, end),
  (_bytes, view, start, end) => decodeCounterName(view, start, end),
  (_bytes, view, start, end) => decodeCounterValue(view, start, end),
  (_bytes, view, start, end) => readCounterEntries(view, start, end, new CounterEntryList()),
  (_bytes, view, start, end) => readCounterMerge(view, start, end, new CounterEntryList()),
];

function counterList(name: Uint8Array): Uint8Array {
  const list = new CounterEntryList();
  list.push(1, 2, 3, 4, 5, 6, 7);
  list.push(2, 0, 3, 4, 5, 6, 7);
  const bytes = new Uint8Array(counterListBytes(list, name.length));
  writeCounterList(bytes, viewOf(bytes), 0, list, name, 0, name.length);
  return bytes;
}

const floor = { counter: 5, node: 1, cutoffMs: 9 };
const versions = [{ hash: 1, counter: 2, node: 3, kind: 2 }];
const node: WireNode = {
  standing: 'member',
  number: 1,
  uuid: 'a1000000-0000-4000-8000-000000000001',
  address: 'h:1',
  http: '',
  zone: '',
  host: 'h',
  weight: 1,
};

const ballot = { counter: 7, node: 1, generation: 2 };
const member = startOf(node.uuid, 1, 5);

/** No body makes a decoder do anything but return or refuse. The first byte says which decoder. */
export const bodiesTarget: FuzzTarget = {
  name: 'bodies',
  corpus: () => {
    const bodies = [
      encodeSerialState({ ...FRESH_SERIAL_STATE, promised: ballot, forgotten: 4 }),
      encodeErrorBody({ code: 'timeout', outcome: 'unknown', message: 'too late' }),
      encodeTopology({
        epoch: 1,
        clusterId: new Uint8Array(16).fill(1),
        hashSeed: 1,
        partitions: 2,
        replicas: 1,
        nodes: [node],
        owners: new Uint16Array([1, 1]),
        ...SETTLED,
        highestNumber: 1,
        pending: {
          begun: 1,
          isPaused: false,
          changes: [{ kind: 'weigh', node: 1, weight: 2 }],
          replicas: 1,
          owners: new Uint16Array([1, 1]),
        },
        settings: [{ name: 'a', value: 'b' }],
        former: [{ partition: 1, node: 1 }],
      }),
      encodeRequest({ kind: 'move', node: 1, zone: 'z', host: 'h' }),
      encodeTransferList({ partition: 1, floor, next: 7, versions: [{ ...versions[0], bytes: 40 }] }),
      encodeTransferPage(1, floor, undefined, new Uint8Array(40)),
      encodeHoldings([1, 2]),
      encodeKill({ node: node.uuid, isGraceful: false }),
      encodeEpochPrepare({ epoch: 2, ballot }),
      encodeEpochAccept({ epoch: 2, ballot }, new Uint8Array(40)),
      encodeEpochPromise({ isRefused: false, promised: ballot }, { ballot, value: new Uint8Array(40) }),
      encodeEpochAcceptance({ isRefused: true, promised: ballot }),
      encodeScanReply({ partition: 1, position: 2, after: new Uint8Array([65]) }, 1, new Uint8Array([1, 0, 66])),
      encodeMembers([member]),
      encodeIntroduction(member, true),
      encodeRelay(member.uuid, [member]),
      encodeRelayed(true, [member]),
      encodeAuditDiffering([1, 2, 3]),
      encodeAuditRoots([{ partition: 1, floor, first: 1, second: 2 }]),
      encodeAuditList({ partition: 1, floor, bucket: 2, versions }),
      encodeAuditFetch(1, versions),
      counterList(new Uint8Array(0)),
      counterList(new Uint8Array([65])),
      new Uint8Array([1, 0, 1, 0, 65, 5, 0, 0, 0, 0, 0, 0, 0]),
      new Uint8Array(64),
    ];
    return bodies.flatMap((body) => decoders.map((_, index) => new Uint8Array([index, ...body])));
  },
  run: (input) => {
    const decode = decoders[(input[0] ?? 0) % decoders.length];
    const bytes = new Uint8Array([...new Uint8Array(FRAME_HEADER_BYTES), ...input.subarray(1)]);
    refusing(() => decode?.(bytes, viewOf(bytes), FRAME_HEADER_BYTES, bytes.length));
  },
};

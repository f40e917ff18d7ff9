import {
  encodeAuditDiffering,
  encodeAuditFetch,
  encodeAuditListRequest,
  encodeAuditRoots,
  encodeAuditTableRequest,
  encodeScanRequest,
  FRAME_HEADER_BYTES,
  Opcode,
  PROTOCOL_VERSION,
  Role,
  STREAM_RUN_HEADER_BYTES,
  writeFrame,
  writeGetManyRequest,
  writeKeyRequest,
  writeSetManyRequest,
  writeSetRequest,
  writeStreamRunHeader,
} from '@memdb/protocol';
import { BareClient, LEVEL } from '../harness/bare-client.js';
import { viewOf, written } from '../harness/protocol-frames.js';
import { SIM_PORT, SimCluster } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';
import { StorageWorld } from '../harness/storage-world.js';
import { TEST_KEYS } from '../harness/test-keys.js';
import type { FuzzTarget } from './fuzz.js';

/** After so many inputs another client must be served as if nothing had happened. */
const CHECK_EVERY = 16;
const RETRIES = 20;
/** What a peer says of its clock is believed, by design: its frames carry this. */
const PEER_COUNTER = 1000;

/** A node in a simulated world, and connections that say anything to it. */
class Victim {
  readonly #world: SimWorld;
  readonly #cluster: SimCluster;
  readonly #session: SimSession;
  readonly #role: Role;
  #connection: BareClient | undefined;
  #inputs = 0;

  constructor(role: Role) {
    this.#role = role;
    this.#world = new SimWorld(7);
    this.#cluster = new SimCluster(this.#world, { nodes: 1, partitions: 16, segmentBytes: 8 * 1024 * 1024 });
    this.#cluster.start();
    this.#cluster.awaitReady();
    this.#session = new SimSession(this.#cluster);
  }

  send(bytes: Uint8Array): void {
    const connection = this.#open();
    connection.sendRaw(bytes);
    this.#world.run(this.#world.nowMs + 20);
    const [problem] = this.#cluster.fatal.values();
    if (problem !== undefined) throw problem;
    if (++this.#inputs % CHECK_EVERY !== 0) return;
    const [name = ''] = this.#cluster.names;
    const value = `${this.#inputs}`;
    let stored = this.#session.set(name, 'alive', value);
    // A client may move the clock by 2^32 at a time: while the lease is made longer, writes are refused for a moment.
    for (let tries = 0; stored.error?.retryable === true && tries < RETRIES; tries++) {
      this.#world.run(this.#world.nowMs + 20);
      stored = this.#session.set(name, 'alive', value);
    }
    if (stored.error !== undefined) throw stored.error;
    if (this.#session.get(name, 'alive', LEVEL.quorum).value !== value) throw new Error('another client is not served');
  }

  #open(): BareClient {
    const known = this.#connection;
    if (known !== undefined && !known.closed) return known;
    const [host = ''] = this.#cluster.names;
    const key = this.#role === Role.node ? TEST_KEYS.node : TEST_KEYS.client;
    const opened = new BareClient(
      this.#world.createPorts(`stranger ${this.#inputs}`),
      { host, port: SIM_PORT },
      key,
      this.#role,
    );
    this.#world.runUntil(() => opened.ready || opened.closed, this.#world.nowMs + 5_000);
    if (!opened.ready) throw new Error('the node takes no connections any more');
    this.#connection = opened;
    return opened;
  }
}

function nodeTarget(name: string, role: Role, corpus: () => Uint8Array[]): FuzzTarget {
  let victim: Victim | undefined;
  return {
    name,
    corpus,
    run: (input, random) => {
      victim ??= new Victim(role);
      const bytes = input.length < FRAME_HEADER_BYTES ? new Uint8Array(FRAME_HEADER_BYTES) : input;
      const view = viewOf(bytes);
      // Most inputs are whole frames of this version, or all would end at the first check.
      if (random.chance(0.9)) {
        view.setUint32(0, bytes.length - 4, true);
        view.setUint8(4, PROTOCOL_VERSION);
      }
      if (role === Role.node) {
        view.setUint32(16, PEER_COUNTER, true);
        view.setUint32(20, 0, true);
      }
      victim.send(bytes);
    },
  };
}

/** No request of a client that proved its key ends the node or disturbs others. */
export const clientTarget: FuzzTarget = nodeTarget('client', Role.client, () => [
  written((out) => writeKeyRequest(out, Opcode.get, 1, 100, 7, 1, 2, 'user:1')),
  written((out) => writeKeyRequest(out, Opcode.delete, 1, 100, 7, 1, 1, 'user:1')),
  written((out) => writeKeyRequest(out, Opcode.contains, 1, 100, 7, 1, 3, 'user:1')),
  written((out) => writeKeyRequest(out, Opcode.quorumGet, 1, 100, 7, 1, 0, 'user:1')),
  written((out) => writeSetRequest(out, 2, 100, 7, 1, 2, 'user:1', 'Ada')),
  written((out) => writeSetRequest(out, 2, 100, 7, 1, 2, 'user:2', 'Ada', 0, 50)),
  written((out) => writeGetManyRequest(out, 3, 100, 7, 1, 2, ['user:1', 'b', 'c'])),
  written((out) =>
    writeSetManyRequest(out, 4, 100, 7, 1, 2, [
      ['user:1', 'Ada'],
      ['b', 'c'],
    ]),
  ),
  written((out) => writeSetManyRequest(out, 4, 100, 7, 1, 2, [['user:1', 'Ada']], 0, 100)),
  written((out) => writeFrame(out, Opcode.scan, 0, 5, 100, 7, 1, encodeScanRequest(PLACE, new Uint8Array([117])))),
  written((out) => writeFrame(out, Opcode.topology, 0, 6, 100, 7, 1)),
  written((out) => writeFrame(out, Opcode.ping, 0, 6, 100, 7, 1)),
  written((out) => writeFrame(out, Opcode.status, 0, 6, 100, 7, 1)),
]);

/** No request of a node that proved its key does: bytes that were damaged on the way are refused. */
export const peerTarget: FuzzTarget = nodeTarget('peer', Role.node, () => [
  streamRun(),
  ...[
    [Opcode.readVersion, version(0)],
    [Opcode.repair, version(2)],
    [Opcode.repair, version(3)],
    [Opcode.heartbeat, new Uint8Array(16)],
    [Opcode.streamOpen, new Uint8Array(16)],
    [Opcode.streamAck, new Uint8Array(16)],
    [Opcode.pledge, new Uint8Array(40)],
    [Opcode.announceEpoch, new Uint8Array(60)],
    [Opcode.auditRoots, encodeAuditRoots([{ partition: 1, floor: FLOOR, first: 1, second: 2 }])],
    [Opcode.auditTable, encodeAuditTableRequest(1, FLOOR)],
    [Opcode.auditList, encodeAuditListRequest(1, FLOOR, 2)],
    [Opcode.auditFetch, encodeAuditFetch(1, [{ hash: 1, counter: 2, node: 3, kind: 2 }])],
    [Opcode.auditRoots, encodeAuditDiffering([1, 2])],
  ].map(([opcode, body]) =>
    written((out) => writeFrame(out, opcode as number, 0, 7, 100, PEER_COUNTER, 1, body as Uint8Array)),
  ),
  written((out) => writeFrame(out, Opcode.scan, 8, 5, 100, 7, 1, encodeScanRequest(PLACE, new Uint8Array([117])))),
  written((out) => writeSetRequest(out, 2, 100, 7, 1, 2, 'user:1', 'Ada', 8)),
]);

const PLACE = { partition: 0, position: 0, after: new Uint8Array(0) };
const FLOOR = { counter: 0, node: 0, cutoffMs: 0 };

/** Header of readVersion and repair: a key of three bytes, and for a value three of that. */
function version(kind: number): Uint8Array {
  const body = new Uint8Array(16 + 6);
  const view = viewOf(body);
  view.setUint8(0, kind);
  view.setUint16(2, 3, true);
  view.setUint32(4, PEER_COUNTER, true);
  view.setUint16(12, 1, true);
  body.set([97, 98, 99], 16);
  return kind === 0 ? body.subarray(0, 19) : body;
}

/** Two records as another node's log holds them. */
function streamRun(): Uint8Array {
  const other = new StorageWorld(5);
  other.set('user:1', 'Ada', 900, 2);
  const { offset, segment } = other.store.appended;
  other.delete('user:2', 901, 2);
  const end = other.store.appended.offset + other.store.appended.bytes;
  const body = new Uint8Array(STREAM_RUN_HEADER_BYTES + end - offset);
  writeStreamRunHeader(viewOf(body), 0, 1, segment.generation, offset, 0, 2);
  body.set(segment.bytes.subarray(offset, end), STREAM_RUN_HEADER_BYTES);
  return written((out) => writeFrame(out, Opcode.streamRun, 0, 7, 100, PEER_COUNTER, 1, body));
}

import {
  type BatchItem,
  decodeGetManyRequest,
  decodeSetManyRequest,
  type ErrorCodeName,
  encodeTopology,
  FEATURES_KNOWN,
  Flag,
  FRAME_HEADER_BYTES,
  FrameReader,
  flushTo,
  frameCorrelation,
  frameCounter,
  frameDeadlineMs,
  frameEpoch,
  frameOpcode,
  keyRequestConsistency,
  keyRequestKeyLength,
  keyRequestKeyStart,
  MemDbError,
  type MemDbErrorOptions,
  Opcode,
  OutgoingBuffer,
  parseUuid,
  ServerHandshake,
  setRequestTtlMs,
  setRequestValueStart,
  type WireTopology,
  writeBatchReply,
  writeErrorReply,
  writeFrame,
  writeGoodbye,
  writeQuorumGetReply,
  writeStampReply,
  writeValueReply,
} from '@memdb/protocol';
import type { Random } from '../../src/ports/random.js';
import type { Address, Connection, ConnectionHandler, Listener, Transport } from '../../src/ports/transport.js';
import { SETTLED } from './settled.js';

export const FAKE_KEY: { readonly id: string; readonly secret: Uint8Array } = {
  id: 'app',
  secret: new Uint8Array(32).fill(7),
};

/** What a fake server needs of its world, simulated or real. */
export interface FakePorts {
  readonly transport: Transport;
  readonly random: Random;
}

/** One request as a fake server got it. */
export interface FakeRequest {
  readonly server: FakeServer;
  readonly session: FakeSession;
  readonly opcode: number;
  readonly correlation: number;
  readonly deadlineMs: number;
  readonly counter: number;
  readonly epoch: number;
  /** Consistency, or for quorumGet the number of replies. */
  readonly level: number;
  /** Latin-1, so that any bytes can be a Map's key. For a batch: its first key. */
  readonly key: string;
  readonly value: Uint8Array;
  /** Of a set or setMany that expires; 0 otherwise. */
  readonly ttlMs: number;
  /** Of a batch. */
  readonly entries: readonly { readonly key: string; readonly value: Uint8Array }[];
}

/** Says that the script has dealt with a request; undefined leaves it to the server. */
export type FakeScript = (request: FakeRequest) => 'handled' | undefined;

/** What the servers of one fake cluster share: who owns what, and the data. */
export class FakeCluster {
  readonly servers: FakeServer[] = [];
  /** Values by Latin-1 key, and in which order keys were written. */
  readonly values: Map<string, Uint8Array> = new Map();
  readonly written: string[] = [];
  epoch = 1;
  replicas: number;
  partitions = 16;
  counter = 1000;
  clusterId: Uint8Array = new Uint8Array(16).fill(9);
  hashSeed = 77;

  constructor(replicas: number = 3) {
    this.replicas = replicas;
  }

  /** Partition p belongs to the nodes p, p + 1, … round the ring of the servers. */
  topology(): WireTopology {
    const { servers, partitions } = this;
    const replicas = Math.min(this.replicas, servers.length);
    const owners = new Uint16Array(partitions * replicas);
    for (let at = 0; at < owners.length; at++) {
      const partition = Math.floor(at / replicas);
      owners[at] = servers[(partition + (at % replicas)) % servers.length].number;
    }
    const nodes = servers.map((server) => ({
      number: server.number,
      uuid: server.uuid,
      standing: 'member' as const,
      weight: 1,
      address: `${server.address.host}:${server.address.port}`,
      http: '',
      zone: '',
      host: server.address.host,
    }));
    const { epoch, clusterId, hashSeed } = this;
    const highestNumber = Math.max(0, ...nodes.map(({ number }) => number));
    return { epoch, clusterId, hashSeed, partitions, replicas, nodes, owners, highestNumber, ...SETTLED };
  }

  /** Every request for data that any server got, in order. */
  get requests(): FakeRequest[] {
    return this.servers.flatMap((server) => server.requests);
  }
}

/** A server that speaks the protocol and does what a test's script says; without a script it stores and answers. */
export class FakeServer {
  readonly cluster: FakeCluster;
  readonly number: number;
  readonly uuid: string;
  readonly requests: FakeRequest[] = [];
  readonly sessions: Set<FakeSession> = new Set();
  address: Address;
  script: FakeScript = () => undefined;
  /** Refuses every key. */
  refusesKeys = false;
  /** Takes connections and never says anything. */
  isMute = false;
  connectionsTaken = 0;
  /** What it says that it can do. */
  features: number = FEATURES_KNOWN;
  readonly ports: FakePorts;

  constructor(cluster: FakeCluster, number: number, ports: FakePorts, address: Address) {
    this.cluster = cluster;
    this.number = number;
    this.uuid = `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;
    this.ports = ports;
    this.address = address;
    cluster.servers.push(this);
  }

  /** `done` is called with the bound address. */
  listen(address: Address = this.address, done: (bound: Address) => void = () => {}): Listener {
    this.address = address;
    return this.ports.transport.listen(
      address,
      (connection) => new FakeSession(this, connection),
      (error, bound) => {
        if (error !== undefined) throw error;
        this.address = bound;
        done(bound);
      },
    );
  }

  /** Answers as a node would; scripts may call it later for a request they kept. */
  serve(request: FakeRequest): void {
    const { session } = request;
    const { cluster } = this;
    cluster.counter++;
    switch (request.opcode) {
      case Opcode.get:
        session.sendValue(request, cluster.values.get(request.key));
        return;
      case Opcode.contains:
        session.sendStamp(request, cluster.values.has(request.key));
        return;
      case Opcode.set:
        cluster.values.set(request.key, request.value);
        cluster.written.push(request.key);
        session.sendStamp(request, true);
        return;
      case Opcode.delete:
        cluster.values.delete(request.key);
        cluster.written.push(request.key);
        session.sendStamp(request, true);
        return;
      case Opcode.quorumGet:
        session.sendQuorum(request, cluster.values.get(request.key));
        return;
      default:
        session.sendBatch(request, (entry) => this.serveEntry(request, entry));
    }
  }

  serveEntry(request: FakeRequest, entry: FakeRequest['entries'][number]): BatchItem {
    const { cluster } = this;
    const stamp = { counter: cluster.counter, node: this.number };
    if (request.opcode === Opcode.setMany) {
      cluster.values.set(entry.key, entry.value);
      cluster.written.push(entry.key);
      return { kind: 'stored', stamp };
    }
    const bytes = cluster.values.get(entry.key);
    return bytes === undefined ? { kind: 'absent', stamp } : { kind: 'value', stamp, bytes };
  }
}

/** One connection of a fake server. */
export class FakeSession implements ConnectionHandler {
  readonly server: FakeServer;
  readonly connection: Connection;
  isReady = false;
  readonly #out: OutgoingBuffer = new OutgoingBuffer();
  readonly #handshake: ServerHandshake;
  readonly #reader: FrameReader;

  constructor(server: FakeServer, connection: Connection) {
    this.server = server;
    this.connection = connection;
    server.sessions.add(this);
    server.connectionsTaken++;
    this.#reader = new FrameReader({
      maxFrameBytes: 64 * 1024 * 1024,
      onFrame: (bytes, view, start, end) => this.#onFrame(bytes, view, start, end),
    });
    this.#handshake = new ServerHandshake({
      keys: (_role, id) => (id === FAKE_KEY.id && !server.refusesKeys ? FAKE_KEY.secret : undefined),
      identity: parseUuid(server.uuid),
      clusterId: server.cluster.clusterId,
      nodeNumber: server.number,
      features: server.features,
      random: (bytes) => server.ports.random.fill(bytes),
    });
  }

  onData(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    if (!this.server.isMute) this.#reader.push(bytes, view, start, end);
  }

  onClose(): void {
    this.#reader.stop();
    this.server.sessions.delete(this);
  }

  sendStamp(request: FakeRequest, isPresent: boolean): void {
    const { counter, epoch } = this.server.cluster;
    const flags = isPresent ? 0 : Flag.absent;
    writeStampReply(this.#out, request.opcode, flags, request.correlation, counter, epoch, counter, this.server.number);
    this.flush();
  }

  sendValue(request: FakeRequest, value: Uint8Array | undefined): void {
    if (value === undefined) {
      this.sendStamp(request, false);
      return;
    }
    const { counter, epoch } = this.server.cluster;
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    const { number } = this.server;
    writeValueReply(this.#out, request.correlation, counter, epoch, counter, number, value, view, 0, value.length);
    this.flush();
  }

  sendQuorum(request: FakeRequest, value: Uint8Array | undefined): void {
    const { counter, epoch } = this.server.cluster;
    const stamp = { counter, node: this.server.number };
    const old = { counter: counter - 1, node: 1 };
    writeQuorumGetReply(this.#out, request.correlation, counter, epoch, {
      agreed: false,
      stamp,
      value,
      responses: [
        { node: 1, kind: 'same' },
        { node: 2, kind: 'value', stamp: old, bytes: new TextEncoder().encode('old') },
        { node: 3, kind: 'absent', stamp: { counter: 0, node: 0 } },
        { node: 4, kind: 'error', error: new MemDbError('timeout', 'It did not answer.') },
      ],
    });
    this.flush();
  }

  sendBatch(request: FakeRequest, serve: (entry: FakeRequest['entries'][number]) => BatchItem): void {
    const { counter, epoch } = this.server.cluster;
    const opcode = request.opcode === Opcode.setMany ? Opcode.setMany : Opcode.getMany;
    writeBatchReply(this.#out, opcode, request.correlation, counter, epoch, request.entries.map(serve));
    this.flush();
  }

  sendError(request: FakeRequest, code: ErrorCodeName, options: MemDbErrorOptions = {}): void {
    const { counter, epoch } = this.server.cluster;
    const error = new MemDbError(code, `Refused by node ${this.server.number}.`, {
      node: this.server.number,
      ...options,
    });
    writeErrorReply(this.#out, request.opcode, request.correlation, counter, epoch, error);
    this.flush();
  }

  sendGoodbye(code: ErrorCodeName): void {
    writeGoodbye(
      this.#out,
      this.server.cluster.counter,
      this.server.cluster.epoch,
      new MemDbError(code, 'Going away.'),
    );
    this.flush();
  }

  sendRaw(bytes: Uint8Array): void {
    this.connection.write(bytes, 0, bytes.length);
  }

  flush(): void {
    flushTo(this.#out, this.connection);
  }

  #onFrame(bytes: Uint8Array, view: DataView, frame: number, end: number): void {
    if (!this.isReady) {
      const step = this.#handshake.onFrame(bytes, view, frame, end, this.#out);
      this.flush();
      if (step.kind === 'failed') this.connection.end();
      this.isReady = step.kind === 'done';
      return;
    }
    const { cluster } = this.server;
    const opcode = frameOpcode(view, frame);
    const correlation = frameCorrelation(view, frame);
    const plain = opcode === Opcode.topology || opcode === Opcode.ping;
    const request = this.#read(opcode, bytes, view, frame, end);
    if (this.server.script(request) === 'handled') return;
    if (plain) {
      const body = opcode === Opcode.topology ? encodeTopology(cluster.topology()) : undefined;
      writeFrame(this.#out, opcode, Flag.reply, correlation, 0, cluster.counter, cluster.epoch, body);
      this.flush();
      return;
    }
    this.server.serve(request);
  }

  #read(opcode: number, bytes: Uint8Array, view: DataView, frame: number, end: number): FakeRequest {
    const entries: { key: string; value: Uint8Array }[] = [];
    let level = 0;
    let ttlMs = 0;
    let key = '';
    let value: Uint8Array = new Uint8Array(0);
    const isData = opcode >= Opcode.get && opcode <= Opcode.setMany;
    if (opcode === Opcode.getMany) {
      const batch = decodeGetManyRequest(bytes, view, frame, end);
      level = batch.consistency;
      for (const { keyStart, keyLength } of batch.keys) {
        entries.push({ key: latin1(bytes, keyStart, keyStart + keyLength), value });
      }
    } else if (opcode === Opcode.setMany) {
      const batch = decodeSetManyRequest(bytes, view, frame, end);
      level = batch.consistency;
      ttlMs = batch.ttlMs;
      for (const { keyStart, keyLength, valueStart, valueLength } of batch.entries) {
        const content = bytes.slice(valueStart, valueStart + valueLength);
        entries.push({ key: latin1(bytes, keyStart, keyStart + keyLength), value: content });
      }
    } else if (isData && end - frame > FRAME_HEADER_BYTES) {
      const start = keyRequestKeyStart(frame);
      key = latin1(bytes, start, start + keyRequestKeyLength(view, frame));
      level = keyRequestConsistency(view, frame);
      if (opcode === Opcode.set) {
        value = bytes.slice(setRequestValueStart(view, frame), end);
        ttlMs = setRequestTtlMs(view, frame);
      }
    }
    const request: FakeRequest = {
      server: this.server,
      session: this,
      opcode,
      correlation: frameCorrelation(view, frame),
      deadlineMs: frameDeadlineMs(view, frame),
      counter: frameCounter(view, frame),
      epoch: frameEpoch(view, frame),
      level,
      key: entries[0]?.key ?? key,
      value,
      ttlMs,
      entries,
    };
    if (isData) this.server.requests.push(request);
    return request;
  }
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.subarray(start, end)).toString('latin1');
}

import {
  ClientHandshake,
  Consistency,
  decodeErrorBody,
  decodeQuorumGetReply,
  Flag,
  FRAME_HEADER_BYTES,
  FrameReader,
  flushTo,
  frameCorrelation,
  frameCounter,
  frameFlags,
  frameOpcode,
  type MemDbError,
  Opcode,
  OutgoingBuffer,
  type QuorumGetReply,
  Role,
  STAMP_BYTES,
  stampCounter,
  stampNode,
  writeKeyRequest,
  writeSetRequest,
} from '@memdb/protocol';
import type { Connection } from '../../src/ports/transport.js';
import { SIM_KEYS, SIM_PORT } from './sim-cluster.js';
import type { SimPorts } from './sim-world.js';

/** What became of one request. */
export interface SimReply {
  readonly error?: MemDbError;
  readonly absent: boolean;
  readonly counter: number;
  readonly node: number;
  readonly value: string | undefined;
  readonly quorum?: QuorumGetReply;
}

/** A bare protocol client on one connection: no routing, no retries, so that a test says exactly who coordinates. */
export class SimClient {
  /** Highest counter seen: the session token. */
  counter = 0;
  closed = false;
  ready = false;
  readonly #out = new OutgoingBuffer();
  readonly #handshake: ClientHandshake;
  readonly #reader: FrameReader;
  readonly #connection: Connection;
  readonly #pending: Map<number, (reply: SimReply) => void> = new Map();
  #correlation = 0;

  constructor(ports: SimPorts, host: string, secret: Uint8Array = SIM_KEYS.client.secret) {
    const identity = new Uint8Array(16);
    ports.random.fill(identity);
    this.#handshake = new ClientHandshake({
      role: Role.client,
      keyId: SIM_KEYS.client.id,
      secret,
      identity,
      random: (bytes) => ports.random.fill(bytes),
    });
    this.#reader = new FrameReader({
      maxFrameBytes: 16 * 1024 * 1024,
      onFrame: (bytes, view, start, end) => this.#onFrame(bytes, view, start, end),
    });
    this.#connection = ports.transport.connect(
      { host, port: SIM_PORT },
      {
        onOpen: () => {
          this.#handshake.start(this.#out);
          this.#flush();
        },
        onData: (bytes, view, start, end) => this.#reader.push(bytes, view, start, end),
        onClose: () => {
          this.closed = true;
        },
      },
    );
  }

  /** Requests that have no answer yet. */
  get pending(): number {
    return this.#pending.size;
  }

  set(key: string, value: string, level: number, done: (reply: SimReply) => void, timeoutMs = 2000): void {
    const correlation = this.#expect(done);
    writeSetRequest(this.#out, correlation, timeoutMs, this.counter, 0, level, key, value);
    this.#flush();
  }

  get(key: string, level: number, done: (reply: SimReply) => void, timeoutMs = 2000): void {
    this.#ask(Opcode.get, key, level, done, timeoutMs);
  }

  delete(key: string, level: number, done: (reply: SimReply) => void, timeoutMs = 2000): void {
    this.#ask(Opcode.delete, key, level, done, timeoutMs);
  }

  /** `replies`: 0 for a majority, 255 for all, or a number. */
  quorumGet(key: string, replies: number, done: (reply: SimReply) => void, timeoutMs = 2000): void {
    this.#ask(Opcode.quorumGet, key, replies, done, timeoutMs);
  }

  close(): void {
    this.#connection.destroy();
  }

  #ask(opcode: number, key: string, level: number, done: (reply: SimReply) => void, timeoutMs: number): void {
    writeKeyRequest(this.#out, opcode, this.#expect(done), timeoutMs, this.counter, 0, level, key);
    this.#flush();
  }

  #expect(done: (reply: SimReply) => void): number {
    this.#correlation++;
    this.#pending.set(this.#correlation, done);
    return this.#correlation;
  }

  #flush(): void {
    flushTo(this.#out, this.#connection);
  }

  #onFrame(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    if (!this.ready) {
      const step = this.#handshake.onFrame(bytes, view, start, end, this.#out);
      this.#flush();
      if (step.kind === 'failed') throw step.error;
      this.ready = step.kind === 'done';
      return;
    }
    this.counter = Math.max(this.counter, frameCounter(view, start));
    const done = this.#pending.get(frameCorrelation(view, start));
    if (done === undefined) throw new Error('a reply that nobody asked for');
    this.#pending.delete(frameCorrelation(view, start));
    done(readReply(bytes, view, start, end));
  }
}

function readReply(bytes: Uint8Array, view: DataView, start: number, end: number): SimReply {
  const flags = frameFlags(view, start);
  const body = start + FRAME_HEADER_BYTES;
  if ((flags & Flag.error) !== 0) {
    const error = decodeErrorBody(bytes, view, body, end);
    return { error, absent: false, counter: 0, node: 0, value: undefined };
  }
  if (frameOpcode(view, start) === Opcode.quorumGet) {
    const quorum = decodeQuorumGetReply(bytes, view, start, end);
    const value = quorum.value === undefined ? undefined : Buffer.from(quorum.value).toString();
    return { absent: value === undefined, ...quorum.stamp, value, quorum };
  }
  const absent = (flags & Flag.absent) !== 0;
  const isValue = frameOpcode(view, start) === Opcode.get && !absent;
  const value = isValue ? Buffer.from(bytes.subarray(body + STAMP_BYTES, end)).toString() : undefined;
  return { absent, counter: stampCounter(view, body), node: stampNode(view, body), value };
}

export const LEVEL: typeof Consistency = Consistency;

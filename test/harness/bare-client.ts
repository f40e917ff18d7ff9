import {
  type CasReply,
  ClientHandshake,
  Consistency,
  decodeCasReply,
  decodeCounterValue,
  decodeErrorBody,
  decodeQuorumGetReply,
  decodeResolveReply,
  encodeCounterAdd,
  encodeSerialRequest,
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
  type ResolveReply,
  Role,
  type SerialRequest,
  STAMP_BYTES,
  stampCounter,
  stampNode,
  writeFrame,
  writeKeyRequest,
  writeSetRequest,
} from '@memdb/protocol';
import type { Random } from '../../src/ports/random.js';
import type { Address, Connection, Transport } from '../../src/ports/transport.js';
import { TEST_KEYS } from './test-keys.js';

/** What became of one request. */
export interface BareReply {
  readonly error?: MemDbError;
  readonly absent: boolean;
  readonly counter: number;
  readonly node: number;
  readonly value: string | undefined;
  readonly quorum?: QuorumGetReply;
  /** Of a counter. */
  readonly number?: bigint;
  readonly cas?: CasReply;
  readonly resolved?: ResolveReply;
}

/** A bare protocol client on one connection: no routing, no retries, so that a test says exactly who coordinates. */
export class BareClient {
  /** Highest counter seen: the session token. */
  counter = 0;
  closed = false;
  ready = false;
  /** Called once when the connection is gone; what is pending then is never answered. */
  onClosed: (() => void) | undefined;
  /** Why the handshake failed. */
  refused: MemDbError | undefined;
  readonly #out = new OutgoingBuffer();
  readonly #handshake: ClientHandshake;
  readonly #reader: FrameReader;
  readonly #connection: Connection;
  readonly #pending: Map<number, (reply: BareReply) => void> = new Map();
  #correlation = 0;
  #sentRaw = false;

  constructor(
    ports: { readonly random: Random; readonly transport: Transport },
    address: Address,
    key: { readonly id: string; readonly secret: Uint8Array } = TEST_KEYS.client,
    role: Role = Role.client,
  ) {
    const identity = new Uint8Array(16);
    ports.random.fill(identity);
    this.#handshake = new ClientHandshake({
      role,
      keyId: key.id,
      secret: key.secret,
      identity,
      random: (bytes) => ports.random.fill(bytes),
    });
    this.#reader = new FrameReader({
      maxFrameBytes: 16 * 1024 * 1024,
      onFrame: (bytes, view, start, end) => this.#onFrame(bytes, view, start, end),
    });
    this.#connection = ports.transport.connect(address, {
      onOpen: () => {
        this.#handshake.start(this.#out);
        this.#flush();
      },
      onData: (bytes, view, start, end) => this.#reader.push(bytes, view, start, end),
      onClose: () => {
        this.closed = true;
        this.onClosed?.();
      },
    });
  }

  /** Requests that have no answer yet. */
  get pending(): number {
    return this.#pending.size;
  }

  set(key: string, value: string, level: number, done: (reply: BareReply) => void, timeoutMs = 2000, ttlMs = 0): void {
    const correlation = this.#expect(done);
    writeSetRequest(this.#out, correlation, timeoutMs, this.counter, 0, level, key, value, 0, ttlMs);
    this.#flush();
  }

  get(key: string, level: number, done: (reply: BareReply) => void, timeoutMs = 2000): void {
    this.#ask(Opcode.get, key, level, done, timeoutMs);
  }

  delete(key: string, level: number, done: (reply: BareReply) => void, timeoutMs = 2000): void {
    this.#ask(Opcode.delete, key, level, done, timeoutMs);
  }

  /** `replies`: 0 for a majority, 255 for all, or a number. */
  quorumGet(key: string, replies: number, done: (reply: BareReply) => void, timeoutMs = 2000): void {
    this.#ask(Opcode.quorumGet, key, replies, done, timeoutMs);
  }

  counterAdd(name: string, level: number, amount: bigint, done: (reply: BareReply) => void, timeoutMs = 2000): void {
    const body = encodeCounterAdd(level, new TextEncoder().encode(name), amount);
    writeFrame(this.#out, Opcode.counterAdd, 0, this.#expect(done), timeoutMs, this.counter, 0, body);
    this.#flush();
  }

  counterGet(name: string, level: number, done: (reply: BareReply) => void, timeoutMs = 2000): void {
    this.#ask(Opcode.counterGet, name, level, done, timeoutMs);
  }

  /** A serial operation, exactly as it is given: its id is the caller's affair. */
  serial(opcode: number, request: SerialRequest, done: (reply: BareReply) => void, timeoutMs = 2000): void {
    const body = encodeSerialRequest(request, opcode === Opcode.cas);
    writeFrame(this.#out, opcode, 0, this.#expect(done), timeoutMs, this.counter, 0, body);
    this.#flush();
  }

  /** A request of any kind whose body is a key. */
  ask(opcode: number, key: string, done: (reply: BareReply) => void): void {
    this.#ask(opcode, key, 2, done, 2000);
  }

  /** Sends bytes as they are. What is answered to them belongs to no request. */
  sendRaw(bytes: Uint8Array): void {
    this.#sentRaw = true;
    this.#connection.write(bytes, 0, bytes.length);
  }

  /** Waits for the reply to a request that was sent raw. */
  expectRaw(correlation: number, done: (reply: BareReply) => void): void {
    this.#pending.set(correlation, done);
  }

  /** Stops reading replies. */
  pause(): void {
    this.#connection.pause();
  }

  close(): void {
    this.#connection.destroy();
  }

  #ask(opcode: number, key: string, level: number, done: (reply: BareReply) => void, timeoutMs: number): void {
    writeKeyRequest(this.#out, opcode, this.#expect(done), timeoutMs, this.counter, 0, level, key);
    this.#flush();
  }

  #expect(done: (reply: BareReply) => void): number {
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
      if (step.kind === 'failed') this.refused = step.error;
      this.ready = step.kind === 'done';
      return;
    }
    this.counter = Math.max(this.counter, frameCounter(view, start));
    const done = this.#pending.get(frameCorrelation(view, start));
    if (done === undefined && this.#sentRaw) return;
    if (done === undefined) throw new Error('a reply that nobody asked for');
    this.#pending.delete(frameCorrelation(view, start));
    done(readReply(bytes, view, start, end));
  }
}

function readReply(bytes: Uint8Array, view: DataView, start: number, end: number): BareReply {
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
  if (frameOpcode(view, start) === Opcode.counterGet) {
    return { absent: false, counter: 0, node: 0, value: undefined, number: decodeCounterValue(view, body, end) };
  }
  if (frameOpcode(view, start) === Opcode.cas) {
    const cas = decodeCasReply(bytes, view, body, end);
    return { absent: false, ...cas.stamp, value: undefined, cas };
  }
  if (frameOpcode(view, start) === Opcode.resolve) {
    const resolved = decodeResolveReply(bytes, view, body, end);
    return { absent: false, ...resolved.stamp, value: undefined, resolved };
  }
  const absent = (flags & Flag.absent) !== 0;
  const isValue = frameOpcode(view, start) === Opcode.get && !absent;
  const value = isValue ? Buffer.from(bytes.subarray(body + STAMP_BYTES, end)).toString() : undefined;
  return { absent, counter: stampCounter(view, body), node: stampNode(view, body), value };
}

export const LEVEL: typeof Consistency = Consistency;

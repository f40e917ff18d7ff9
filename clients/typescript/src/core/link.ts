import {
  ClientHandshake,
  type ClientHandshakeResult,
  decodeErrorBody,
  Flag,
  FRAME_HEADER_BYTES,
  FrameReader,
  flushTo,
  frameCorrelation,
  frameCounter,
  frameEpoch,
  frameFlags,
  frameOpcode,
  HANDSHAKE_FRAME_BYTES_MAX,
  MemDbError,
  maxReplyFrameBytes,
  Opcode,
  OutgoingBuffer,
  ProtocolError,
  type Role,
  VALUE_BYTES_HARD_MAX,
  writeFrame,
  writeGetManyRequest,
  writeKeyRangeRequest,
  writeSetManyRequest,
  writeSetRangeRequest,
} from '@memdb/protocol';
import type { Key, Settings, Value } from '../options.js';
import type { BatchPart } from './batch.js';
import type { Dispatcher } from './dispatcher.js';
import { connectionLostError, formatAddress } from './failures.js';
import type { KeyScratch } from './key-scratch.js';
import type { Operation } from './operation.js';
import { OperationList } from './operation-list.js';
import { ABANDONED_MAX, PendingReplies, Unmatched } from './pending-replies.js';
import type { Address, ClientPorts, Connection, ConnectionHandler, Timer } from './ports.js';
import type { Session } from './session.js';

/** A dial with its handshake may take this long. */
const DIAL_MS = 3000;
/** A node that does not close its side this long after ours was closed is not waited for. */
const CLOSE_MS = 1000;
/** Requests of one turn are sent early once they fill this much, so that one turn cannot grow a buffer without limit. */
const FLUSH_BYTES = 262144;

/** Who this client is and which cluster it expects. */
export interface Credentials {
  /** The role that the key is of. */
  readonly role: Role;
  readonly keyId: string;
  readonly secret: Uint8Array;
  /** 16 random bytes. */
  readonly identity: Uint8Array;
  /** Undefined until the first topology told. */
  clusterId: Uint8Array | undefined;
}

export interface LinkContext {
  readonly ports: ClientPorts;
  readonly settings: Settings;
  readonly credentials: Credentials;
  readonly session: Session;
  readonly scratch: KeyScratch;
  readonly dispatcher: Dispatcher;
  /** Every connection that is not closed. */
  readonly links: Set<Link>;
  /** The last connection closed. */
  onAllClosed(): void;
  /** A frame came from a node that knows a newer topology. */
  onStaleTopology(link: Link): void;
}

/** Who made a connection and hears of its fate. */
export interface LinkOwner {
  onReady(link: Link): void;
  /** It takes no more requests: the node is going away. */
  onDraining(link: Link): void;
  onClosed(link: Link, error: MemDbError): void;
}

type LinkState = 'dialling' | 'handshake' | 'ready' | 'draining' | 'closed';

/**
 * One connection to one node, from its dial to its end: handshake, requests out, replies in. It does not decide
 * anything about operations, the dispatcher does. Hot: `bench -- client` watches it.
 */
export class Link implements ConnectionHandler {
  readonly address: Address;
  readonly queue: OperationList = new OperationList();
  readonly pending: PendingReplies = new PendingReplies();
  owner: LinkOwner;
  /** Who answered, known once it is ready. */
  peer: ClientHandshakeResult | undefined = undefined;
  /** Chunks received; one that stays the same means silence. */
  chunks = 0;
  /** The node did not say anything while an answer was due. Cleared by whatever it says next. */
  isSilent = false;
  /** When it became ready. */
  readyAtMs = 0;
  readonly #context: LinkContext;
  readonly #session: Session;
  readonly #scratch: KeyScratch;
  readonly #maxInFlight: number;
  readonly #out: OutgoingBuffer = new OutgoingBuffer();
  readonly #reader: FrameReader;
  readonly #connection: Connection;
  readonly #dialTimer: Timer;
  #closeTimer: Timer | undefined = undefined;
  #state: LinkState = 'dialling';
  #handshake: ClientHandshake | undefined = undefined;
  #isCongested = false;
  #isFlushPlanned = false;
  /** The operation whose reply is being read. */
  #replying: Operation | undefined = undefined;
  #failure: MemDbError | undefined = undefined;

  constructor(context: LinkContext, address: Address, owner: LinkOwner) {
    this.#context = context;
    this.#session = context.session;
    this.#scratch = context.scratch;
    this.#maxInFlight = context.settings.maxInFlight;
    this.address = address;
    this.owner = owner;
    this.#reader = new FrameReader({ maxFrameBytes: HANDSHAKE_FRAME_BYTES_MAX, onFrame: this.#onFrame });
    this.#dialTimer = context.ports.timers.start(DIAL_MS, () =>
      this.destroy(new MemDbError('unavailable', `${formatAddress(address)} did not answer within ${DIAL_MS} ms.`)),
    );
    context.links.add(this);
    this.#connection = context.ports.transport.connect(address, this);
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  /** The node's number, or its address before it is known; for errors. */
  get node(): number | string {
    return this.peer === undefined || this.peer.nodeNumber === 0 ? formatAddress(this.address) : this.peer.nodeNumber;
  }

  /** Whether both sides know a feature; only once it is ready. */
  hasFeature(feature: number): boolean {
    return this.peer !== undefined && (this.peer.features & feature) !== 0;
  }

  /** Whether a request can be sent now. */
  get hasRoom(): boolean {
    return this.#state === 'ready' && !this.#isCongested && this.pending.inFlight < this.#maxInFlight;
  }

  /** Sends a request; the key of an operation on one key is in the scratch. `hasRoom` must hold. */
  request(operation: Operation, nowMs: number): void {
    const correlation = this.pending.take(operation);
    operation.correlation = correlation;
    operation.heardAt = this.chunks;
    // At least 1: 0 would mean that it may take forever.
    const remainingMs = Math.max(1, Math.round(operation.deadlineAt - nowMs));
    const { counter, epoch } = this.#session;
    const { bytes, view, length } = this.#scratch;
    const out = this.#out;
    if (operation.special !== undefined) {
      // Whatever its opcode, also that of an operation on a key: its body is made already.
      writeFrame(out, operation.opcode, 0, correlation, remainingMs, counter, epoch, operation.special.body);
      if (out.end > FLUSH_BYTES) this.flush();
      else this.#planFlush();
      return;
    }
    switch (operation.opcode) {
      case Opcode.set:
        writeSetRangeRequest(
          out,
          correlation,
          remainingMs,
          counter,
          epoch,
          operation.level,
          bytes,
          view,
          0,
          length,
          operation.value,
          0,
          operation.ttlMs,
        );
        break;
      case Opcode.getMany:
      case Opcode.setMany:
        this.#writeBatch(operation, operation.part as BatchPart, remainingMs);
        break;
      case Opcode.topology:
      case Opcode.ping:
        writeFrame(out, operation.opcode, 0, correlation, remainingMs, counter, epoch);
        break;
      default:
        writeKeyRangeRequest(
          out,
          operation.opcode,
          correlation,
          remainingMs,
          counter,
          epoch,
          operation.level,
          bytes,
          view,
          0,
          length,
        );
    }
    if (out.end > FLUSH_BYTES) this.flush();
    else this.#planFlush();
  }

  /** Writes what was requested since the last flush. */
  flush(): void {
    this.#isFlushPlanned = false;
    if (this.#state === 'closed') return;
    flushTo(this.#out, this.#connection);
    if (this.#connection.retainedBytes() > this.#context.settings.maxRetainedBytes) this.#isCongested = true;
  }

  /** Nobody waits for this operation's reply any more. */
  abandon(operation: Operation): void {
    this.pending.abandon(operation.correlation);
    if (this.pending.abandoned >= ABANDONED_MAX) {
      this.destroy(connectionLostError(this.address, new Error(`${ABANDONED_MAX} requests were never answered`)));
    }
    if (this.#state === 'draining') this.#endWhenIdle();
  }

  /** Takes no more requests, waits for the replies that are owed, then closes; at once when it is not up yet. */
  drain(): void {
    if (this.#state === 'dialling' || this.#state === 'handshake') {
      this.destroy(connectionLostError(this.address, undefined));
    }
    if (this.#state !== 'ready') return;
    this.#state = 'draining';
    this.owner.onDraining(this);
    this.#endWhenIdle();
  }

  /** Closes at once. The operations on it are told now; the owner when the transport says that it is closed. */
  destroy(error: MemDbError): void {
    if (this.#state === 'closed') return;
    this.#failure ??= error;
    this.#reader.stop();
    this.#connection.destroy();
    this.#lose(error);
  }

  onOpen(): void {
    if (this.#state !== 'dialling') return;
    this.#state = 'handshake';
    const { credentials, ports } = this.#context;
    const random = (bytes: Uint8Array): void => ports.random.fill(bytes);
    this.#handshake = new ClientHandshake({ ...credentials, random });
    this.#handshake.start(this.#out);
    this.#planFlush();
  }

  onData(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    this.chunks++;
    this.isSilent = false;
    try {
      this.#reader.push(bytes, view, start, end);
    } catch (error) {
      if (!(error instanceof ProtocolError) && !(error instanceof MemDbError)) throw error;
      this.destroy(error instanceof MemDbError ? error : this.#notUnderstood(error));
      return;
    }
    if (this.queue.length > 0) this.#context.dispatcher.pump(this);
    if (this.#state === 'draining') this.#endWhenIdle();
  }

  onDrain(): void {
    this.#isCongested = false;
    this.#context.dispatcher.pump(this);
  }

  onClose(error?: Error): void {
    const failure = this.#failure ?? connectionLostError(this.address, error);
    this.#lose(failure);
    this.#stopCloseTimer();
    this.#context.links.delete(this);
    this.owner.onClosed(this, failure);
    if (this.#context.links.size === 0) this.#context.onAllClosed();
  }

  readonly #onFrame = (bytes: Uint8Array, view: DataView, frame: number, end: number): void => {
    const session = this.#session;
    session.observe(frameCounter(view, frame));
    const flags = frameFlags(view, frame);
    const opcode = frameOpcode(view, frame);
    if (this.#handshake !== undefined) {
      this.#onHandshakeFrame(this.#handshake, bytes, view, frame, end);
      return;
    }
    if (opcode === Opcode.goodbye) {
      if ((flags & Flag.error) !== 0) this.#failure ??= decodeErrorBody(bytes, view, frame + FRAME_HEADER_BYTES, end);
      this.drain();
      return;
    }
    const operation = this.pending.match(frameCorrelation(view, frame));
    if (operation === undefined) {
      if (this.pending.unmatched === Unmatched.abandoned) return;
      throw new ProtocolError('bad-request', frame, 'a reply to nothing that was asked');
    }
    this.#replying = operation;
    if (operation.opcode !== opcode || (flags & Flag.reply) === 0) {
      throw new ProtocolError('bad-request', frame, 'a reply of another kind than the request');
    }
    this.#context.dispatcher.reply(operation, this, bytes, view, frame, end, flags);
    this.#replying = undefined;
    if (frameEpoch(view, frame) > session.epoch) this.#context.onStaleTopology(this);
  };

  #onHandshakeFrame(handshake: ClientHandshake, bytes: Uint8Array, view: DataView, frame: number, end: number): void {
    const step = handshake.onFrame(bytes, view, frame, end, this.#out);
    switch (step.kind) {
      case 'continue':
        this.#planFlush();
        return;
      case 'failed':
        // The other side is told why before the connection closes.
        this.flush();
        throw step.error;
      case 'done':
        this.peer = step.result;
        this.#handshake = undefined;
        this.#state = 'ready';
        this.readyAtMs = this.#context.ports.clock.monotonicMs();
        this.#reader.setMaxFrameBytes(maxReplyFrameBytes(VALUE_BYTES_HARD_MAX));
        this.#context.ports.timers.stop(this.#dialTimer);
        this.owner.onReady(this);
    }
  }

  #writeBatch(operation: Operation, part: BatchPart, remainingMs: number): void {
    const { counter, epoch } = this.#session;
    const { keys, values } = part.batch;
    const { correlation, level, ttlMs } = operation;
    if (operation.opcode === Opcode.getMany) {
      const chosen = part.indexes.map((index) => keys[index] as Key);
      writeGetManyRequest(this.#out, correlation, remainingMs, counter, epoch, level, chosen);
    } else {
      const chosen = part.indexes.map((index): [Key, Value] => [keys[index] as Key, values[index] as Value]);
      writeSetManyRequest(this.#out, correlation, remainingMs, counter, epoch, level, chosen, 0, ttlMs);
    }
  }

  #planFlush(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    this.#context.dispatcher.turn.planFlush(this);
  }

  #endWhenIdle(): void {
    if (this.pending.inFlight > 0 || this.#closeTimer !== undefined) return;
    this.flush();
    this.#connection.end();
    const give = (): void => this.destroy(connectionLostError(this.address, undefined));
    this.#closeTimer = this.#context.ports.timers.start(CLOSE_MS, give);
  }

  #stopCloseTimer(): void {
    if (this.#closeTimer !== undefined) this.#context.ports.timers.stop(this.#closeTimer);
    this.#closeTimer = undefined;
  }

  #notUnderstood(error: ProtocolError): MemDbError {
    return new MemDbError(
      'connection-lost',
      `${formatAddress(this.address)} sent what is no MemDB reply: ${error.message}`,
      {
        node: formatAddress(this.address),
        cause: error,
      },
    );
  }

  /** Hands everything that waited on this connection back. */
  #lose(error: MemDbError): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#handshake = undefined;
    this.#reader.stop();
    this.#context.ports.timers.stop(this.#dialTimer);
    this.owner.onDraining(this);
    const sent: Operation[] = [];
    if (this.#replying !== undefined) sent.push(this.#replying);
    this.#replying = undefined;
    this.pending.drain((operation) => sent.push(operation));
    const unsent: Operation[] = [];
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) unsent.push(next);
    this.#context.dispatcher.connectionLost(sent, unsent, error);
  }
}

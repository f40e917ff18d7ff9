import {
  ackLsn,
  ackRefusals,
  ackStreamId,
  FRAME_HEADER_BYTES,
  frameBytes,
  Opcode,
  ProtocolError,
  REFUSED_SERIAL,
  RUN_CATCH_UP,
  readCounter,
  STREAM_ACK_HEADER_BYTES,
  STREAM_REFUSAL_BYTES,
  STREAM_RUN_HEADER_BYTES,
  writeStreamRunHeader,
} from '@memdb/protocol';
import type { PeerLink } from '../membership/peer-link.js';
import { STREAM_FRAMES_EAGER, STREAM_RUN_BYTES_MAX, STREAM_WINDOW_BYTES } from '../model/limits.js';
import { RecordKind, recordChecksum, recordSalt } from '../model/record.js';
import type { Timer, Timers } from '../ports/timers.js';
import type { LogCursor } from '../storage/log-cursor.js';
import type { Segment } from '../storage/segment.js';
import type { Store } from '../storage/store.js';

/** Where the stream to one peer stands. */
type StreamState =
  | { readonly kind: 'down' }
  /** The peer misses some of what this node coordinated; the log is read from its cursor on. */
  | { readonly kind: 'catching-up'; readonly cursor: LogCursor }
  /** The peer was sent everything; each turn's records follow. */
  | { readonly kind: 'live' }
  /** The peer could not store; the stream starts again from the cursor when the timer fires. */
  | { readonly kind: 'refused'; readonly timer: Timer };

/** What a look at the log ended with: a full frame, the end of the log, or a record that may not leave yet. */
type Found = 'more' | 'end' | 'held';

/** Wait before a stream that was refused starts again. */
const REFUSED_RETRY_MS = 100;

export interface PeerStreamOptions {
  readonly store: Store;
  readonly timers: Timers;
  /** LSN up to which an earlier run of this node knows everything to be acknowledged. */
  readonly cursor: number;
  /** Whether a record in the log is one that this node coordinated for the peer. */
  readonly concerns: (bytes: Uint8Array, view: DataView, cursor: LogCursor) => boolean;
  /** The peer holds a version newer than the record with this LSN. Called before `onProgress` of the same frame. */
  readonly onRefused: (peer: number, lsn: number, counter: number, serial: boolean) => void;
  readonly onProgress: () => void;
}

/**
 * The stream of this node's own records to one peer: log runs, verbatim, acknowledged by LSN (mechanisms: Catch-up from
 * the log). Live records and catch-up are the same stream; only the source of the next run differs.
 *
 * Invariant: `acknowledgedLsn` is below every LSN coordinated for the peer that it has not acknowledged.
 */
export class PeerStream {
  /** Everything coordinated for the peer up to here is acknowledged. Read on every release: hot. */
  acknowledgedLsn: number;
  readonly #peer: number;
  readonly #options: PeerStreamOptions;
  #link: PeerLink | undefined;
  #state: StreamState = { kind: 'down' };
  #streamId = 0;
  /** Runs of the live stream not sent yet: parallel lists, contiguous records merged. */
  readonly #runSegments: Segment[] = [];
  readonly #runStarts: number[] = [];
  readonly #runEnds: number[] = [];
  readonly #runLastLsns: number[] = [];
  /** What must be on the device before the run leaves; 0: nothing. */
  readonly #runSyncLsns: number[] = [];
  #queuedBytes = 0;
  /** Frames sent and not acknowledged, oldest first. */
  readonly #sentLastLsns: number[] = [];
  readonly #sentBytes: number[] = [];
  #unacknowledgedBytes = 0;
  #sentLsn = 0;

  constructor(peer: number, options: PeerStreamOptions) {
    this.#peer = peer;
    this.#options = options;
    this.acknowledgedLsn = options.cursor;
  }

  get state(): StreamState['kind'] {
    return this.#state.kind;
  }

  /** How many records this node appended since the last one the peer acknowledged: the lag, an upper bound. */
  get lagRecords(): number {
    return this.idle ? 0 : this.#options.store.lastLsn - this.acknowledgedLsn;
  }

  /** The lowest LSN that this stream still reads by its place in the log; a cursor finds its place again by itself. */
  get readLsn(): number {
    return this.#runSegments.length === 0 ? Number.POSITIVE_INFINITY : this.#sentLsn + 1;
  }

  /** Whether the peer acknowledged everything that concerns it. */
  get idle(): boolean {
    return this.#state.kind === 'live' && this.#sentLastLsns.length === 0 && this.#runSegments.length === 0;
  }

  /** The LSN to remember: on an idle stream all that stands in the log, whoever coordinated it. */
  get cursor(): number {
    if (this.idle) this.acknowledgedLsn = this.#options.store.lastLsn;
    return this.acknowledgedLsn;
  }

  /** The link came up: stream from the cursor. */
  open(link: PeerLink): void {
    this.close();
    this.#link = link;
    this.#restart();
  }

  /**
   * Another epoch is in force: what is not acknowledged, and all from `lowestPending` on, is sent again under it, so that
   * every answer that is counted was given in it. The peer skips what it holds.
   */
  onEpoch(lowestPending: number): void {
    this.acknowledgedLsn = Math.min(this.acknowledgedLsn, lowestPending - 1);
    if (this.#state.kind === 'down') return;
    if (this.#state.kind === 'refused') this.#options.timers.stop(this.#state.timer);
    this.#restart();
  }

  close(): void {
    if (this.#state.kind === 'refused') this.#options.timers.stop(this.#state.timer);
    this.#link = undefined;
    this.#state = { kind: 'down' };
    this.#forgetSent();
  }

  /** A record for this peer was appended (`bytes` with its padding). It leaves at the end of the turn. Hot. */
  enqueue(segment: Segment, offset: number, bytes: number, lsn: number): void {
    if (this.#state.kind !== 'live') return;
    const end = offset + bytes;
    const last = this.#runSegments.length - 1;
    this.#queuedBytes += bytes;
    if (last >= 0 && this.#runEnds[last] === offset && this.#runSegments[last] === segment) {
      if (end - this.#runStarts[last] <= STREAM_RUN_BYTES_MAX) {
        this.#runEnds[last] = end;
        this.#runLastLsns[last] = lsn;
        return;
      }
    }
    this.#runSegments.push(segment);
    this.#runStarts.push(offset);
    this.#runEnds.push(end);
    this.#runLastLsns.push(lsn);
    this.#runSyncLsns.push(0);
  }

  /**
   * As `enqueue`, of an entry of a counter: no state of an own one leaves before it is on the device (mechanisms: Counters),
   * nor does what stands behind it in the log, since acknowledgements name a prefix.
   */
  enqueueOwnEntry(segment: Segment, offset: number, bytes: number, lsn: number): void {
    if (this.#state.kind !== 'live') return;
    this.enqueue(segment, offset, bytes, lsn);
    this.#runSyncLsns[this.#runSyncLsns.length - 1] = lsn;
  }

  /**
   * A record that this node had coordinated, and lost in a crash, came back from a peer and stands at the end of the log:
   * it is read from there, since the others may miss it too.
   */
  onReturned(): void {
    if (this.#state.kind === 'live') this.#fallBehind();
  }

  /** End of turn: sends what may be sent now. */
  flush(): void {
    switch (this.#state.kind) {
      case 'live':
        this.#flushLive();
        break;
      case 'catching-up':
        this.#flushCatchUp(this.#state.cursor);
        break;
      case 'down':
      case 'refused':
        break;
    }
  }

  /** A streamAck of the peer: everything up to an LSN is durable there, or refused by name. */
  onAcknowledged(view: DataView, start: number, end: number): void {
    const body = start + FRAME_HEADER_BYTES;
    if (end - body < STREAM_ACK_HEADER_BYTES) throw new ProtocolError('bad-request', start, 'streamAck is cut');
    const refusals = ackRefusals(view, body);
    if (end - body !== STREAM_ACK_HEADER_BYTES + refusals * STREAM_REFUSAL_BYTES) {
      throw new ProtocolError('bad-request', start, `streamAck of ${end - body} bytes names ${refusals} refusals`);
    }
    if (ackStreamId(view, body) !== this.#streamId) return;
    let at = body + STREAM_ACK_HEADER_BYTES;
    for (let index = 0; index < refusals; index++) {
      const serial = view.getUint16(at + 18, true) === REFUSED_SERIAL;
      this.#options.onRefused(this.#peer, readCounter(view, at), readCounter(view, at + 8), serial);
      at += STREAM_REFUSAL_BYTES;
    }
    const lsn = ackLsn(view, body);
    if (lsn > this.#sentLsn) throw new ProtocolError('bad-request', start, `streamAck of LSN ${lsn}, never sent`);
    let frames = 0;
    while (frames < this.#sentLastLsns.length && this.#sentLastLsns[frames] <= lsn) {
      this.#unacknowledgedBytes -= this.#sentBytes[frames];
      frames++;
    }
    if (frames > 0) {
      this.#sentLastLsns.splice(0, frames);
      this.#sentBytes.splice(0, frames);
    }
    if (lsn > this.acknowledgedLsn) this.acknowledgedLsn = lsn;
    this.#options.onProgress();
    this.flush();
  }

  /** The peer refused a run and drops all that follows it on this stream. */
  onStreamRefused(streamId: number): void {
    if (streamId !== this.#streamId || this.#state.kind === 'down' || this.#state.kind === 'refused') return;
    this.#forgetSent();
    this.#state = { kind: 'refused', timer: this.#options.timers.start(REFUSED_RETRY_MS, () => this.#restart()) };
  }

  #restart(): void {
    this.#forgetSent();
    this.#streamId = (this.#streamId + 1) >>> 0;
    this.#sentLsn = this.acknowledgedLsn;
    this.#state = { kind: 'catching-up', cursor: this.#options.store.logCursor(this.acknowledgedLsn) };
    this.flush();
  }

  #forgetSent(): void {
    this.#runSegments.length = 0;
    this.#runStarts.length = 0;
    this.#runEnds.length = 0;
    this.#runLastLsns.length = 0;
    this.#runSyncLsns.length = 0;
    this.#queuedBytes = 0;
    this.#sentLastLsns.length = 0;
    this.#sentBytes.length = 0;
    this.#unacknowledgedBytes = 0;
  }

  #flushLive(): void {
    const link = this.#link;
    if (link === undefined || this.#runSegments.length === 0) return;
    // While a few frames are on their way, small runs wait for an acknowledgement and leave together: the peer's
    // group commit would not be faster for getting them one by one.
    if (this.#sentLastLsns.length >= STREAM_FRAMES_EAGER && this.#queuedBytes < STREAM_RUN_BYTES_MAX) return;
    let sent = 0;
    const { syncedLsn } = this.#options.store;
    while (sent < this.#runSegments.length && this.#unacknowledgedBytes < STREAM_WINDOW_BYTES) {
      if (this.#runSyncLsns[sent] > syncedLsn) break;
      const segment = this.#runSegments[sent];
      const start = this.#runStarts[sent];
      const bytes = this.#runEnds[sent] - start;
      const at = this.#beginRun(link, bytes, segment.generation, start, 0, this.#runLastLsns[sent]);
      link.out.bytes.set(segment.bytes.subarray(start, start + bytes), at);
      this.#queuedBytes -= bytes;
      sent++;
    }
    this.#runSegments.splice(0, sent);
    this.#runStarts.splice(0, sent);
    this.#runEnds.splice(0, sent);
    this.#runLastLsns.splice(0, sent);
    this.#runSyncLsns.splice(0, sent);
    // A peer that does not keep up is caught up from the log: nothing is queued for it without bound.
    if (this.#queuedBytes > STREAM_WINDOW_BYTES) this.#fallBehind();
  }

  #fallBehind(): void {
    this.#runSegments.length = 0;
    this.#runStarts.length = 0;
    this.#runEnds.length = 0;
    this.#runLastLsns.length = 0;
    this.#runSyncLsns.length = 0;
    this.#queuedBytes = 0;
    this.#state = { kind: 'catching-up', cursor: this.#options.store.logCursor(this.#sentLsn) };
  }

  #flushCatchUp(cursor: LogCursor): void {
    const link = this.#link;
    if (link === undefined) return;
    let found: Found = 'more';
    while (found === 'more' && this.#unacknowledgedBytes < STREAM_WINDOW_BYTES)
      found = this.#sendGathered(link, cursor);
    // The cursor stands at the end of the log in this very turn: the next record appended is the first live one.
    if (found === 'end') this.#state = { kind: 'live' };
  }

  /** Gathers records that concern the peer into one frame, as if they stood at offset 0 of generation 0. */
  #sendGathered(link: PeerLink, cursor: LogCursor): Found {
    const { syncedLsn } = this.#options.store;
    let frame = -1;
    let bytes = 0;
    let lastLsn = 0;
    let found: Found = 'more';
    while (bytes < STREAM_RUN_BYTES_MAX) {
      if (!cursor.next()) {
        found = 'end';
        break;
      }
      const segment = cursor.segment;
      if (!this.#options.concerns(segment.bytes, segment.view, cursor)) continue;
      if (cursor.kind === RecordKind.counterEntry && cursor.lsn > syncedLsn) {
        // An own entry that is not on the device: it is gone on with once it is.
        cursor.stepBack();
        found = 'held';
        break;
      }
      if (frame === -1) {
        frame = link.begin(Opcode.streamRun, 0, 0, 0, STREAM_RUN_HEADER_BYTES) - FRAME_HEADER_BYTES;
      }
      const at = link.out.reserve(cursor.bytes);
      link.out.bytes.set(segment.bytes.subarray(cursor.offset, cursor.offset + cursor.bytes), at);
      // Its LSN travels with it, so the salts differ by where it stands only.
      const moved = recordSalt(0, bytes, 0) - recordSalt(segment.generation, cursor.offset, 0);
      link.out.view.setUint32(at + 4, recordChecksum(link.out.view, at) + moved, true);
      bytes += cursor.bytes;
      lastLsn = cursor.lsn;
    }
    if (frame !== -1) {
      const { view } = link.out;
      view.setUint32(frame, frameBytes(view, frame) - 4 + bytes, true);
      writeStreamRunHeader(view, frame + FRAME_HEADER_BYTES, this.#streamId, 0, 0, RUN_CATCH_UP, lastLsn);
      this.#noteSent(bytes, lastLsn);
    }
    return found;
  }

  #beginRun(
    link: PeerLink,
    bytes: number,
    generation: number,
    offset: number,
    options: number,
    lastLsn: number,
  ): number {
    const at = link.begin(Opcode.streamRun, 0, 0, 0, STREAM_RUN_HEADER_BYTES + bytes);
    writeStreamRunHeader(link.out.view, at, this.#streamId, generation, offset, options, lastLsn);
    this.#noteSent(bytes, lastLsn);
    return at + STREAM_RUN_HEADER_BYTES;
  }

  #noteSent(bytes: number, lastLsn: number): void {
    this.#sentLastLsns.push(lastLsn);
    this.#sentBytes.push(bytes);
    this.#unacknowledgedBytes += bytes;
    this.#sentLsn = lastLsn;
  }
}

import { ProtocolError } from './errors.js';
import { FRAME_HEADER_BYTES, FRAME_LENGTH_OVERHEAD, PROTOCOL_VERSION } from './frame.js';

/** Counters stay below 2^53, so the upper word of one stays below 2^21. */
const COUNTER_HIGH_LIMIT = 2 ** 21;
/** A buffer for partial frames that is no larger stays with the reader; a larger one is let go after its frame. */
const PARTIAL_KEEP_BYTES_MAX = 4096;
const PARTIAL_START_BYTES = 256;

const nothing = new Uint8Array(0);
const nothingView = new DataView(nothing.buffer);

export interface FrameReaderOptions {
  /** Longest frame that is handed out, the length field included. */
  readonly maxFrameBytes: number;
  /**
   * A whole frame, `bytes[start, end)`, valid during this call only. `view` covers the same memory. The handler may
   * call `stop` or `setMaxFrameBytes`.
   */
  readonly onFrame: (bytes: Uint8Array, view: DataView, start: number, end: number) => void;
  /**
   * A frame of more than `maxFrameBytes` began: its header stands at `start` and is valid during this call; its body
   * is skipped as it arrives, so that the sender can be told and the connection goes on. Without this handler, and
   * beyond `skipFrameBytesMax`, such a frame is refused by a ProtocolError.
   */
  readonly onFrameTooLarge?: ((view: DataView, start: number, frameBytes: number) => void) | undefined;
  /**
   * Called before frames are handed out, with everything that has arrived from the next one on: several requests may be
   * prepared together. Returns the offset up to which it looked, at least `start`; called again beyond that.
   */
  readonly onAhead?: ((bytes: Uint8Array, view: DataView, start: number, end: number) => number) | undefined;
  /** Longest frame that is skipped, the length field included. Default: none is. */
  readonly skipFrameBytesMax?: number | undefined;
}

/**
 * Cuts a byte stream into frames. Whole frames are handed out where they arrived, nothing is copied. The cut frame at
 * the end of a chunk is kept and moved into the headroom in front of the next chunk (the transport port leaves some);
 * a frame that does not fit there, or needs several more chunks, is gathered in a buffer of its own, which grows with
 * the bytes that arrived: a peer that announces 8 MiB and sends 1 KiB holds 2 KiB. Hot: `bench -- node` watches it.
 */
export class FrameReader {
  readonly #onFrame: FrameReaderOptions['onFrame'];
  readonly #onFrameTooLarge: FrameReaderOptions['onFrameTooLarge'];
  readonly #onAhead: FrameReaderOptions['onAhead'];
  readonly #skipFrameBytesMax: number;
  #maxFrameBytes: number;
  #stopped = false;
  /** The beginning of a frame whose rest has not arrived: the first `#partialBytes` bytes of `#partial`. */
  #partial: Uint8Array = nothing;
  #partialView: DataView = nothingView;
  #partialBytes = 0;
  /** Bytes that are still to come of a frame that is skipped. */
  #skipBytes = 0;

  constructor(options: FrameReaderOptions) {
    this.#onFrame = options.onFrame;
    this.#onFrameTooLarge = options.onFrameTooLarge;
    this.#onAhead = options.onAhead;
    this.#skipFrameBytesMax = options.skipFrameBytesMax ?? 0;
    this.#maxFrameBytes = options.maxFrameBytes;
  }

  /** Takes effect for the next frame, also when it was called from `onFrame`: the handshake has a limit of its own. */
  setMaxFrameBytes(maxFrameBytes: number): void {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** Nothing more is handed out, what is held is let go: the connection is closed. */
  stop(): void {
    this.#stopped = true;
    this.#skipBytes = 0;
    this.#release();
  }

  /** Whether a frame has begun and not ended: a peer that leaves it so for long is to be closed. */
  get midFrame(): boolean {
    return this.#partialBytes > 0 || this.#skipBytes > 0;
  }

  /** Memory held for a frame that has not ended. */
  get heldBytes(): number {
    return this.#partial.length;
  }

  /**
   * Takes `bytes[start, end)`; `bytes[0, start)` may be overwritten. Throws ProtocolError (`frame-too-large`,
   * `bad-request`, `unsupported-version`) for bytes that are no frame; the reader is stopped then.
   */
  push(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    if (this.#stopped) return;
    let at = start;
    if (this.#skipBytes > 0) at = this.#skip(at, end);
    if (this.#partialBytes > 0) at = this.#resume(bytes, at, end);
    let ahead = this.#onAhead === undefined ? end : at;
    while (end - at >= FRAME_HEADER_BYTES && !this.#stopped) {
      if (at >= ahead && this.#onAhead !== undefined) ahead = this.#onAhead(bytes, view, at, end);
      const length = view.getUint32(at, true) + 4;
      if (!this.#isSound(view, at, length)) {
        if (this.#refuse(view, at, FRAME_HEADER_BYTES)) {
          at = this.#skip(at, end);
          continue;
        }
      }
      const next = at + length;
      if (next > end) break;
      this.#onFrame(bytes, view, at, next);
      at = next;
    }
    if (at < end && !this.#stopped) {
      this.#refuse(view, at, end - at);
      this.#keep(bytes, at, end);
    }
  }

  /** The common case of a whole header, in few comparisons. */
  #isSound(view: DataView, at: number, length: number): boolean {
    return (
      length >= FRAME_HEADER_BYTES &&
      length <= this.#maxFrameBytes &&
      view.getUint8(at + 4) === PROTOCOL_VERSION &&
      view.getUint32(at + 20, true) < COUNTER_HIGH_LIMIT
    );
  }

  /**
   * Judges as much of a header as is there. Throws for one that cannot be; returns true when it was complete and its
   * frame is now being skipped, the header included.
   */
  #refuse(view: DataView, at: number, available: number): boolean {
    if (available < 4) return false;
    const length = view.getUint32(at, true) + 4;
    if (length < FRAME_HEADER_BYTES) {
      this.#fail('bad-request', at, `frame length ${length - 4} is below the least, ${FRAME_LENGTH_OVERHEAD}`);
    }
    const tooLarge = length > this.#maxFrameBytes;
    if (tooLarge && (this.#onFrameTooLarge === undefined || length > this.#skipFrameBytesMax)) {
      this.#fail('frame-too-large', at, `frame of ${length} bytes, at most ${this.#maxFrameBytes} are accepted`);
    }
    if (available >= 5 && view.getUint8(at + 4) !== PROTOCOL_VERSION) {
      const version = view.getUint8(at + 4);
      this.#fail('unsupported-version', at + 4, `frame of protocol version ${version}, this is ${PROTOCOL_VERSION}`);
    }
    if (available < FRAME_HEADER_BYTES) return false;
    if (view.getUint32(at + 20, true) >= COUNTER_HIGH_LIMIT) {
      this.#fail('bad-request', at + 16, 'Lamport counter of 2^53 or more');
    }
    if (!tooLarge) return false;
    this.#skipBytes = length;
    this.#onFrameTooLarge?.(view, at, length);
    return true;
  }

  #fail(code: ProtocolError['code'], at: number, message: string): never {
    this.stop();
    throw new ProtocolError(code, at, message);
  }

  #skip(at: number, end: number): number {
    const skipped = Math.min(this.#skipBytes, end - at);
    this.#skipBytes -= skipped;
    return at + skipped;
  }

  /** Keeps the cut frame `bytes[at, end)`. */
  #keep(bytes: Uint8Array, at: number, end: number): void {
    const count = end - at;
    if (this.#partial.length < count) this.#allocate(Math.max(count, PARTIAL_START_BYTES));
    this.#partial.set(bytes.subarray(at, end), 0);
    this.#partialBytes = count;
  }

  /** Goes on with the kept frame; returns where in the chunk to read on, at or before `at`. */
  #resume(bytes: Uint8Array, at: number, end: number): number {
    const held = this.#partialBytes;
    const length = held >= 4 ? this.#partialView.getUint32(0, true) + 4 : 0;
    if (held <= at && length <= held + (end - at)) {
      bytes.set(this.#partial.subarray(0, held), at - held);
      this.#partialBytes = 0;
      if (this.#partial.length > PARTIAL_KEEP_BYTES_MAX) this.#release();
      return at - held;
    }
    return this.#gather(bytes, at, end);
  }

  /** Fills the kept frame from `bytes[at, end)` and hands it out when it is whole; returns what was used up to. */
  #gather(bytes: Uint8Array, at: number, end: number): number {
    let from = at;
    if (this.#partialBytes < FRAME_HEADER_BYTES) {
      from = this.#fill(bytes, from, end, FRAME_HEADER_BYTES);
      if (this.#refuse(this.#partialView, 0, this.#partialBytes)) {
        this.#skipBytes -= this.#partialBytes;
        this.#partialBytes = 0;
        return this.#skip(from, end);
      }
      if (this.#partialBytes < FRAME_HEADER_BYTES) return from;
    }
    const length = this.#partialView.getUint32(0, true) + 4;
    from = this.#fill(bytes, from, end, length);
    if (this.#partialBytes < length) return from;
    const frame = this.#partial;
    const frameView = this.#partialView;
    this.#partialBytes = 0;
    if (frame.length > PARTIAL_KEEP_BYTES_MAX) this.#release();
    this.#onFrame(frame, frameView, 0, length);
    return from;
  }

  /** Moves bytes of the chunk behind the kept ones until there are `target` of them or the chunk ends. */
  #fill(bytes: Uint8Array, from: number, end: number, target: number): number {
    const count = Math.min(target - this.#partialBytes, end - from);
    const needed = this.#partialBytes + count;
    if (needed > this.#partial.length) {
      // Doubling keeps what is held below twice what arrived; no more than the whole frame is ever needed.
      this.#allocate(Math.max(needed, Math.min(target, this.#partial.length * 2)));
    }
    this.#partial.set(bytes.subarray(from, from + count), this.#partialBytes);
    this.#partialBytes = needed;
    return from + count;
  }

  #allocate(capacity: number): void {
    const partial = new Uint8Array(capacity);
    partial.set(this.#partial.subarray(0, this.#partialBytes));
    this.#partial = partial;
    this.#partialView = new DataView(partial.buffer);
  }

  #release(): void {
    this.#partial = nothing;
    this.#partialView = nothingView;
    this.#partialBytes = 0;
  }
}

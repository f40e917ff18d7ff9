import { copyBytes } from './copy-bytes.js';

/** Enough for a handshake, so that ten thousand idle connections hold 10 MB. */
export const OUTGOING_START_BYTES = 1024;
/** Enough for a turn's replies at full depth, 64 × 1 KiB; a buffer that grew up to here stays as it is. */
const OUTGOING_STEADY_BYTES = 65_536;
/** A buffer that grew beyond this for one large burst is let go at once. */
const OUTGOING_KEEP_BYTES_MAX = 1_048_576;
/** So many flushes in a row that used less than a quarter let a grown buffer go. */
const QUIET_FLUSHES_MAX = 16;
/** Up to here a loop over char codes beats the call into the runtime (about 50 ns). */
const SHORT_TEXT_LENGTH_MAX = 14;
/** Beyond this the exact size is counted instead of reserving three bytes for each UTF-16 unit. */
const MEASURED_TEXT_LENGTH = 1024;

/** What `flushTo` needs of a connection; see the transport port's `Connection.write`. */
export interface ByteSink {
  write(bytes: Uint8Array, start: number, end: number): boolean;
}

/**
 * Bytes on their way out: frames are written one behind the other and leave in one write. `bytes` and `view` change
 * whenever `reserve` or an append has to grow: read them again afterwards, and never as in
 * `writeStamp(out.view, out.reserve(12), …)`, which reads `view` first.
 *
 * @example
 * const at = out.reserve(FRAME_HEADER_BYTES);
 * writeFrameHeader(out.view, at, 0, Opcode.ping, 0, 1, 0, counter, epoch);
 * flushTo(out, connection);
 */
export class OutgoingBuffer {
  bytes: Uint8Array;
  view: DataView;
  /** Bytes written so far. Lowering it takes back what was written last. */
  end = 0;
  #text: Buffer | undefined;
  #quietFlushes = 0;

  constructor() {
    this.bytes = new Uint8Array(OUTGOING_START_BYTES);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `length` more bytes; returns where they begin. The room holds old bytes: write all of it. Hot. */
  reserve(length: number): number {
    const at = this.end;
    const end = at + length;
    if (end > this.bytes.length) this.#grow(end);
    this.end = end;
    return at;
  }

  /** Appends a copy of `source`. */
  append(source: Uint8Array): void {
    const at = this.reserve(source.length);
    this.bytes.set(source, at);
  }

  /** Appends `source[start, start + length)`; `sourceView` covers the same memory. Hot. */
  appendRange(source: Uint8Array, sourceView: DataView, start: number, length: number): void {
    const at = this.reserve(length);
    copyBytes(this.bytes, this.view, at, source, sourceView, start, length);
  }

  /** Appends `text` as UTF-8 (a lone surrogate becomes U+FFFD) and returns how many bytes that took. Hot. */
  appendText(text: string): number {
    const length = text.length;
    const at = this.end;
    if (length <= SHORT_TEXT_LENGTH_MAX) {
      this.reserve(length);
      const bytes = this.bytes;
      let index = 0;
      for (; index < length; index++) {
        const code = text.charCodeAt(index);
        if (code > 127) break;
        bytes[at + index] = code;
      }
      if (index === length) return length;
      this.end = at;
    }
    const room = length > MEASURED_TEXT_LENGTH ? Buffer.byteLength(text) : length * 3;
    this.reserve(room);
    this.#text ??= Buffer.from(this.bytes.buffer);
    const written = this.#text.write(text, at, room, 'utf8');
    this.end = at + written;
    return written;
  }

  /** Forgets what was written; the buffer stays. */
  clear(): void {
    this.end = 0;
  }

  /** Leaves the present buffer to whoever kept a reference to it, and begins a fresh one. */
  replace(): void {
    this.bytes = new Uint8Array(Math.min(this.bytes.length, OUTGOING_STEADY_BYTES));
    this.view = new DataView(this.bytes.buffer);
    this.#text = undefined;
    this.#quietFlushes = 0;
    this.end = 0;
  }

  /** Forgets what was written, and lets a buffer that one burst made large go once it is not used any more. */
  clearAndShrink(): void {
    const capacity = this.bytes.length;
    if (capacity > OUTGOING_STEADY_BYTES) {
      if (this.end > capacity / 4 && capacity <= OUTGOING_KEEP_BYTES_MAX) this.#quietFlushes = 0;
      else if (capacity > OUTGOING_KEEP_BYTES_MAX || ++this.#quietFlushes > QUIET_FLUSHES_MAX) this.replace();
    }
    this.end = 0;
  }

  #grow(needed: number): void {
    let capacity = this.bytes.length * 2;
    while (capacity < needed) capacity *= 2;
    const bytes = new Uint8Array(capacity);
    bytes.set(this.bytes.subarray(0, this.end));
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
    this.#text = undefined;
  }
}

/** Sends all of `out` and leaves it empty. Returns whether the bytes were taken (see `Connection.write`). */
export function flushTo(out: OutgoingBuffer, connection: ByteSink): boolean {
  if (out.end === 0) return true;
  const taken = connection.write(out.bytes, 0, out.end);
  if (taken) out.clearAndShrink();
  else out.replace();
  return taken;
}

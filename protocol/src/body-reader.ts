import { BALLOT_BYTES, type Ballot, readBallot } from './ballot.js';
import { decodeErrorBody, errorBodyBytes } from './error-body.js';
import { type MemDbError, ProtocolError } from './errors.js';
import { readCounter } from './frame.js';
import { STAMP_BYTES, stampCounter, stampNode, type WireStamp } from './stamp.js';

/** Reads a body field by field, for everything that is not hot. Throws ProtocolError rather than reading beyond `end`. */
export class BodyReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  /** Where the next field begins. */
  at: number;
  readonly end: number;

  /** `what` names the message in errors. */
  constructor(what: string, bytes: Uint8Array, view: DataView, start: number, end: number) {
    this.#what = what;
    this.#bytes = bytes;
    this.#view = view;
    this.at = start;
    this.end = end;
  }

  /** Moves over `count` bytes and returns where they begin. */
  skip(count: number, field: string): number {
    const at = this.at;
    if (count > this.end - at) this.fail(`${field} of ${count} bytes where ${this.end - at} are left`);
    this.at = at + count;
    return at;
  }
  u8(field: string): number {
    return this.#view.getUint8(this.skip(1, field));
  }
  u16(field: string): number {
    return this.#view.getUint16(this.skip(2, field), true);
  }
  u32(field: string): number {
    return this.#view.getUint32(this.skip(4, field), true);
  }
  /** Below 2^53. */
  u64(field: string): number {
    const value = readCounter(this.#view, this.skip(8, field));
    if (value > Number.MAX_SAFE_INTEGER) this.fail(`${field} of 2^53 or more`);
    return value;
  }
  /** `count` bytes that must be zero. */
  zeros(count: number): void {
    const at = this.skip(count, 'reserved bytes');
    for (let index = at; index < at + count; index++) {
      if (this.#bytes[index] !== 0) this.fail('a reserved byte is not zero');
    }
  }
  /** A copy of the next `count` bytes. */
  bytes(count: number, field: string): Uint8Array {
    const at = this.skip(count, field);
    // Not `this.#bytes.slice`: that of a Buffer shares its memory.
    return Uint8Array.prototype.slice.call(this.#bytes, at, at + count);
  }
  /** Valid UTF-8 without control characters, of at most `maxBytes` bytes. */
  text(count: number, maxBytes: number, field: string): string {
    if (count > maxBytes) this.fail(`${field} of ${count} bytes, at most ${maxBytes} are accepted`);
    const at = this.skip(count, field);
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.#bytes.subarray(at, at + count));
    } catch {
      return this.fail(`${field} is not UTF-8`);
    }
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code < 32 || code === 127) this.fail(`${field} contains a control character`);
    }
    return text;
  }
  stamp(): WireStamp {
    const at = this.skip(STAMP_BYTES, 'stamp');
    const counter = stampCounter(this.#view, at);
    if (counter > Number.MAX_SAFE_INTEGER) this.fail('stamp with a counter of 2^53 or more');
    if (this.#view.getUint16(at + 10, true) !== 0) this.fail('a reserved byte is not zero');
    return { counter, node: stampNode(this.#view, at) };
  }
  /** A byte that is 0 or 1. */
  flag(field: string): boolean {
    const value = this.u8(field);
    if (value > 1) this.fail(`${field} is ${value}`);
    return value === 1;
  }
  ballot(): Ballot {
    const at = this.skip(BALLOT_BYTES, 'ballot');
    const ballot = readBallot(this.#view, at);
    if (ballot.counter > Number.MAX_SAFE_INTEGER) this.fail('ballot with a counter of 2^53 or more');
    if (this.#view.getUint16(at + 10, true) !== 0) this.fail('a reserved byte is not zero');
    return ballot;
  }
  error(): MemDbError {
    const at = this.at;
    const error = decodeErrorBody(this.#bytes, this.#view, at, this.end);
    this.at = at + errorBodyBytes(this.#view, at, this.end);
    return error;
  }
  /** Nothing may follow. */
  finish(): void {
    if (this.at !== this.end) this.fail(`${this.end - this.at} bytes too many`);
  }
  fail(message: string): never {
    throw new ProtocolError('bad-request', this.at, `${this.#what}: ${message}`);
  }
}

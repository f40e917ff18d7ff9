import { ErrorCode, type ErrorCodeName, errorCodeName, errorDefaults, type Outcome } from './error-codes.js';
import { MemDbError, ProtocolError } from './errors.js';
import { ERROR_BODY_FIXED_BYTES, ERROR_MESSAGE_BYTES_MAX } from './limits.js';

/** What an error body says; a `MemDbError` is one. */
export interface ErrorBody {
  readonly code: ErrorCodeName;
  readonly message: string;
  readonly outcome?: Outcome | undefined;
  readonly retryable?: boolean | undefined;
  /** Only a node number travels; anything else becomes 0. */
  readonly node?: string | number | undefined;
}

/** Longest prefix of `bytes[0, end)` that does not cut a UTF-8 character, at most ERROR_MESSAGE_BYTES_MAX bytes. */
function prefixOfWholeCharacters(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= ERROR_MESSAGE_BYTES_MAX) return bytes;
  let end = ERROR_MESSAGE_BYTES_MAX;
  // A byte 10xxxxxx continues the character before it.
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

/**
 * u16 code, u8 outcome, u8 retryable, u16 node number, u16 message bytes, message (PROTOCOL.md, "Error body").
 * A message of more than 512 bytes is cut between characters.
 */
export function encodeErrorBody(error: ErrorBody): Uint8Array {
  const message = prefixOfWholeCharacters(new TextEncoder().encode(error.message));
  const defaults = errorDefaults(error.code);
  const body = new Uint8Array(ERROR_BODY_FIXED_BYTES + message.length);
  const view = new DataView(body.buffer);
  view.setUint16(0, ErrorCode[error.code], true);
  view.setUint8(2, (error.outcome ?? defaults.outcome) === 'not-applied' ? 0 : 1);
  view.setUint8(3, (error.retryable ?? defaults.retryable) ? 1 : 0);
  view.setUint16(4, typeof error.node === 'number' ? error.node : 0, true);
  view.setUint16(6, message.length, true);
  body.set(message, ERROR_BODY_FIXED_BYTES);
  return body;
}

/** Bytes of the error body at `offset`, whose fixed part must lie before `end`. */
export function errorBodyBytes(view: DataView, offset: number, end: number): number {
  if (end - offset < ERROR_BODY_FIXED_BYTES) throw new ProtocolError('bad-request', offset, 'error body is cut');
  const messageBytes = view.getUint16(offset + 6, true);
  if (messageBytes > ERROR_MESSAGE_BYTES_MAX || messageBytes > end - offset - ERROR_BODY_FIXED_BYTES) {
    throw new ProtocolError('bad-request', offset + 6, `error message of ${messageBytes} bytes is cut or too long`);
  }
  return ERROR_BODY_FIXED_BYTES + messageBytes;
}

/**
 * The error whose body begins at `offset`. What a later version may send is understood as far as it can be: an
 * unknown code becomes `not-supported`, an unknown outcome `unknown`, and bytes behind the message are left alone.
 */
export function decodeErrorBody(bytes: Uint8Array, view: DataView, offset: number, end: number): MemDbError {
  const length = errorBodyBytes(view, offset, end);
  const number = view.getUint16(offset, true);
  const code = errorCodeName(number);
  const sent = new TextDecoder().decode(bytes.subarray(offset + ERROR_BODY_FIXED_BYTES, offset + length));
  // The sentence ends up on somebody's terminal, and may come from a peer that has not authenticated.
  const message = sent.replace(/\p{Cc}/gu, ' ');
  const node = view.getUint16(offset + 4, true);
  return new MemDbError(code ?? 'not-supported', code === undefined ? `${message} (error code ${number})` : message, {
    outcome: view.getUint8(offset + 2) === 0 ? 'not-applied' : 'unknown',
    retryable: view.getUint8(offset + 3) === 1,
    node: node === 0 ? undefined : node,
  });
}

/** The outcome of the error whose body begins at `offset` becomes `unknown`: an earlier copy of the request may have been applied. */
export function markUnknown(view: DataView, offset: number): void {
  view.setUint8(offset + 2, 1);
}

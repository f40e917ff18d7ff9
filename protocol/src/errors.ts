import { type ErrorCodeName, errorDefaults, type Outcome } from './error-codes.js';

export interface MemDbErrorOptions {
  /** Default: that of the code. */
  readonly outcome?: Outcome | undefined;
  /** Default: that of the code. */
  readonly retryable?: boolean | undefined;
  /** The node that failed: its number, or its address where the number is unknown. */
  readonly node?: string | number | undefined;
  readonly cause?: unknown;
  /** Of a serial operation: what `resolve` takes. */
  readonly operationId?: string | undefined;
}

/**
 * An expected failure. `code` is stable, `outcome` says what became of the operation, and the message is a sentence
 * that tells a person what to do; never match on it.
 *
 * @example
 * try { await db.set(key, value) } catch (error) {
 *   if (error instanceof MemDbError && error.outcome === 'not-applied' && error.retryable) again();
 * }
 */
export class MemDbError extends Error {
  readonly code: ErrorCodeName;
  /** `not-applied`: had no effect, now or later. `unknown`: may have been applied, or may yet be. */
  readonly outcome: Outcome;
  /** The same request may succeed later or at another node. Whether repeating is safe is what `outcome` says. */
  readonly retryable: boolean;
  readonly node: string | number | undefined;
  readonly operationId: string | undefined;

  constructor(code: ErrorCodeName, message: string, options: MemDbErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MemDbError';
    this.code = code;
    const defaults = errorDefaults(code);
    this.outcome = options.outcome ?? defaults.outcome;
    this.retryable = options.retryable ?? defaults.retryable;
    this.node = options.node;
    this.operationId = options.operationId;
  }
}

/** Codes that a malformed frame is refused with. */
export type ProtocolErrorCode = 'bad-request' | 'frame-too-large' | 'unsupported-version';

/**
 * Bytes that are no frame of this protocol. The connection cannot go on: nobody knows where the next frame begins,
 * or the peer is not what it says.
 */
export class ProtocolError extends Error {
  readonly code: ProtocolErrorCode;
  /** Where, in bytes from the start of the buffer that was read. */
  readonly offset: number;

  constructor(code: ProtocolErrorCode, offset: number, message: string) {
    super(`${message} (at byte ${offset})`);
    this.name = 'ProtocolError';
    this.code = code;
    this.offset = offset;
  }
}

import {
  type ErrorCodeName,
  KEY_BYTES_HARD_MAX,
  MemDbError,
  type Outcome,
  VALUE_BYTES_HARD_MAX,
} from '@memdb/protocol';
import type { Operation } from './operation.js';
import type { Address } from './ports.js';

/** Every failure that the client itself reports: its code, its outcome, and what a person can do. */

/** A request that can have no effect any more: a read never has one, a write only once it was sent. */
function outcomeOfSent(operation: Operation): Outcome {
  return operation.acts ? 'unknown' : 'not-applied';
}

const consequence: Readonly<Record<Outcome, string>> = {
  'not-applied': 'It had no effect.',
  unknown: 'It may have been applied, or may yet be: read the key to find out.',
};

export function badArgument(message: string): MemDbError {
  return new MemDbError('bad-request', message);
}

export function notSupported(message: string): MemDbError {
  return new MemDbError('not-supported', message);
}

/** The node is of a version that does not know `ttlMs`, and would keep the value for good. */
export function noTtlError(node: number | string): MemDbError {
  const message = `Node ${node} runs a version that does not know ttlMs. ${consequence['not-applied']} Upgrade every node first.`;
  return new MemDbError('not-supported', message, { outcome: 'not-applied', node });
}

export function keyError(length: number): MemDbError {
  if (length === 0) return new MemDbError('key-empty', `The key is empty; a key has 1 to ${KEY_BYTES_HARD_MAX} bytes.`);
  return new MemDbError(
    'key-too-large',
    `The key is longer than ${KEY_BYTES_HARD_MAX} bytes, the most any cluster takes; use a shorter one.`,
  );
}

export function valueTooLarge(): MemDbError {
  return new MemDbError(
    'value-too-large',
    `The value is longer than ${VALUE_BYTES_HARD_MAX} bytes, the most any cluster takes; store it in parts.`,
  );
}

export function timeoutError(operation: Operation, isSent: boolean): MemDbError {
  const outcome = isSent ? outcomeOfSent(operation) : 'not-applied';
  const what = isSent ? 'No answer came' : 'The request could not be sent';
  return new MemDbError('timeout', `${what} within ${operation.timeoutMs} ms. ${consequence[outcome]}`, {
    outcome,
    node: operation.link?.node,
  });
}

/** Refused, again and again, until the time was over. Nothing was applied: every attempt was answered so. */
export function gaveUpError(last: MemDbError, attempts: number, timeoutMs: number): MemDbError {
  const tries = attempts === 1 ? 'once' : `${attempts} times`;
  return new MemDbError(last.code, `${last.message} (tried ${tries} within ${timeoutMs} ms)`, {
    outcome: 'not-applied',
    retryable: last.retryable,
    node: last.node,
    cause: last,
  });
}

export function unreachableError(timeoutMs: number, reason: string): MemDbError {
  return new MemDbError('unavailable', `No node of the cluster answered within ${timeoutMs} ms: ${reason}`);
}

export function connectionLostError(address: Address, cause: Error | undefined): MemDbError {
  const why = cause === undefined ? 'it was closed' : cause.message;
  return new MemDbError('connection-lost', `The connection to ${formatAddress(address)} was lost: ${why}.`, {
    node: formatAddress(address),
    cause,
  });
}

/** `lost` as it concerns one operation: only a write can have had an effect. */
export function lostRequestError(operation: Operation, lost: MemDbError): MemDbError {
  const outcome = outcomeOfSent(operation);
  return new MemDbError(lost.code, `${lost.message} ${consequence[outcome]}`, {
    outcome,
    node: lost.node,
    cause: lost.cause,
  });
}

export function silentNodeError(address: Address): MemDbError {
  return new MemDbError('timeout', `The node at ${formatAddress(address)} has gone silent.`, {
    outcome: 'not-applied',
    node: formatAddress(address),
  });
}

export function abortedError(operation: Operation, isSent: boolean): MemDbError {
  const outcome = isSent ? outcomeOfSent(operation) : 'not-applied';
  const when = isSent ? 'after it was sent' : 'before it was sent';
  return new MemDbError('aborted', `The operation was aborted ${when}. ${consequence[outcome]}`, {
    outcome,
    cause: operation.signal?.reason,
  });
}

/** The signal had fired before the operation was called. */
export function abortedBeforeError(signal: AbortSignal): MemDbError {
  const message = `The operation was aborted before it began. ${consequence['not-applied']}`;
  return new MemDbError('aborted', message, { outcome: 'not-applied', cause: signal.reason });
}

export function closedError(): MemDbError {
  const message = `The client is closed. ${consequence['not-applied']}`;
  return new MemDbError('client-closed', message, { outcome: 'not-applied' });
}

export function connectFailedError(
  timeoutMs: number,
  seeds: readonly Address[],
  last: MemDbError | undefined,
): MemDbError {
  const where = seeds.map(formatAddress).join(', ');
  const why = last === undefined ? 'nothing answered' : last.message;
  const advice = 'Check the addresses in the URL, and that the cluster is running.';
  return new MemDbError('unavailable', `No connection to ${where} within ${timeoutMs} ms: ${why} ${advice}`, {
    cause: last,
  });
}

export function queueFullError(maxQueued: number): MemDbError {
  return new MemDbError(
    'queue-full',
    `${maxQueued} operations wait already (option maxQueued). It had no effect: wait for some of them first.`,
  );
}

/** Codes that no amount of trying again will change: somebody has to correct a key, a URL or a version. */
const lasting: ReadonlySet<ErrorCodeName> = new Set<ErrorCodeName>([
  'authentication-failed',
  'not-permitted',
  'unsupported-version',
  'wrong-cluster',
]);

export function isLasting(error: Error | undefined): error is MemDbError {
  return error instanceof MemDbError && lasting.has(error.code);
}

export function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

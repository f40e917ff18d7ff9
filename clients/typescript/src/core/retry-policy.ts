import type { MemDbError } from '@memdb/protocol';
import { backoffMs } from './backoff.js';
import { Form, type Operation } from './operation.js';
import type { Random } from './ports.js';

const RETRY_FIRST_MS = 4;
const RETRY_MAX_MS = 200;
/** Rounds through the replicas before `unavailable` is believed: it should fail fast, not at the deadline. */
const UNAVAILABLE_ROUNDS = 2;

/** Whether another attempt is safe and may help: never for a write that may have been applied. */
export function mayRepeat(operation: Operation, error: MemDbError): boolean {
  return operation.form < Form.topology && error.retryable && (error.outcome === 'not-applied' || !operation.acts);
}

/**
 * Milliseconds until the next attempt of an operation that was answered `error`, or undefined when there is to be
 * none. `replicas` is how many owners a key has.
 */
export function retryDelayMs(
  operation: Operation,
  error: MemDbError,
  replicas: number,
  random: Random,
): number | undefined {
  if (!mayRepeat(operation, error)) return undefined;
  const attempts = operation.attempts + 1;
  if (error.code === 'unavailable' && attempts >= replicas * UNAVAILABLE_ROUNDS) return undefined;
  // The refusal is about this node alone, and another one has not been asked yet.
  const isElsewhere = error.code === 'shutting-down' || error.code === 'not-replica';
  if (isElsewhere && attempts < replicas) return 0;
  return backoffMs(operation.attempts, RETRY_FIRST_MS, RETRY_MAX_MS, random);
}

import {
  ALL_REPLIES,
  KEY_BYTES_HARD_MAX,
  type MemDbError,
  QUORUM_REPLIES,
  REPLICAS_MAX,
  VALUE_BYTES_HARD_MAX,
} from '@memdb/protocol';
import type { Key, Value } from '../options.js';
import { badArgument, keyError, valueTooLarge } from './failures.js';
import { byteLength } from './text.js';

/** Checks of what callers pass. */

export function problemOf(content: unknown): MemDbError | undefined {
  if (typeof content === 'string' || content instanceof Uint8Array) return undefined;
  return badArgument(`keys and values are strings or Uint8Arrays, not ${content === null ? 'null' : typeof content}.`);
}

export function sizeProblem(value: Value): MemDbError | undefined {
  // A character takes at most three bytes: counting them is for values that may come near the limit only.
  if (value.length * 3 <= VALUE_BYTES_HARD_MAX) return undefined;
  return byteLength(value) > VALUE_BYTES_HARD_MAX ? valueTooLarge() : undefined;
}

export function repliesOf(replies: 'quorum' | 'all' | number): number {
  if (replies === 'quorum') return QUORUM_REPLIES;
  if (replies === 'all') return ALL_REPLIES;
  if (Number.isInteger(replies) && replies >= 1 && replies <= REPLICAS_MAX) return replies;
  throw badArgument(`replies must be 'quorum', 'all' or a number from 1 to ${REPLICAS_MAX}, not ${replies}.`);
}

/** The bytes of a scan's prefix, in memory of their own. Throws MemDbError. */
export function prefixOf(prefix: Key): Uint8Array {
  const problem = problemOf(prefix);
  if (problem !== undefined) throw problem;
  if (byteLength(prefix) > KEY_BYTES_HARD_MAX) throw keyError(byteLength(prefix));
  return typeof prefix === 'string' ? new TextEncoder().encode(prefix) : Uint8Array.from(prefix);
}

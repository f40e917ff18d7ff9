import type { ReplyError } from '../replies.js';

/** Why a serial operation is refused, or what became of it is not known. */

/** What a replica tells whoever treats the key as a plain one; the coordinator goes on with a round. */
export const SERIAL_KEY: ReplyError = {
  code: 'serial-key',
  outcome: 'not-applied',
  message: 'the key takes serial operations only: this replica has promised or accepted in a round on it',
};

export const NOT_DURABLE: ReplyError = {
  code: 'not-supported',
  outcome: 'not-applied',
  message: 'serial operations need a durable log: set storage.durability to "sync" or "interval"',
};

export const TOO_MANY_WAITING: ReplyError = {
  code: 'overloaded',
  outcome: 'not-applied',
  message: 'too many serial operations wait for this key; try again in a moment, or spread them over more keys',
};

export const SERIAL_NOT_APPLIED: ReplyError = {
  code: 'timeout',
  outcome: 'not-applied',
  message: 'no majority of the replicas answered before the deadline, and nothing was proposed; try again',
};

export const SERIAL_UNKNOWN: ReplyError = {
  code: 'timeout',
  outcome: 'unknown',
  message:
    'no majority of the replicas accepted before the deadline; the operation may have been applied, or may yet be: ask with resolve(error.operationId)',
};

export const FORGOTTEN: ReplyError = {
  code: 'operation-forgotten',
  outcome: 'unknown',
  message:
    'so many operations followed on this key that nobody knows any more whether this one was applied; read the key to find out',
};

/** The same of one that was sent once: this copy is not applied, and another may be made under a new id. */
export const STALE: ReplyError = {
  code: 'operation-forgotten',
  outcome: 'not-applied',
  message: 'the id of this operation is older than what the key remembers; try again with a new one',
};

export const CANCELLED: ReplyError = {
  code: 'aborted',
  outcome: 'not-applied',
  message: 'this operation had no effect and never will: it was resolved so, or an earlier copy of it compared in vain',
};

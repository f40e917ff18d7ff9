import type { ReplyError } from '../replies.js';

/** Why an add to a counter, or a read of one, is refused. */

export const OVERFLOW: ReplyError = {
  code: 'counter-overflow',
  outcome: 'not-applied',
  message: 'the value of the counter would leave the 64-bit range; nothing was added',
};

export const OUT_OF_RANGE: ReplyError = {
  code: 'counter-overflow',
  outcome: 'not-applied',
  message:
    'adds at several nodes at once have led the value of the counter out of the 64-bit range; subtract until it is back',
};

export const TOO_MANY_ENTRIES: ReplyError = {
  code: 'not-supported',
  outcome: 'not-applied',
  message:
    'the partition of this counter has moved too often: the counter has as many entries as a counter may have; count on under another name',
};

export const ADD_TIMEOUT: ReplyError = {
  code: 'timeout',
  outcome: 'unknown',
  message: 'not enough replicas answered before the deadline; the add may count: do not repeat it blindly',
};

export const TOO_MANY_HELD: ReplyError = {
  code: 'overloaded',
  outcome: 'not-applied',
  message: 'too many answers about counters wait for the disk of this node',
};

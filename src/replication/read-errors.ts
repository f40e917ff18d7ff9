import type { ReplyError } from './replies.js';

/** Why a read is refused, or ends without an answer. */

export const TOO_MANY_READS: ReplyError = {
  code: 'overloaded',
  outcome: 'not-applied',
  message: 'too many quorum reads are under way on this node; try again in a moment',
};

export const DISK_BEHIND: ReplyError = {
  code: 'overloaded',
  outcome: 'not-applied',
  message: 'too many answers wait for the disk of this node; try again in a moment',
};

export const READ_TIMEOUT: ReplyError = {
  code: 'timeout',
  outcome: 'not-applied',
  message: 'not enough replicas answered before the deadline; try again, or raise the timeout',
};

export const READ_UNAVAILABLE: ReplyError = {
  code: 'unavailable',
  outcome: 'not-applied',
  message: 'too few replicas of this key answered; try again, or read with consistency "one"',
};

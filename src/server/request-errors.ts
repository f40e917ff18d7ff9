import { BATCH_ITEMS_MAX, TTL_MS_MAX } from '@memdb/protocol';
import type { ReplyError } from '../replication/replies.js';
import type { RequestLimits } from './client-requests.js';

/** Why requests of clients are refused before anything was stored: the sentences tell what to do. */
function refusal(code: ReplyError['code'], message: string): ReplyError {
  return { code, outcome: 'not-applied', message };
}

export const KEY_EMPTY: ReplyError = refusal('key-empty', 'a key has at least 1 byte');
export const NOT_FOUNDED: ReplyError = refusal(
  'not-founded',
  'the cluster is not formed yet: the founders (cluster.founders, the first entries of cluster.seeds) must all be running',
);
export const NOT_REPLICA: ReplyError = refusal(
  'not-replica',
  'this node holds no replica of the key; refresh the topology',
);
export const NO_SERIAL: ReplyError = refusal(
  'not-supported',
  'counters do not know consistency "serial" in this version',
);
export const NO_OPTIONS: ReplyError = refusal(
  'not-supported',
  'the request has options that this version does not know',
);
export const BAD_CONSISTENCY: ReplyError = refusal('bad-request', 'consistency must be one, quorum, all or serial');
export const BAD_OPERATION_ID: ReplyError = refusal(
  'bad-request',
  'a serial operation that changes a key needs an id of its client, no newer than the counter of its frame',
);
export const CLOCK_AHEAD: ReplyError = refusal(
  'clock-ahead',
  'the session token is more than 2^32 ahead of this node; it was made by another cluster, or is damaged',
);

export const PEERS_ONLY: ReplyError = refusal(
  'not-permitted',
  'only a node may ask this; it needs a key of role "node"',
);

export const ADMINS_ONLY: ReplyError = refusal(
  'not-permitted',
  'only an administrator may ask this; it needs a key of role "admin"',
);
export const NO_PROCESS: ReplyError = refusal('not-supported', 'this node does not own the process that it runs in');

export function notThisNode(meant: string, node: string): ReplyError {
  return refusal('bad-request', `node ${meant} is meant, but this is node ${node}; refresh the topology`);
}

export function unknownOpcode(opcode: number): ReplyError {
  const name = `0x${opcode.toString(16)}`;
  return refusal('bad-request', `this node does not know operation ${name}; it may be older than the client`);
}
export function keyTooLarge(bytes: number, limits: RequestLimits): ReplyError {
  return refusal('key-too-large', `the key has ${bytes} bytes and the limit is ${limits.keyBytesMax} (limits.max_key)`);
}
export function valueTooLarge(bytes: number, limits: RequestLimits): ReplyError {
  const limit = limits.valueBytesMax;
  return refusal('value-too-large', `the value has ${bytes} bytes and the limit is ${limit} (limits.max_value)`);
}
export function tooManyInFlight(limit: number): ReplyError {
  return refusal('overloaded', `more than ${limit} requests of this connection are unanswered (limits.max_inflight)`);
}
export function frameTooLarge(bytes: number): ReplyError {
  return refusal('frame-too-large', `the request has ${bytes} bytes, more than this node reads at once; split it`);
}
export function batchTooLarge(count: number): ReplyError {
  return refusal('batch-too-large', `the batch has ${count} items and the limit is ${BATCH_ITEMS_MAX}; split it`);
}
export function badTtl(ttlMs: number): ReplyError {
  return refusal('bad-request', `ttlMs is ${ttlMs}; it must be from 1 to ${TTL_MS_MAX} milliseconds (10 years)`);
}

import { readCounter, writeCounter } from './frame.js';
import type { WireStamp } from './stamp.js';

/** An operation id on the wire: u64 sequence, below 2^53 · u32 session low · u32 session high. */
export const OPERATION_ID_BYTES = 16;

/** Sessions of clients have the top bit; those without it name a node, and the id is a stamp. */
const CLIENT_SESSION = 0x80000000;

/**
 * Names one serial operation for good: every retry of it carries the same id (PROTOCOL.md, "Operation ids"). The sequence
 * is a Lamport counter, so that what a state has forgotten can be bounded by one number.
 */
export interface OperationId {
  readonly sequence: number;
  readonly sessionLow: number;
  readonly sessionHigh: number;
}

/** The id of a plain write that goes on as a round: the stamp of its latest attempt. */
export function operationIdOfStamp({ counter, node }: WireStamp): OperationId {
  return { sequence: counter, sessionLow: node, sessionHigh: 0 };
}

/** The id of a client's operation; `sessionLow` and `sessionHigh` are random, and the client's own. */
export function clientOperationId(sequence: number, sessionLow: number, sessionHigh: number): OperationId {
  return { sequence, sessionLow: sessionLow >>> 0, sessionHigh: (sessionHigh | CLIENT_SESSION) >>> 0 };
}

/** Whether a client may have made this id. */
export function isClientOperationId(id: OperationId): boolean {
  return id.sessionHigh >= CLIENT_SESSION && id.sequence > 0 && id.sequence <= Number.MAX_SAFE_INTEGER;
}

export function isSameOperation(a: OperationId, b: OperationId): boolean {
  return a.sequence === b.sequence && a.sessionLow === b.sessionLow && a.sessionHigh === b.sessionHigh;
}

export function writeOperationId(view: DataView, offset: number, id: OperationId): void {
  writeCounter(view, offset, id.sequence);
  view.setUint32(offset + 8, id.sessionLow, true);
  view.setUint32(offset + 12, id.sessionHigh, true);
}

export function readOperationId(view: DataView, offset: number): OperationId {
  return {
    sequence: readCounter(view, offset),
    sessionLow: view.getUint32(offset + 8, true),
    sessionHigh: view.getUint32(offset + 12, true),
  };
}

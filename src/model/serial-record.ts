import {
  compareBallots,
  compareStamps,
  SERIAL_FIXED_BYTES,
  SerialContent,
  serialContent,
  serialExpiresAtMs,
  serialIsVote,
  serialPromised,
  serialStamp,
} from '@memdb/protocol';
import {
  kindOf,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordCounter,
  recordExpiresAtMs,
  recordKeyLength,
  recordKindLength,
  recordNode,
} from './record.js';

/** Where the state of the serial record at `offset` begins, behind its key. */
export function serialBodyAt(view: DataView, offset: number): number {
  return offset + RECORD_HEADER_BYTES + recordKeyLength(view, offset);
}

/** Whether the record at `offset` gives its key a value, expired or not, be the key plain or serial. */
export function recordHasValue(view: DataView, offset: number): boolean {
  const kind = kindOf(recordKindLength(view, offset));
  if (kind !== RecordKind.serial) return kind === RecordKind.value;
  const body = serialBodyAt(view, offset);
  // A flipped bit in the key's length leads anywhere.
  return body + SERIAL_FIXED_BYTES <= view.byteLength && serialContent(view, body) === SerialContent.value;
}

/** When the value that the record gives its key expires, Unix milliseconds, be the key plain or serial; 0: never. */
export function valueExpiresAtMs(view: DataView, offset: number): number {
  if (kindOf(recordKindLength(view, offset)) !== RecordKind.serial) return recordExpiresAtMs(view, offset);
  return serialExpiresAtMs(view, serialBodyAt(view, offset));
}

/**
 * Which of two states of one acceptor for one key came later: above 0 when the first did. What was accepted, what was
 * promised and whether it is a vote only ever go up, in this order; equal states came together.
 */
export function compareSerialRecords(view: DataView, offset: number, other: DataView, otherOffset: number): number {
  const counter = recordCounter(view, offset);
  const node = recordNode(view, offset);
  const otherCounter = recordCounter(other, otherOffset);
  const otherNode = recordNode(other, otherOffset);
  const accepted = counter - otherCounter || node - otherNode;
  if (accepted !== 0) return accepted;
  const body = serialBodyAt(view, offset);
  const otherBody = serialBodyAt(other, otherOffset);
  const promised = compareBallots(
    serialPromised(view, body, counter, node),
    serialPromised(other, otherBody, otherCounter, otherNode),
  );
  const vote = promised || Number(serialIsVote(view, body)) - Number(serialIsVote(other, otherBody));
  if (vote !== 0 || counter !== 0) return vote;
  // Under a bare promise the plain version may still be replaced by what is streamed to a joining owner.
  const stamp = serialStamp(view, body, 0, 0);
  const otherStamp = serialStamp(other, otherBody, 0, 0);
  const order = compareStamps(stamp.counter, stamp.node, otherStamp.counter, otherStamp.node);
  return order || serialContent(view, body) - serialContent(other, otherBody);
}

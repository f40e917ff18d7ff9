import { copyBytes, HELD_TOMBSTONE, Opcode, VERSION_EXPIRES, VERSION_HEADER_BYTES, writeStamp } from '@memdb/protocol';
import type { PeerLink } from '../membership/peer-link.js';
import { expiryBytes, RecordKind, writeDeadline } from '../model/record.js';
import { type ReadOperation, recordKindOf } from './read-operation.js';

/** readVersion: asks a replica for its version of the read's key, or whether it is the one held here. Hot. */
export function askVersion(link: PeerLink, operation: ReadOperation, nowMs: number): void {
  const { key, localKind, localCounter, localNode } = operation;
  const bodyBytes = VERSION_HEADER_BYTES + key.length;
  const at = link.begin(Opcode.readVersion, 0, correlationOf(operation), remainingMs(operation, nowMs), bodyBytes);
  const { out } = link;
  const held = localKind === RecordKind.tombstone ? HELD_TOMBSTONE : 0;
  out.view.setUint32(at, held | (key.length << 16), true);
  writeStamp(out.view, at + 4, localCounter, localNode);
  copyBytes(out.bytes, out.view, at + VERSION_HEADER_BYTES, key.bytes, key.view, 0, key.length);
}

/** repair: sends a replica the newest version that the read has seen. */
export function sendNewest(link: PeerLink, operation: ReadOperation, nowMs: number): void {
  const { key, value, kind, counter, node, expiresAtMs } = operation;
  const expiry = expiryBytes(expiresAtMs);
  const bodyBytes = VERSION_HEADER_BYTES + key.length + expiry + value.length;
  const at = link.begin(Opcode.repair, 0, correlationOf(operation), remainingMs(operation, nowMs), bodyBytes);
  const { out } = link;
  const keyAt = at + VERSION_HEADER_BYTES;
  const options = expiry === 0 ? 0 : VERSION_EXPIRES;
  out.view.setUint32(at, recordKindOf(kind) | (options << 8) | (key.length << 16), true);
  writeStamp(out.view, at + 4, counter, node);
  copyBytes(out.bytes, out.view, keyAt, key.bytes, key.view, 0, key.length);
  if (expiry !== 0) writeDeadline(out.view, keyAt + key.length, expiresAtMs);
  copyBytes(out.bytes, out.view, keyAt + key.length + expiry, value.bytes, value.view, 0, value.length);
}

/** What `ReadSlots.named` finds the read by. */
function correlationOf({ use, slot }: ReadOperation): number {
  return ((use << 16) | slot) >>> 0;
}

function remainingMs({ deadlineMs }: ReadOperation, nowMs: number): number {
  return Math.max(1, Math.ceil(deadlineMs - nowMs));
}

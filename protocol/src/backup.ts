import { BodyReader } from './body-reader.js';
import { readCounter, writeCounter } from './frame.js';
import { BACKUP_CHUNK_BYTES_MAX, BACKUP_SEGMENTS_MAX } from './limits.js';
import { formatUuid, parseUuid, UUID_BYTES } from './uuid.js';

/** One segment of a snapshot, as `backupOpen` lists it. */
export interface WireSegment {
  readonly id: number;
  readonly generation: number;
  readonly firstLsn: number;
  /** What belongs to the snapshot lies before this offset. */
  readonly bytes: number;
  /** Bytes of the file that it is to become; what is behind `bytes` is zero there. */
  readonly capacity: number;
}

/** What `backupOpen` answers: the log of one node as it was durable at one moment. */
export interface WireSnapshot {
  /** Names the snapshot in `backupRead` and `backupClose`, at this node until it ends. */
  readonly session: number;
  /** UUID of the node. */
  readonly node: string;
  /** Every record up to here is in the snapshot. */
  readonly lastLsn: number;
  readonly segments: readonly WireSegment[];
}

/** What `backupRead` asks for. */
export interface WireChunk {
  readonly session: number;
  readonly id: number;
  readonly generation: number;
  readonly offset: number;
  readonly length: number;
}

const SNAPSHOT_FIXED_BYTES = 32;
const SEGMENT_BYTES = 24;
const CHUNK_BYTES = 20;

export function encodeSnapshot(snapshot: WireSnapshot): Uint8Array {
  const { session, node, lastLsn, segments } = snapshot;
  const body = new Uint8Array(SNAPSHOT_FIXED_BYTES + segments.length * SEGMENT_BYTES);
  const view = new DataView(body.buffer);
  view.setUint32(0, session, true);
  view.setUint32(4, segments.length, true);
  writeCounter(view, 8, lastLsn);
  body.set(parseUuid(node), 16);
  let at = SNAPSHOT_FIXED_BYTES;
  for (const segment of segments) {
    view.setUint32(at, segment.id, true);
    view.setUint32(at + 4, segment.generation, true);
    writeCounter(view, at + 8, segment.firstLsn);
    view.setUint32(at + 16, segment.bytes, true);
    view.setUint32(at + 20, segment.capacity, true);
    at += SEGMENT_BYTES;
  }
  return body;
}

/** Throws ProtocolError. */
export function decodeSnapshot(bytes: Uint8Array, view: DataView, start: number, end: number): WireSnapshot {
  const body = new BodyReader('snapshot', bytes, view, start, end);
  const session = body.u32('session');
  const count = body.u32('number of segments');
  if (count > BACKUP_SEGMENTS_MAX) body.fail(`${count} segments`);
  const lastLsn = readCounter(view, body.skip(8, 'last LSN'));
  const node = formatUuid(body.bytes(UUID_BYTES, 'node'));
  const segments: WireSegment[] = [];
  for (let index = 0; index < count; index++) {
    const id = body.u32('id');
    const generation = body.u32('generation');
    const firstLsn = readCounter(view, body.skip(8, 'first LSN'));
    const length = body.u32('bytes');
    const capacity = body.u32('capacity');
    if (length > capacity) body.fail(`a segment of ${length} bytes in a file of ${capacity}`);
    segments.push({ id, generation, firstLsn, bytes: length, capacity });
  }
  body.finish();
  return { session, node, lastLsn, segments };
}

export function encodeChunkRequest({ session, id, generation, offset, length }: WireChunk): Uint8Array {
  const body = new Uint8Array(CHUNK_BYTES);
  const view = new DataView(body.buffer);
  view.setUint32(0, session, true);
  view.setUint32(4, id, true);
  view.setUint32(8, generation, true);
  view.setUint32(12, offset, true);
  view.setUint32(16, length, true);
  return body;
}

/** Throws ProtocolError. */
export function decodeChunkRequest(bytes: Uint8Array, view: DataView, start: number, end: number): WireChunk {
  const body = new BodyReader('backupRead', bytes, view, start, end);
  const session = body.u32('session');
  const id = body.u32('id');
  const generation = body.u32('generation');
  const offset = body.u32('offset');
  const length = body.u32('length');
  if (length > BACKUP_CHUNK_BYTES_MAX) body.fail(`a chunk of ${length} bytes`);
  body.finish();
  return { session, id, generation, offset, length };
}

export function encodeSessionRequest(session: number): Uint8Array {
  const body = new Uint8Array(4);
  new DataView(body.buffer).setUint32(0, session, true);
  return body;
}

/** Throws ProtocolError. */
export function decodeSessionRequest(bytes: Uint8Array, view: DataView, start: number, end: number): number {
  const body = new BodyReader('backupClose', bytes, view, start, end);
  const session = body.u32('session');
  body.finish();
  return session;
}

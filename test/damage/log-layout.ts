import { decodeManifest, MANIFEST_PATH } from '../../src/storage/manifest.js';
import { COPY_ID_FIRST, segmentIdOf } from '../../src/storage/segment-header.js';

/** Where a record lies; the LSN of a batch header is that of the record behind it. */
export interface PlacedRecord {
  readonly offset: number;
  readonly end: number;
  readonly isHeader: boolean;
  readonly lsn: number;
}

export interface FileLayout {
  readonly path: string;
  readonly id: number;
  /** `left`: not part of the log any more, and removed by the next start. */
  readonly role: 'named' | 'chain' | 'prepared' | 'left';
  readonly records: readonly PlacedRecord[];
  /** Where the records end; of a named file, where the manifest says so. */
  readonly end: number;
}

export interface LogLayout {
  /** In the order of LSNs. */
  readonly files: readonly FileLayout[];
  /** Everything before this point of the chain is proven durable; a file behind it is not at all. */
  readonly provenId: number;
  readonly provenOffset: number;
}

const HEADER_BYTES = 64;

/** A second, plain reading of docs/log-format.md. Of an undamaged log only. */
export function layoutOf(files: ReadonlyMap<string, Uint8Array>): LogLayout {
  const manifest = decodeManifest(files.get(MANIFEST_PATH) ?? new Uint8Array(0));
  if (manifest === undefined) throw new Error('the sample has no manifest');
  const found: FileLayout[] = [];
  let provenId = 0;
  let provenOffset = 0;
  for (const { id, end } of manifest.segments) {
    const [path, bytes] = fileOf(files, id);
    found.push({ path, id, role: 'named', records: recordsOf(bytes, end), end });
  }
  const named = new Set(manifest.segments.map((segment) => segment.id));
  for (const [path, bytes] of [...files].sort(([left], [right]) => (left < right ? -1 : 1))) {
    const id = segmentIdOf(path.slice(path.lastIndexOf('/') + 1));
    if (id === undefined || named.has(id)) continue;
    if (id >= COPY_ID_FIRST || id < manifest.nextSegmentId) {
      found.push({ path, id, role: 'left', records: [], end: 0 });
      continue;
    }
    const isPrepared = bytes.every((byte) => byte === 0);
    const records = isPrepared ? [] : recordsOf(bytes, bytes.length);
    const end = records.at(-1)?.end ?? HEADER_BYTES;
    found.push({ path, id, role: isPrepared ? 'prepared' : 'chain', records, end });
    const view = viewOf(bytes);
    for (const { isHeader, offset } of records) {
      if (!isHeader) continue;
      provenId = view.getUint32(offset + 32, true);
      provenOffset = view.getUint32(offset + 36, true);
    }
  }
  return { files: found, provenId, provenOffset };
}

function fileOf(files: ReadonlyMap<string, Uint8Array>, id: number): [string, Uint8Array] {
  for (const [path, bytes] of files)
    if (segmentIdOf(path.slice(path.lastIndexOf('/') + 1)) === id) return [path, bytes];
  throw new Error(`the sample has no segment ${id}`);
}

function recordsOf(bytes: Uint8Array, end: number): PlacedRecord[] {
  const view = viewOf(bytes);
  const records: PlacedRecord[] = [];
  let size = 0;
  for (let offset = HEADER_BYTES; offset + 12 <= end; offset += size) {
    const word = view.getUint32(offset + 8, true);
    if (word === 0) break;
    size = ((word & 0x0fffffff) + 3) & ~3;
    records.push({ offset, end: offset + size, isHeader: word >>> 28 === 1, lsn: view.getUint32(offset, true) });
  }
  return records;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

import { expandFile } from '../../src/platform/expand-file.js';
import { decodeManifest, MANIFEST_PATH } from '../../src/storage/manifest.js';
import { COPY_ID_FIRST, segmentFile, segmentIdOf } from '../../src/storage/segment-header.js';

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
  /** Records and their end are those of what it holds, not of the file itself. */
  readonly isCompressed: boolean;
}

export interface LogLayout {
  /** In the order of LSNs. */
  readonly files: readonly FileLayout[];
  /** Everything before this point of the chain is proven durable; a file behind it is not at all. */
  readonly provenId: number;
  readonly provenOffset: number;
}

const HEADER_BYTES = 64;
const COMPRESSED_HEADER_BYTES = 32;

/** A second, plain reading of docs/log-format.md. Of an undamaged log only. */
export function layoutOf(files: ReadonlyMap<string, Uint8Array>): LogLayout {
  const manifest = decodeManifest(files.get(MANIFEST_PATH) ?? new Uint8Array(0));
  if (manifest === undefined) throw new Error('the sample has no manifest');
  const found: FileLayout[] = [];
  let provenId = 0;
  let provenOffset = 0;
  for (const { id, end, compressed: isCompressed } of manifest.segments) {
    const path = segmentFile({ id, compressed: isCompressed });
    const bytes = files.get(path);
    if (bytes === undefined) throw new Error(`the sample has no file ${path}`);
    const content = isCompressed ? expandFile(path, bytes) : bytes;
    found.push({ path, id, role: 'named', records: recordsOf(content, end), end, isCompressed });
  }
  const named = new Set(found.map(({ path }) => path));
  for (const [path, bytes] of [...files].sort(([left], [right]) => (left < right ? -1 : 1))) {
    const id = segmentIdOf(path.slice(path.lastIndexOf('/') + 1));
    if (id === undefined || named.has(path)) continue;
    if (id >= COPY_ID_FIRST || id < manifest.nextSegmentId) {
      found.push({ path, id, role: 'left', records: [], end: 0, isCompressed: false });
      continue;
    }
    const isPrepared = bytes.every((byte) => byte === 0);
    const records = isPrepared ? [] : recordsOf(bytes, bytes.length);
    const end = records.at(-1)?.end ?? HEADER_BYTES;
    found.push({ path, id, role: isPrepared ? 'prepared' : 'chain', records, end, isCompressed: false });
    const view = viewOf(bytes);
    for (const { isHeader, offset } of records) {
      if (!isHeader) continue;
      provenId = view.getUint32(offset + 32, true);
      provenOffset = view.getUint32(offset + 36, true);
    }
  }
  return { files: found, provenId, provenOffset };
}

/** Where the blocks of a compressed file begin. */
export function blocksOf(image: Uint8Array): number[] {
  const view = viewOf(image);
  const starts: number[] = [];
  for (let at = COMPRESSED_HEADER_BYTES; at < image.length; at += 8 + (view.getUint32(at, true) & 0x7fffffff)) {
    starts.push(at);
  }
  return starts;
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

import { type Disk, DiskError, type DiskFile } from '../ports/disk.js';
import { CORRUPTION_ADVICE, type Manifest, type ManifestSegment } from './manifest.js';
import {
  COPY_ID_FIRST,
  compressedIdOf,
  compressedPath,
  isRepairFile,
  LOG_DIRECTORY,
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentIdOf,
  segmentPath,
} from './segment-header.js';
import type { PreparedFile } from './segment-supply.js';
import type { StartReader } from './start-reader.js';
import { StorageError } from './storage-error.js';

/** A file whose header says that it was in use. */
export interface UsedFile {
  readonly header: SegmentHeader;
  readonly file: DiskFile;
}

/** What a start finds in the log's folder, by what the manifest and the headers say. Each list is in order of ids. */
export interface LogFilesFound {
  /** Younger than the manifest, with a valid header. */
  readonly used: UsedFile[];
  /** Younger than the manifest, with a header of zeros: prepared, or the header never reached the device. */
  readonly unused: PreparedFile[];
  /** Younger than the manifest, with a header that does not verify. */
  readonly damaged: PreparedFile[];
  /** Paths of files that are not part of the log: a crash came before their removal. */
  readonly leftovers: string[];
  /** The ids for the next file in the chain and for the next copy. */
  readonly nextId: number;
  readonly nextCopyId: number;
}

export function corrupt(file: string, offset: number, what: string): StorageError {
  return new StorageError('corrupt', file, offset, `${file}: ${what} at byte ${offset}. ${CORRUPTION_ADVICE}`);
}

/**
 * Throws `corrupt` for a file that is missing or shorter than it ever was, and `unsupported-format` for a later
 * version's.
 */
export function findLogFiles(disk: Disk, manifest: Manifest): LogFilesFound {
  const named = new Map(manifest.segments.map((segment) => [segment.id, segment.compressed] as const));
  const found = { used: [], unused: [], damaged: [], leftovers: [] as string[] };
  let nextId = manifest.nextSegmentId;
  let nextCopyId = COPY_ID_FIRST;
  const names = disk.list(LOG_DIRECTORY);
  const ids = names.map(segmentIdOf);
  found.leftovers.push(...names.filter(isRepairFile).map((name) => `${LOG_DIRECTORY}/${name}`));
  for (const id of names.map(compressedIdOf)) {
    if (id === undefined) continue;
    if (id >= nextCopyId) nextCopyId = id + 1;
    if (named.get(id) !== true) found.leftovers.push(compressedPath(id));
  }
  for (const id of ids.filter((known) => known !== undefined).sort((left, right) => left - right)) {
    const isCopy = id >= COPY_ID_FIRST;
    if (isCopy && id >= nextCopyId) nextCopyId = id + 1;
    if (named.get(id) === false) continue;
    if (isCopy || id < manifest.nextSegmentId) {
      found.leftovers.push(segmentPath(id));
    } else {
      if (id !== nextId)
        throw corrupt(segmentPath(nextId), 0, `the file is missing, although ${segmentPath(id)} is there,`);
      nextId = id + 1;
      classify(disk, id, found);
    }
  }
  return { ...found, nextId, nextCopyId };
}

function classify(disk: Disk, id: number, found: Pick<LogFilesFound, 'used' | 'unused' | 'damaged'>): void {
  const path = segmentPath(id);
  const file = disk.open(path);
  const size = file.size();
  const header = readHeader(file);
  if (header === 'unused') {
    found.unused.push({ id, file, bytes: size });
  } else if (header === 'damaged' || header.id !== id) {
    found.damaged.push({ id, file, bytes: size });
  } else {
    if (size !== header.capacity)
      throw corrupt(path, size, `the file ends, but its header says ${header.capacity} bytes,`);
    found.used.push({ header, file });
  }
}

function readHeader(file: DiskFile): SegmentHeader | 'unused' | 'damaged' {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  const count = file.read(bytes, 0, SEGMENT_HEADER_BYTES, 0);
  if (count < SEGMENT_HEADER_BYTES) throw corrupt(file.path, count, 'the file ends inside the header');
  const header = readSegmentHeader(new DataView(bytes.buffer));
  if (header !== 'unsupported') return header;
  throw new StorageError(
    'unsupported-format',
    file.path,
    8,
    `${file.path} was written by a later version. Start that one.`,
  );
}

/**
 * The start of a segment that the manifest names, up to its end, and the size of its file. Throws `corrupt` when it is not
 * there as a whole, `no-codec` when it is compressed and nothing is installed that reads it.
 */
export function readNamed(
  disk: Disk,
  segment: ManifestSegment,
  reader: StartReader,
): { readonly memory: ArrayBuffer; readonly fileBytes: number } {
  if (segment.compressed) return readCompressed(disk, segment);
  const file = openNamed(disk, segment);
  try {
    const memory = new ArrayBuffer(segment.end);
    reader.load(file, new Uint8Array(memory), true);
    return { memory, fileBytes: file.size() };
  } finally {
    file.close();
  }
}

function readCompressed(
  disk: Disk,
  segment: ManifestSegment,
): { readonly memory: ArrayBuffer; readonly fileBytes: number } {
  const path = compressedPath(segment.id);
  let content: Uint8Array;
  try {
    content = disk.readCompressed(path);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    if (error.kind === 'missing') throw corrupt(path, 0, 'the file is missing');
    if (error.kind === 'damaged')
      throw new StorageError('corrupt', path, error.offset, `${error.message}. ${CORRUPTION_ADVICE}`, error);
    if (error.kind === 'no-codec') throw new StorageError('no-codec', path, 0, error.message, error);
    throw error;
  }
  const { buffer } = content;
  const header = readSegmentHeader(new DataView(buffer));
  if (content.length !== segment.end || !isHeaderOf(header, segment)) throw corrupt(path, 0, 'it holds something else');
  const file = disk.open(path);
  const fileBytes = file.size();
  file.close();
  return { memory: buffer as ArrayBuffer, fileBytes };
}

/** Opens a segment that the manifest names. Throws `corrupt` when it is not there as a whole. */
function openNamed(disk: Disk, segment: ManifestSegment): DiskFile {
  const path = segmentPath(segment.id);
  let file: DiskFile;
  try {
    file = disk.open(path);
  } catch (error) {
    if (error instanceof DiskError && error.kind === 'missing') throw corrupt(path, 0, 'the file is missing');
    throw error;
  }
  if (file.size() < segment.end) throw corrupt(path, file.size(), `the file ends before byte ${segment.end},`);
  if (!isHeaderOf(readHeader(file), segment)) throw corrupt(path, 0, 'the header is damaged');
  return file;
}

function isHeaderOf(header: ReturnType<typeof readSegmentHeader>, segment: ManifestSegment): boolean {
  return (
    typeof header === 'object' &&
    header.id === segment.id &&
    header.generation === segment.generation &&
    header.firstLsn === segment.firstLsn
  );
}

/** What segments may not exceed: a power of two. */
export function largestSegment(segmentBytes: number, manifest: Manifest, used: readonly UsedFile[]): number {
  let largest = segmentBytes;
  for (const { header } of used) while (largest < header.capacity) largest *= 2;
  for (const { end } of manifest.segments) while (largest < end) largest *= 2;
  return largest;
}

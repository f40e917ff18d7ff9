import { type Disk, DiskError, type DiskFile } from '../ports/disk.js';
import { CORRUPTION_ADVICE, type Manifest, type ManifestSegment } from './manifest.js';
import {
  COPY_ID_FIRST,
  LOG_DIRECTORY,
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentIdOf,
  segmentPath,
} from './segment-header.js';
import type { PreparedFile } from './segment-supply.js';
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
  /** Not part of the log any more: a crash came before their removal. */
  readonly leftovers: number[];
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
  const named = new Set(manifest.segments.map((segment) => segment.id));
  const found = { used: [], unused: [], damaged: [], leftovers: [] as number[] };
  let nextId = manifest.nextSegmentId;
  let nextCopyId = COPY_ID_FIRST;
  const ids = disk.list(LOG_DIRECTORY).map(segmentIdOf);
  for (const id of ids.filter((known) => known !== undefined).sort((left, right) => left - right)) {
    const isCopy = id >= COPY_ID_FIRST;
    if (isCopy) nextCopyId = id + 1;
    if (named.has(id)) continue;
    if (isCopy || id < manifest.nextSegmentId) {
      found.leftovers.push(id);
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
    found.unused.push({ id, file });
  } else if (header === 'damaged' || header.id !== id) {
    found.damaged.push({ id, file });
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

/** Opens a segment that the manifest names. Throws `corrupt` when it is not there as a whole. */
export function openNamed(disk: Disk, segment: ManifestSegment): DiskFile {
  const path = segmentPath(segment.id);
  let file: DiskFile;
  try {
    file = disk.open(path);
  } catch (error) {
    if (error instanceof DiskError && error.kind === 'missing') throw corrupt(path, 0, 'the file is missing');
    throw error;
  }
  if (file.size() < segment.end) throw corrupt(path, file.size(), `the file ends before byte ${segment.end},`);
  const header = readHeader(file);
  const expected =
    typeof header === 'object' &&
    header.id === segment.id &&
    header.generation === segment.generation &&
    header.firstLsn === segment.firstLsn;
  if (!expected) throw corrupt(path, 0, 'the header is damaged');
  return file;
}

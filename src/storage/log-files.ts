import { type Disk, DiskError, type DiskFile } from '../ports/disk.js';
import { CORRUPTION_ADVICE, type Manifest, type ManifestSegment } from './manifest.js';
import {
  LOG_DIRECTORY,
  readSegmentHeader,
  SEGMENT_BY_MANIFEST,
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
  /** Above every id that was ever seen here. */
  readonly nextId: number;
}

export function corrupt(file: string, offset: number, what: string): StorageError {
  return new StorageError('corrupt', file, offset, `${file}: ${what} at byte ${offset}. ${CORRUPTION_ADVICE}`);
}

/** Throws `corrupt` for a file that is shorter than it ever was, and `unsupported-format` for a later version's. */
export function findLogFiles(disk: Disk, manifest: Manifest): LogFilesFound {
  const named = new Set(manifest.segments.map((segment) => segment.id));
  const found: LogFilesFound = { used: [], unused: [], damaged: [], leftovers: [], nextId: 0 };
  let highest = manifest.nextSegmentId - 1;
  for (const name of disk.list(LOG_DIRECTORY)) {
    const id = segmentIdOf(name);
    if (id === undefined) continue;
    highest = Math.max(highest, id);
    if (named.has(id)) continue;
    if (id < manifest.nextSegmentId) found.leftovers.push(id);
    else classify(disk, id, found);
  }
  for (const id of named) highest = Math.max(highest, id);
  return { ...found, nextId: highest + 1 };
}

function classify(disk: Disk, id: number, found: LogFilesFound): void {
  const path = segmentPath(id);
  const file = disk.open(path);
  const size = file.size();
  const header = readHeader(file);
  if (header === 'unused') {
    found.unused.push({ id, file });
  } else if (header === 'damaged' || header.id !== id) {
    found.damaged.push({ id, file });
  } else if ((header.flags & SEGMENT_BY_MANIFEST) !== 0) {
    file.close();
    found.leftovers.push(id);
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

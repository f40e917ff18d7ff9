import { contentHash } from '../model/content-hash.js';
import type { Disk } from '../ports/disk.js';
import type { Catalog } from './catalog.js';
import { decodePlacement, PLACEMENT_META } from './placement.js';
import { LOG_DIRECTORY } from './segment-header.js';
import { StorageError } from './storage-error.js';

export const MANIFEST_PATH: string = `${LOG_DIRECTORY}/MANIFEST`;

const MAGIC_LOW = 0x444d454d; // "MEMD"
const MAGIC_HIGH = 0x4e414d42; // "BMAN"
const VERSION_AT = 8;
const VERSION = 3;
const HEADER_BYTES = 48;
const ENTRY_BYTES = 24;
const COMPRESSED_FLAG = 1;
const CHECKSUM_BYTES = 4;
const TWO_32 = 4294967296;

/** A segment that is complete: all of `[64, end)` is durable, whatever lies behind does not count. */
export interface ManifestSegment {
  readonly id: number;
  readonly generation: number;
  readonly firstLsn: number;
  readonly end: number;
  /** The file holds `[0, end)` compressed. */
  readonly compressed: boolean;
}

/** What the log consists of when this was written; the chain that follows is found by the headers of its segments. */
export interface Manifest {
  /** In the order of their LSNs, which do not overlap. */
  readonly segments: readonly ManifestSegment[];
  /** The chain goes on in this file. Files below this id that are not named above are left over and are removed. */
  readonly nextSegmentId: number;
  /** What that file says of the one before it, which may be gone since. */
  readonly previous: { readonly id: number; readonly end: number };
  /** LSN of its first record: what is named above may end earlier, once the newest records were superseded. */
  readonly nextLsn: number;
  /** The placement that the index was built for; 0 partitions when it is not known yet. */
  readonly partitions: number;
  readonly hashSeed: number;
  /** Keys in the index when this was written, see `SegmentHeader.keysHint`. */
  readonly keysHint: number;
}

/** The part of a manifest that lets a start make the index in its final form from the first key on. */
export type ManifestPlacement = Pick<Manifest, 'partitions' | 'hashSeed' | 'keysHint'>;

export function manifestPlacement(catalog: Catalog): ManifestPlacement {
  const placement = decodePlacement(catalog.meta(PLACEMENT_META));
  return {
    partitions: placement?.partitions ?? 0,
    hashSeed: placement?.hashSeed ?? 0,
    keysHint: catalog.keys + catalog.tombstones,
  };
}

export const EMPTY_MANIFEST: Manifest = {
  segments: [],
  nextSegmentId: 1,
  previous: { id: 0, end: 0 },
  nextLsn: 1,
  partitions: 0,
  hashSeed: 0,
  keysHint: 0,
};

/** docs/log-format.md, "Manifest". */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + manifest.segments.length * ENTRY_BYTES + CHECKSUM_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC_LOW, true);
  view.setUint32(4, MAGIC_HIGH, true);
  view.setUint32(VERSION_AT, VERSION, true);
  view.setUint32(12, manifest.segments.length, true);
  view.setUint32(16, manifest.nextSegmentId, true);
  view.setUint32(20, manifest.partitions, true);
  view.setUint32(24, manifest.hashSeed, true);
  view.setUint32(28, manifest.keysHint, true);
  view.setUint32(32, manifest.previous.id, true);
  view.setUint32(36, manifest.previous.end, true);
  view.setUint32(40, manifest.nextLsn % TWO_32, true);
  view.setUint32(44, Math.floor(manifest.nextLsn / TWO_32), true);
  let at = HEADER_BYTES;
  for (const segment of manifest.segments) {
    view.setUint32(at, segment.id, true);
    view.setUint32(at + 4, segment.generation, true);
    view.setUint32(at + 8, segment.firstLsn % TWO_32, true);
    view.setUint32(at + 12, Math.floor(segment.firstLsn / TWO_32), true);
    view.setUint32(at + 16, segment.end, true);
    view.setUint32(at + 20, segment.compressed ? COMPRESSED_FLAG : 0, true);
    at += ENTRY_BYTES;
  }
  view.setInt32(at, contentHash(view, 0, at), true);
  return bytes;
}

/** Undefined when the bytes are not a whole, undamaged manifest. Throws `unsupported-format` for another version's. */
export function decodeManifest(bytes: Uint8Array): Manifest | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - CHECKSUM_BYTES;
  // Magic and version stand there in every version, the checksum at the end; the header may have been shorter.
  if (end < VERSION_AT + 4 || bytes.length % 4 !== 0) return undefined;
  if (view.getUint32(0, true) !== MAGIC_LOW || view.getUint32(4, true) !== MAGIC_HIGH) return undefined;
  if (view.getInt32(end, true) !== contentHash(view, 0, end)) return undefined;
  const version = view.getUint32(VERSION_AT, true);
  if (version !== VERSION) {
    const message = `${MANIFEST_PATH} has format ${version}, and this version of MemDB reads format ${VERSION}. Start the version that wrote it. To move the data to this one, take a backup there (memdb backup) and restore it here (memdb restore).`;
    throw new StorageError('unsupported-format', MANIFEST_PATH, VERSION_AT, message);
  }
  if (end < HEADER_BYTES) return undefined;
  const count = view.getUint32(12, true);
  if (end !== HEADER_BYTES + count * ENTRY_BYTES) return undefined;
  const segments: ManifestSegment[] = [];
  for (let at = HEADER_BYTES; at < end; at += ENTRY_BYTES) {
    segments.push({
      id: view.getUint32(at, true),
      generation: view.getUint32(at + 4, true),
      firstLsn: view.getUint32(at + 8, true) + view.getUint32(at + 12, true) * TWO_32,
      end: view.getUint32(at + 16, true),
      compressed: (view.getUint32(at + 20, true) & COMPRESSED_FLAG) !== 0,
    });
  }
  return {
    segments,
    nextSegmentId: view.getUint32(16, true),
    partitions: view.getUint32(20, true),
    hashSeed: view.getUint32(24, true),
    keysHint: view.getUint32(28, true),
    previous: { id: view.getUint32(32, true), end: view.getUint32(36, true) },
    nextLsn: view.getUint32(40, true) + view.getUint32(44, true) * TWO_32,
  };
}

/** The manifest of this directory; undefined when there is none. Throws `corrupt` when it is damaged. */
export function readManifest(disk: Disk): Manifest | undefined {
  if (!disk.exists(MANIFEST_PATH)) return undefined;
  const manifest = decodeManifest(disk.read(MANIFEST_PATH));
  if (manifest !== undefined) return manifest;
  throw new StorageError('corrupt', MANIFEST_PATH, 0, `${MANIFEST_PATH} is damaged. ${CORRUPTION_ADVICE}`);
}

/** What a person can do about a log that is not to be trusted. */
export const CORRUPTION_ADVICE: string =
  'Acknowledged data may be lost here, so the node does not start; its replicas go on without it. Put the undamaged file ' +
  'back into this very directory (`memdb log verify FILE` checks it), never an older copy of the directory, and start ' +
  'again. Keep the damaged directory: a node with an emptied one is not admitted to its cluster again yet.';

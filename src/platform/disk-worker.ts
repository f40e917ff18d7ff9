import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { type CompressedPlace, DiskError, type DiskErrorKind } from '../ports/disk.js';
import { compressImage } from './compressed-image.js';
import { codecFor, expandFilePart } from './expand-file.js';

/** A file to make. The name appears only when the file is whole: it is made as `temporaryPath` and renamed. */
interface FileRequest {
  readonly id: number;
  readonly path: string;
  readonly temporaryPath: string;
  readonly bytes: number;
}

export type DiskRequest =
  /** A file of so many zeros. */
  | (FileRequest & { readonly kind: 'preallocate' })
  /** The first so many bytes of the file `from`, compressed. */
  | (FileRequest & { readonly kind: 'compress'; readonly from: string })
  /** About so many bytes of the content of a compressed file, from `place` on. */
  | {
      readonly kind: 'expand';
      readonly id: number;
      readonly path: string;
      /** For messages. */
      readonly name: string;
      readonly place: CompressedPlace;
      readonly bytes: number;
    };

export interface DiskReply {
  readonly id: number;
  /** Size of the file. */
  readonly bytes: number;
  /** What was expanded, and where it goes on. */
  readonly expanded?: { readonly content: Uint8Array; readonly next: CompressedPlace };
  /** Absent when the file and its name are durable, or were read. */
  readonly error?: DiskReplyError;
}

/** A failure as it crosses from one thread to the other. `kind` and `offset` when it is one that the port knows. */
export interface DiskReplyError {
  readonly code: string;
  readonly message: string;
  readonly kind?: DiskErrorKind;
  readonly offset?: number;
}

/** Real zeros: blocks that `fallocate` reserves still cost a metadata write at the first sync that touches them. */
const zeros = new Uint8Array(1024 * 1024);

parentPort?.on('message', (request: DiskRequest) => {
  const reply = perform(request);
  parentPort?.postMessage(reply, reply.expanded === undefined ? [] : [reply.expanded.content.buffer as ArrayBuffer]);
});

function perform(request: DiskRequest): DiskReply {
  try {
    if (request.kind === 'expand') {
      const expanded = expand(request.path, request.name, request.place, request.bytes);
      return { id: request.id, bytes: expanded.content.length, expanded };
    }
    const bytes = request.kind === 'preallocate' ? writeZeros(request) : writeCompressed(request.from, request);
    renameSync(request.temporaryPath, request.path);
    syncPath(dirname(request.path));
    return { id: request.id, bytes };
  } catch (error) {
    if (request.kind !== 'expand') rmSync(request.temporaryPath, { force: true });
    return { id: request.id, bytes: 0, error: replyError(error) };
  }
}

function replyError(error: unknown): DiskReplyError {
  if (error instanceof DiskError) {
    const { kind, message, offset } = error;
    return { code: '', kind, message, offset };
  }
  const { code = '', message } = error as NodeJS.ErrnoException;
  return { code, message };
}

function expand(path: string, name: string, place: CompressedPlace, bytes: number): NonNullable<DiskReply['expanded']> {
  const descriptor = openSync(path, 'r');
  try {
    const read = (at: number, length: number): Uint8Array => readUpTo(descriptor, at, length);
    return expandFilePart(name, read, place, bytes);
  } finally {
    closeSync(descriptor);
  }
}

function writeZeros({ temporaryPath, bytes }: FileRequest): number {
  const descriptor = openSync(temporaryPath, 'w', 0o600);
  try {
    for (let written = 0; written < bytes; ) {
      written += writeSync(descriptor, zeros, 0, Math.min(zeros.length, bytes - written), written);
    }
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return bytes;
}

function writeCompressed(from: string, { temporaryPath, bytes }: FileRequest): number {
  const image = compressImage(readStart(from, bytes), codecFor(from));
  const descriptor = openSync(temporaryPath, 'w', 0o600);
  try {
    for (let written = 0; written < image.length; ) {
      written += writeSync(descriptor, image, written, image.length - written, written);
    }
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return image.length;
}

function readStart(path: string, bytes: number): Uint8Array {
  const descriptor = openSync(path, 'r');
  try {
    const start = readUpTo(descriptor, 0, bytes);
    if (start.length < bytes) throw new Error(`${path} ends before byte ${bytes}`);
    return start;
  } finally {
    closeSync(descriptor);
  }
}

/** Fewer only where the file ends. */
function readUpTo(descriptor: number, from: number, bytes: number): Uint8Array {
  const target = new Uint8Array(bytes);
  let done = 0;
  while (done < bytes) {
    const count = readSync(descriptor, target, done, bytes - done, from + done);
    if (count === 0) break;
    done += count;
  }
  return target.subarray(0, done);
}

function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

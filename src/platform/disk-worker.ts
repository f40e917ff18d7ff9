import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { loadBlockCodec } from './block-codec.js';
import { compressImage } from './compressed-image.js';

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
  | (FileRequest & { readonly kind: 'compress'; readonly from: string });

export interface DiskReply {
  readonly id: number;
  /** Size of the file. */
  readonly bytes: number;
  /** Absent when the file and its name are durable. */
  readonly error?: { readonly code: string; readonly message: string };
}

/** Real zeros: blocks that `fallocate` reserves still cost a metadata write at the first sync that touches them. */
const zeros = new Uint8Array(1024 * 1024);

parentPort?.on('message', (request: DiskRequest) => {
  parentPort?.postMessage(perform(request));
});

function perform(request: DiskRequest): DiskReply {
  try {
    const bytes = request.kind === 'preallocate' ? writeZeros(request) : writeCompressed(request.from, request);
    renameSync(request.temporaryPath, request.path);
    syncPath(dirname(request.path));
    return { id: request.id, bytes };
  } catch (error) {
    rmSync(request.temporaryPath, { force: true });
    const { code = '', message } = error as NodeJS.ErrnoException;
    return { id: request.id, bytes: 0, error: { code, message } };
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
  const codec = loadBlockCodec();
  if (codec === undefined) throw new Error('no LZ4 codec is installed');
  const image = compressImage(readStart(from, bytes), codec);
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
  const start = new Uint8Array(bytes);
  const descriptor = openSync(path, 'r');
  try {
    for (let done = 0; done < bytes; ) {
      const count = readSync(descriptor, start, done, bytes - done, done);
      if (count === 0) throw new Error(`${path} ends before byte ${bytes}`);
      done += count;
    }
  } finally {
    closeSync(descriptor);
  }
  return start;
}

function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { parentPort } from 'node:worker_threads';

/** One file to make. The name appears only when the file is whole: it is made as `temporaryPath` and renamed. */
export interface PreallocateRequest {
  readonly id: number;
  readonly path: string;
  readonly temporaryPath: string;
  readonly bytes: number;
}

export interface PreallocateReply {
  readonly id: number;
  /** Absent when the file and its name are durable. */
  readonly error?: { readonly code: string; readonly message: string };
}

/** Real zeros: blocks that `fallocate` reserves still cost a metadata write at the first sync that touches them. */
const zeros = new Uint8Array(1024 * 1024);

parentPort?.on('message', (request: PreallocateRequest) => {
  parentPort?.postMessage(preallocate(request));
});

function preallocate(request: PreallocateRequest): PreallocateReply {
  try {
    writeZeros(request.temporaryPath, request.bytes);
    renameSync(request.temporaryPath, request.path);
    syncPath(dirname(request.path));
    return { id: request.id };
  } catch (error) {
    rmSync(request.temporaryPath, { force: true });
    const { code = '', message } = error as NodeJS.ErrnoException;
    return { id: request.id, error: { code, message } };
  }
}

function writeZeros(path: string, bytes: number): void {
  const descriptor = openSync(path, 'w', 0o600);
  try {
    for (let written = 0; written < bytes; ) {
      written += writeSync(descriptor, zeros, 0, Math.min(zeros.length, bytes - written), written);
    }
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

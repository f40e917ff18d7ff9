import { Worker } from 'node:worker_threads';
import { type CompressedPlace, DiskError } from '../ports/disk.js';
import { toDiskError } from './disk-error.js';
import type { DiskReply, DiskReplyError, DiskRequest } from './disk-worker.js';

type Done = (error: DiskError | undefined, bytes: number) => void;

interface Waiting {
  readonly path: string;
  readonly kind: DiskRequest['kind'];
  readonly done: (error: DiskError | undefined, reply: DiskReply | undefined) => void;
}

/**
 * Makes files in a worker thread, which starts at first use and keeps the process alive only while somebody waits for a
 * file, as any other disk operation does.
 * On the main thread the same work would block the event loop for tens of milliseconds a file.
 */
export class DiskThread {
  readonly #waiting: Map<number, Waiting> = new Map();
  #worker: Worker | undefined;
  #nextId = 1;

  /** `path` is for messages; the other two are what the worker opens. */
  preallocate(path: string, absolutePath: string, temporaryPath: string, bytes: number, done: Done): void {
    const request = { kind: 'preallocate', id: this.#nextId++, path: absolutePath, temporaryPath, bytes } as const;
    this.#post(request, path, (error, reply) => done(error, reply?.bytes ?? 0));
  }

  /** As `preallocate`, of the first so many bytes of another file. `done` says how long the file is. */
  compress(path: string, from: string, absolutePath: string, temporaryPath: string, bytes: number, done: Done): void {
    const request = { kind: 'compress', id: this.#nextId++, from, path: absolutePath, temporaryPath, bytes } as const;
    this.#post(request, path, (error, reply) => done(error, reply?.bytes ?? 0));
  }

  /** About so many bytes of the content of a compressed file, from `place` on; see `Disk.readCompressedLater`. */
  expand(
    path: string,
    absolutePath: string,
    place: CompressedPlace,
    bytes: number,
    done: (error: DiskError | undefined, content: Uint8Array, next: CompressedPlace) => void,
  ): void {
    const request = { kind: 'expand', id: this.#nextId++, path: absolutePath, name: path, place, bytes } as const;
    this.#post(request, path, (error, reply) => {
      const { content = new Uint8Array(0), next = place } = reply?.expanded ?? {};
      done(error, content, next);
    });
  }

  /** Ends the worker; what it had not finished is dropped and its callbacks are not called. */
  async close(): Promise<void> {
    this.#waiting.clear();
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #post(request: DiskRequest, path: string, done: Waiting['done']): void {
    this.#waiting.set(request.id, { path, kind: request.kind, done });
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#worker.postMessage(request);
  }

  #start(): Worker {
    // Source maps, loaders and coverage of the main thread are of no use to it.
    const worker = new Worker(new URL('./disk-worker.js', import.meta.url), { execArgv: [], env: {} });
    worker.on('message', (reply: DiskReply) => this.#settle(reply));
    worker.on('error', (error) => this.#failAll(worker, error));
    worker.on('exit', () => this.#failAll(worker, new Error('the thread that makes files ended')));
    return worker;
  }

  #settle(reply: DiskReply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    waiting.done(reply.error && failureOf(waiting, reply.error), reply);
  }

  #failAll(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const failed = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiting of failed) waiting.done(toDiskError(waiting.path, waiting.kind, error), undefined);
  }
}

function failureOf(waiting: Waiting, error: DiskReplyError): DiskError {
  if (error.kind === undefined) return toDiskError(waiting.path, waiting.kind, error);
  return new DiskError(error.kind, waiting.path, error.message, undefined, error.offset);
}

import { Worker } from 'node:worker_threads';
import type { DiskError } from '../ports/disk.js';
import { toDiskError } from './disk-error.js';
import type { PreallocateReply, PreallocateRequest } from './preallocate-worker.js';

interface Waiting {
  readonly path: string;
  readonly done: (error?: DiskError) => void;
}

/**
 * Makes files of zeros in a worker thread, which starts at first use and keeps the process alive only while somebody
 * waits for a file, as any other disk operation does.
 * On the main thread the same work would block the event loop for tens of milliseconds a file.
 */
export class Preallocator {
  readonly #waiting: Map<number, Waiting> = new Map();
  #worker: Worker | undefined;
  #nextId = 1;

  /** `path` is for messages; the other two are what the worker opens. */
  preallocate(
    path: string,
    absolutePath: string,
    temporaryPath: string,
    bytes: number,
    done: (error?: DiskError) => void,
  ): void {
    const request: PreallocateRequest = { id: this.#nextId++, path: absolutePath, temporaryPath, bytes };
    this.#waiting.set(request.id, { path, done });
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#worker.postMessage(request);
  }

  /** Ends the worker; what it had not finished is dropped and its callbacks are not called. */
  async close(): Promise<void> {
    this.#waiting.clear();
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #start(): Worker {
    // Source maps, loaders and coverage of the main thread are of no use to it.
    const worker = new Worker(new URL('./preallocate-worker.js', import.meta.url), { execArgv: [], env: {} });
    worker.on('message', (reply: PreallocateReply) => this.#settle(reply));
    worker.on('error', (error) => this.#failAll(worker, error));
    worker.on('exit', () => this.#failAll(worker, new Error('the preallocation thread ended')));
    return worker;
  }

  #settle(reply: PreallocateReply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    waiting.done(reply.error && toDiskError(waiting.path, 'preallocate', reply.error));
  }

  #failAll(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const failed = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiting of failed) waiting.done(toDiskError(waiting.path, 'preallocate', error));
  }
}

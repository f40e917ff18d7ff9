import type { Client, MemDbError } from '@memdb/client';

interface Item {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Milliseconds that are left; undefined for a value that does not expire. */
  readonly ttlMs: number | undefined;
}

/** What one batch may hold, and batches under way: at most 8 MiB of values, one oversized value excepted. */
const BATCH_ITEMS = 256;
const BATCH_BYTES: number = 1024 * 1024;
const BATCHES_UNDER_WAY = 8;
/** Times that a write is tried: the client itself has tried for its whole time limit each time. */
const ATTEMPTS = 5;

/**
 * Writes what is restored, a few batches at once. A write of unknown outcome is repeated: it writes the same value again,
 * which is safe as long as nobody else writes these keys meanwhile.
 */
export class RestoreWriter {
  readonly #client: Client;
  readonly #keepsExisting: boolean;
  readonly #timeoutMs: number;
  #batch: Item[] = [];
  #batchBytes = 0;
  readonly #underWay: Set<Promise<void>> = new Set();
  #failure: unknown;
  written = 0;
  kept = 0;

  constructor(client: Client, keepsExisting: boolean, timeoutMs: number) {
    this.#client = client;
    this.#keepsExisting = keepsExisting;
    this.#timeoutMs = timeoutMs;
  }

  /** Takes copies. Waits while too much is under way; rejects when a write has failed for good. */
  async add(key: Uint8Array, value: Uint8Array, ttlMs: number | undefined): Promise<void> {
    this.#batch.push({ key: Uint8Array.from(key), value: Uint8Array.from(value), ttlMs });
    this.#batchBytes += key.length + value.length;
    if (this.#batch.length < BATCH_ITEMS && this.#batchBytes < BATCH_BYTES) return;
    this.#send();
    while (this.#underWay.size >= BATCHES_UNDER_WAY) await Promise.race(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Waits for everything. */
  async finish(): Promise<void> {
    this.#send();
    await Promise.all(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #send(): void {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    if (batch.length === 0) return;
    const work = this.#write(batch)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
  }

  async #write(batch: readonly Item[]): Promise<void> {
    let left = this.#keepsExisting ? await this.#missing(batch) : batch;
    for (let attempt = 1; left.length > 0; attempt++) {
      const failed = await this.#attempt(left);
      this.written += left.length - failed.length;
      const hopeless = failed.find(({ error }) => attempt === ATTEMPTS || !error.retryable);
      if (hopeless !== undefined) throw hopeless.error;
      left = failed.map(({ item }) => item);
    }
  }

  async #missing(batch: readonly Item[]): Promise<readonly Item[]> {
    const timeoutMs = this.#timeoutMs;
    const exists = await Promise.all(batch.map(({ key }) => this.#client.contains(key, { timeoutMs })));
    const missing = batch.filter((_, index) => exists[index] !== true);
    this.kept += batch.length - missing.length;
    return missing;
  }

  async #attempt(items: readonly Item[]): Promise<{ item: Item; error: MemDbError }[]> {
    const timeoutMs = this.#timeoutMs;
    const lasting = items.filter(({ ttlMs }) => ttlMs === undefined);
    const expiring = items.filter(({ ttlMs }) => ttlMs !== undefined);
    const [results, single] = await Promise.all([
      this.#client.setMany(
        lasting.map(({ key, value }) => [key, value] as const),
        { timeoutMs },
      ),
      Promise.all(
        expiring.map(({ key, value, ttlMs = 0 }) =>
          this.#client.set(key, value, { timeoutMs, ttlMs: Math.ceil(ttlMs) }).then(
            () => undefined,
            (error: MemDbError) => error,
          ),
        ),
      ),
    ]);
    const failed: { item: Item; error: MemDbError }[] = [];
    for (const [index, { error }] of results.entries()) {
      if (error !== undefined) failed.push({ item: lasting[index], error });
    }
    for (const [index, error] of single.entries()) {
      if (error !== undefined) failed.push({ item: expiring[index], error });
    }
    return failed;
  }
}

import { type Client, MemDbError } from '@memdb/client';
import type { ExecutionContext } from 'ava';
import { deadlineMs, within } from './events.js';
import type { Ledger } from './ledger.js';

/** Keys that several writers overwrite, delete and read at the same time. */
const SHARED_KEYS = 40;
/** A writer that was refused waits this long: a node that is down shall not cost a core. */
const REFUSED_PAUSE_MS = 5;

export interface LoadOptions {
  readonly writers?: number;
  /** Size of each value. */
  readonly valueBytes?: number;
}

/**
 * Writers that each do one thing after the other: half of it writes a key of its own once, the rest overwrites,
 * deletes and reads keys that all share. What was answered goes to the ledger; what a read breaks is in `broken`.
 */
export class Load {
  readonly broken: string[] = [];
  readonly #client: Client;
  readonly #ledger: Ledger;
  readonly #valueBytes: number;
  readonly #done: Promise<unknown>;
  readonly #name: string;
  #reads = 0;
  #stopping = false;

  constructor(t: ExecutionContext, client: Client, ledger: Ledger, options: LoadOptions = {}) {
    this.#client = client;
    this.#ledger = ledger;
    this.#valueBytes = options.valueBytes ?? 100;
    this.#name = `${ledger.moment}`;
    const writers = Array.from({ length: options.writers ?? 24 }, (_, number) => this.#write(number));
    this.#done = Promise.all(writers);
    // A test that failed does not write on for ever.
    t.teardown(() => this.stop());
  }

  get reads(): number {
    return this.#reads;
  }

  /** Resolves once `count` more writes had this outcome. */
  async more(outcome: 'acknowledged' | 'not-applied' | 'unknown', count: number): Promise<void> {
    const goal = this.#ledger.count(outcome) + count;
    await within(
      deadlineMs,
      () => this.#ledger.count(outcome) >= goal,
      () => `${count} more ${outcome}; ${this.#ledger.summary()}`,
    );
  }

  /** Ends every writer after what it is doing. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  async #write(number: number): Promise<void> {
    for (let round = 0; !this.#stopping; round++) {
      const shared = `shared ${(number * 7 + round * 13) % SHARED_KEYS}`;
      const step = (number + round) % 8;
      if (step < 4) await this.#set(`own ${this.#name}/${number}/${round}`);
      else if (step < 6) await this.#set(shared);
      else if (step === 6 && round % 3 === 0) await this.#delete(shared);
      else await this.#read(shared);
    }
  }

  async #set(key: string): Promise<void> {
    const write = this.#ledger.beginSet(key, this.#valueBytes);
    await this.#settle(write, this.#client.set(key, write.value ?? ''));
  }

  async #delete(key: string): Promise<void> {
    const write = this.#ledger.beginDelete(key);
    await this.#settle(write, this.#client.delete(key));
  }

  async #settle(write: Parameters<Ledger['acknowledged']>[0], answer: Promise<void>): Promise<void> {
    try {
      await answer;
      this.#ledger.acknowledged(write);
    } catch (error) {
      if (!(error instanceof MemDbError)) throw error;
      this.#ledger.failed(write, error);
      if (error.outcome === 'not-applied') await pause(REFUSED_PAUSE_MS);
    }
  }

  async #read(key: string): Promise<void> {
    const read = this.#ledger.beginRead(key);
    try {
      const { value, stamp } = await this.#client.quorumGet(key);
      this.#reads++;
      const problem = this.#ledger.judge(read, value, stamp);
      if (problem !== undefined) this.broken.push(problem);
    } catch (error) {
      if (!(error instanceof MemDbError)) throw error;
      await pause(REFUSED_PAUSE_MS);
    }
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

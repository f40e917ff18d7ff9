import { type Client, connect, MemDbError } from '@memdb/client';
import type { ManagerOptions } from '../options.js';
import type { World } from '../platform/world.js';

/** For the first answer of any node; then it is tried again. */
const CONNECT_TIMEOUT_MS = 3000;
const RETRY_MS = 500;
const OPERATION_TIMEOUT_MS = 2000;

/**
 * The manager's connections to the nodes. Goes on trying until one node answers, from then on the client follows the
 * topology by itself: it works while any node is up.
 */
export class ClusterLink {
  readonly #options: ManagerOptions;
  readonly #world: World;
  readonly #onConnected: (client: Client) => void;
  #client: Client | undefined;
  #lastError = 'no node has answered yet';
  #isClosed = false;
  #stopTimer: () => void = () => {};

  constructor(options: ManagerOptions, world: World, onConnected: (client: Client) => void) {
    this.#options = options;
    this.#world = world;
    this.#onConnected = onConnected;
  }

  /** Undefined until a node answered for the first time. */
  get client(): Client | undefined {
    return this.#client;
  }

  /** Why there is no client yet. */
  get lastError(): string {
    return this.#lastError;
  }

  /** The client; throws `unavailable` while there is none. */
  get open(): Client {
    if (this.#client !== undefined) return this.#client;
    throw new MemDbError('unavailable', `The manager has not reached any node yet: ${this.#lastError}`, {
      outcome: 'not-applied',
    });
  }

  start(): void {
    void this.#connect();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer();
    await this.#client?.close();
  }

  async #connect(): Promise<void> {
    const { seeds, adminKeys } = this.#options;
    try {
      const client = await connect({
        seeds,
        key: adminKeys[0],
        role: 'admin',
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        timeoutMs: OPERATION_TIMEOUT_MS,
      });
      if (this.#isClosed) await client.close();
      else {
        this.#client = client;
        this.#onConnected(client);
      }
    } catch (error) {
      this.#lastError = error instanceof Error ? error.message : String(error);
      if (!this.#isClosed) this.#stopTimer = this.#world.after(RETRY_MS, () => void this.#connect());
    }
  }
}

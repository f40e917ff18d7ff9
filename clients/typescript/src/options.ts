import type { Address } from './core/ports.js';
import type { TlsOptions } from './platform/node-transport.js';

/** A key: up to 65,535 bytes on the wire, less by the server's `limits.max_key`. Strings are stored as UTF-8. */
export type Key = string | Uint8Array;
/** A value: any bytes, also none. Strings are stored as UTF-8. */
export type Value = string | Uint8Array;
/** How many replicas an operation waits for; `quorum` is the default. `serial`: linearizable, by consensus on the key. */
export type ConsistencyLevel = 'one' | 'quorum' | 'all' | 'serial';

/** How a client behaves; every field has a default (`docs/client.md`). */
export interface ClientOptions {
  /** Milliseconds an operation may take, retries included. Default 2,000. */
  readonly timeoutMs?: number;
  /** The consistency of operations that do not name one. Default `quorum`. */
  readonly consistency?: ConsistencyLevel;
  /** Milliseconds `connect` may take until a node answers. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** Pipelined connections to each node, 1 to 16. Default 1. Writes to one key always share one. */
  readonly connectionsPerNode?: number;
  /** Requests that may wait for replies on one connection, 1 to 32,768. Default 4,096. More wait in the client. */
  readonly maxInFlight?: number;
  /** Operations that may wait in the client; one more fails with `queue-full`. Default 262,144 (about 64 MiB). */
  readonly maxQueued?: number;
  /** Bytes a connection may hold that the kernel has not taken, before operations wait. Default 1 MiB. */
  readonly maxRetainedBytes?: number;
  /** A `session.token` of another client: reads and writes here come after what it had seen. */
  readonly token?: number | string;
  /** true, or the certificates to trust. Default: the URL's `tls`, else plain TCP. */
  readonly tls?: boolean | TlsOptions;
  /** What the key is: a client's, which is the default, or an administrator's, which `db.admin` needs. */
  readonly role?: 'client' | 'admin';
}

/** Where the cluster is and how to prove who asks, without a URL. */
export interface ConnectOptions extends ClientOptions {
  /** Contact points, `host:port`; one that answers is enough, the client learns the rest. */
  readonly seeds: readonly (string | Address)[];
  /** The shared key: its id and 32 secret bytes (base64url as in the URL, or the bytes). */
  readonly key: { readonly id: string; readonly secret: string | Uint8Array };
}

/** What every operation takes. */
export interface OperationOptions {
  /** Milliseconds this operation may take, retries included. */
  readonly timeoutMs?: number;
  /** Stops retries and frees what the operation held; see `MemDbError.outcome` for what became of it. */
  readonly signal?: AbortSignal;
}

export interface ReadOptions extends OperationOptions {
  readonly consistency?: ConsistencyLevel;
}

export interface WriteOptions extends OperationOptions {
  readonly consistency?: ConsistencyLevel;
}

export interface AddOptions extends OperationOptions {
  /** How many replicas hold the add durably before it is acknowledged. Default `one`, whatever the client's default is. */
  readonly consistency?: ConsistencyLevel;
}

export interface KeysOptions extends OperationOptions {
  /** Only keys that begin so: a string stands for its UTF-8. Default: all keys. */
  readonly prefix?: Key;
}

export interface SetOptions extends WriteOptions {
  /**
   * Milliseconds after which the value is absent, 1 to 315,360,000,000 (10 years). The node that takes the write fixes
   * the deadline by its clock. Without it the value stays, also when it replaces one that would have expired.
   */
  readonly ttlMs?: number;
}

export interface CasOptions extends OperationOptions {
  /** As of `set`: milliseconds after which the value that is set is absent. */
  readonly ttlMs?: number;
}

export interface QuorumGetOptions extends OperationOptions {
  /** How many replicas must answer: a majority, all of them, or a number. Default `quorum`. */
  readonly replies?: 'quorum' | 'all' | number;
}

/** Client options with their defaults filled in and checked. */
export interface Settings {
  readonly timeoutMs: number;
  readonly consistency: ConsistencyLevel;
  readonly connectTimeoutMs: number;
  readonly connectionsPerNode: number;
  readonly maxInFlight: number;
  readonly maxQueued: number;
  readonly maxRetainedBytes: number;
  readonly token: number;
}

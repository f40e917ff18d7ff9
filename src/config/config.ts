import type { Address } from './address.js';

export type Durability = 'sync' | 'interval' | 'none';
export type EvictionMode = 'reject' | 'lru';
export type Compression = 'off' | 'on';
export type LogFormat = 'json' | 'pretty';
export type ConfiguredLogLevel = 'debug' | 'info' | 'warn' | 'error';

/** A node's configuration, validated and in plain units. `schema.ts` ties each field to its name in the file. */
export interface MemDbConfig {
  readonly node: {
    readonly dataDir: string;
    readonly listen: Address;
    /** What peers and clients dial; `listen` unless configured. */
    readonly advertise: Address;
    /** Liveness, readiness and metrics; undefined when switched off. */
    readonly http: Address | undefined;
    readonly zone: string;
    /** Failure domain: a partition never has two replicas on one host while other hosts are available. */
    readonly host: string;
    readonly weight: number;
  };
  readonly cluster: {
    readonly name: string;
    readonly seeds: readonly Address[];
    /** The first so many entries of `seeds` form epoch 1 together. */
    readonly founders: number;
    readonly replicationFactor: number;
    readonly partitions: number;
  };
  readonly auth: { readonly keysFile: string };
  readonly storage: {
    readonly durability: Durability;
    readonly syncIntervalMs: number;
    readonly segmentBytes: number;
    /** 0: no bound. */
    readonly memoryBytesMax: number;
    /** Keys with a value; 0: no bound. */
    readonly entriesMax: number;
    readonly eviction: EvictionMode;
    readonly compression: Compression;
  };
  readonly limits: {
    readonly keyBytesMax: number;
    readonly valueBytesMax: number;
    readonly connectionsMax: number;
    /** Requests of one connection that may be unanswered at a time. */
    readonly inflightMax: number;
    readonly requestTimeoutMs: number;
  };
  /** For `memdb manager` alone. */
  readonly manager: {
    readonly listen: Address;
    /** A file that holds a bearer token that is always accepted; undefined: none. */
    readonly tokenFile: string | undefined;
    readonly sessionMs: number;
    readonly corsOrigins: readonly string[];
    /** Files in PEM; undefined: plain HTTP. */
    readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  };
  readonly log: { readonly level: ConfiguredLogLevel; readonly format: LogFormat };
}

import type { ClusterSettings } from './config/cluster-settings.js';
import type { Departure } from './node-departure.js';
import type { Clock } from './ports/clock.js';
import type { Disk } from './ports/disk.js';
import type { HostProcess } from './ports/host-process.js';
import type { Random } from './ports/random.js';
import type { Telemetry } from './ports/telemetry.js';
import type { Timers } from './ports/timers.js';
import type { Address, Transport } from './ports/transport.js';
import type { Durability, EvictionMode } from './storage/store.js';

/** What the node needs of the configuration; `MemDbConfig` has it all. */
export interface NodeConfig {
  readonly node: {
    readonly listen: Address;
    /** What peers and clients dial. */
    readonly advertise: Address;
    readonly http: Address | undefined;
    readonly zone: string;
    readonly host: string;
    readonly weight: number;
  };
  readonly cluster: {
    readonly name: string;
    readonly seeds: readonly Address[];
    readonly founders: number;
    readonly replicationFactor: number;
    readonly partitions: number;
  };
  readonly storage: {
    readonly durability: Durability;
    readonly syncIntervalMs: number;
    readonly segmentBytes: number;
    /** 0: no bound. */
    readonly memoryBytesMax: number;
    /** 0: no bound. */
    readonly entriesMax: number;
    readonly eviction: EvictionMode;
    /** Of the files of full segments; off when not given. */
    readonly compression?: 'off' | 'on';
  };
  readonly limits: {
    readonly keyBytesMax: number;
    readonly valueBytesMax: number;
    readonly connectionsMax: number;
    readonly inflightMax: number;
    readonly requestTimeoutMs: number;
  };
}

export type KeyRoleName = 'client' | 'node' | 'admin';

/** The shared keys; their owner may change them at any time. */
export interface NodeKeys {
  secret(role: KeyRoleName, id: string): Uint8Array | undefined;
  /** The key with which this node introduces itself in a role. */
  preferred(role: KeyRoleName): { readonly id: string; readonly secret: Uint8Array } | undefined;
}

/** The outside world of a node (architecture: Determinism). */
export interface NodePorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Undefined exactly when `storage.durability` is `none`. */
  readonly disk: Disk | undefined;
  readonly transport: Transport;
  readonly telemetry: Telemetry;
}

export interface NodeOptions extends NodePorts {
  readonly config: NodeConfig;
  readonly keys: NodeKeys;
  /**
   * An invariant broke, or the disk failed for good: the process must end, nothing more is acknowledged. A `MemDbError`:
   * other nodes refuse this one, and its sentence says what to do.
   */
  readonly onFatal: (error: Error) => void;
  /** The cluster goes on without this node, which is to be drained. It drains itself where nobody listens. */
  readonly onDeparted?: (departure: Departure) => void;
  /** What the whole cluster agreed on, whenever an epoch comes into force. The limits apply by themselves. */
  readonly onAgreed?: (settings: ClusterSettings) => void;
  /** The process, where the node has one of its own: only there can it be killed on request. */
  readonly process?: HostProcess;
}

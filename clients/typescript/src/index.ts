export { MemDbError, type Outcome } from '@memdb/protocol';
export { Client, type CompareAndSetResult, type CreateClientOptions, createClient } from './client.js';
export { connect } from './connect.js';
export type { Admin, ClusterChange, ClusterTopology, Conflict, ConflictVersion, KillOptions } from './core/admin.js';
export type { ManyResult } from './core/batch.js';
export type { ClientEvents, NodeEvent } from './core/connections.js';
export type { Counter } from './core/counter.js';
export type { KeyExplanation, OwnerVersion } from './core/explain.js';
export type { KeyScan } from './core/key-scan.js';
export type { NodeSnapshot, SnapshotSegment } from './core/node-snapshot.js';
export type {
  Address,
  ClientPorts,
  Clock,
  Connection,
  ConnectionHandler,
  Random,
  Timer,
  Timers,
  Transport,
} from './core/ports.js';
export type { QuorumGetResult, ReplicaResponse, Stamp, Version } from './core/quorum-result.js';
export type { Settlement } from './core/serial-operation.js';
export type { Session } from './core/session.js';
export type { ClientStatistics } from './core/statistics.js';
export type { NodeDescription, TopologyDescription } from './core/topology.js';
export type {
  AddOptions,
  CasOptions,
  ClientOptions,
  ConnectOptions,
  ConsistencyLevel,
  Key,
  KeysOptions,
  OperationOptions,
  QuorumGetOptions,
  ReadOptions,
  Value,
  WriteOptions,
} from './options.js';
export type { TlsOptions } from './platform/node-transport.js';

import { formatUuid } from '@memdb/protocol';
import type { z } from 'zod';
import type { clusterSchema, nodeSchema, ringSchema } from '../api/schemas.js';
import { changeText } from './change-text.js';
import { healthOf, isServing } from './health.js';
import type { NodeView } from './node-view.js';
import { partitionsMoving, preferenceLists, sharesOf } from './ownership.js';
import type { Watcher } from './watcher.js';

type Cluster = z.infer<typeof clusterSchema>;
type NodeDocument = z.infer<typeof nodeSchema>;
type Ring = z.infer<typeof ringSchema>;

export interface ClusterFacts {
  readonly name: string;
  /** Why no node has answered, while none has. */
  readonly lastError: string;
  readonly nowMs: number;
}

/** `GET /cluster`. */
export function describeCluster(watcher: Watcher, { name, lastError, nowMs }: ClusterFacts): Cluster {
  const { topology, nodes, rates } = watcher;
  const { health, reasons, underReplicated, unavailable } = healthOf(topology, nodes, lastError);
  const live = nodes.filter(isServing);
  const sum = (read: (node: NodeView) => number | undefined): number =>
    live.reduce((total, node) => total + (read(node) ?? 0), 0);
  const operations = Object.values(rates.latest?.operations ?? {});
  const copies = sum((node) => node.status?.storage?.keys);
  // Each live owner holds its copy: what is left of the shares says how many copies a key has.
  const shares = topology === undefined ? new Map<number, number>() : sharesOf(topology);
  const liveShare = live.reduce((total, { number }) => total + (shares.get(number) ?? 0), 0);
  const copiesOfKey = liveShare * (topology?.replicas ?? 1);
  return {
    name,
    ...(topology === undefined ? {} : { id: formatUuid(topology.clusterId) }),
    epoch: topology?.epoch ?? 0,
    health,
    reasons: [...reasons],
    partitions: topology?.partitions ?? 0,
    replicas: topology?.replicas ?? 0,
    replicationFactor: topology?.replicationFactor ?? 0,
    underReplicated,
    unavailable,
    nodes: { total: nodes.length, up: live.length },
    keys: copiesOfKey === 0 ? 0 : Math.round(copies / copiesOfKey),
    liveBytes: sum((node) => node.status?.storage?.liveBytes),
    residentBytes: sum((node) => node.status?.residentBytes),
    diskBytes: sum((node) => node.status?.storage?.logBytesOnDisk),
    operationsPerSecond: operations.reduce((total, rate) => total + rate, 0),
    conflicts: sum((node) => node.metrics?.counters.conflicts_total),
    pending: describePending(watcher),
    atMs: nowMs,
  };
}

function describePending({ topology, nodes }: Watcher): Cluster['pending'] {
  if (topology?.pending === undefined) return null;
  const { begun, isPaused, changes } = topology.pending;
  const sum = (field: 'partitions' | 'filled' | 'bytesTaken'): number =>
    nodes.reduce((total, { status }) => total + (status?.transfer?.[field] ?? 0), 0);
  return {
    begunInEpoch: begun,
    isPaused,
    changes: changes.map(changeText),
    partitionsMoving: partitionsMoving(topology),
    copies: sum('partitions'),
    copiesDone: sum('filled'),
    bytesTaken: sum('bytesTaken'),
  };
}

/** `GET /nodes`. */
export function describeNodes(watcher: Watcher, nowMs: number): NodeDocument[] {
  const shares = watcher.topology === undefined ? new Map<number, number>() : sharesOf(watcher.topology);
  const rates = watcher.rates.latest?.nodes ?? {};
  return watcher.nodes.map((node) =>
    describeNode(node, shares.get(node.number) ?? 0, rates[node.number]?.operations ?? 0, nowMs),
  );
}

function describeNode(node: NodeView, share: number, operationsPerSecond: number, nowMs: number): NodeDocument {
  const { status, metrics: _metrics, reason, heardAtMs, unheardBy, ...facts } = node;
  return {
    ...facts,
    ...(reason === undefined ? {} : { reason }),
    ...(heardAtMs === undefined ? {} : { heardAtMs }),
    unheardBy: [...unheardBy],
    share,
    ...(status === undefined ? { lag: [] } : describeStatus(status, isServing(node), operationsPerSecond, nowMs)),
  };
}

function describeStatus(
  status: NonNullable<NodeView['status']>,
  isLive: boolean,
  operationsPerSecond: number,
  nowMs: number,
): Pick<NodeDocument, 'version' | 'generation' | 'pid' | 'uptimeMs' | 'epoch' | 'load' | 'storage' | 'lag'> {
  const { storage, release, pid, startedAtMs, residentBytes, cpuSeconds, eventLoopDelaySeconds } = status;
  const load = { operationsPerSecond, connections: status.connections, pending: status.pending };
  return {
    generation: status.generation,
    epoch: status.epoch,
    ...(release === undefined ? {} : { version: release }),
    ...(pid === undefined ? {} : { pid }),
    ...(startedAtMs === undefined || !isLive ? {} : { uptimeMs: Math.max(0, nowMs - startedAtMs) }),
    ...(isLive
      ? {
          load: {
            ...load,
            ...(residentBytes === undefined ? {} : { residentBytes }),
            ...(cpuSeconds === undefined ? {} : { cpuSeconds }),
            ...(eventLoopDelaySeconds === undefined ? {} : { eventLoopDelaySeconds }),
          },
        }
      : {}),
    ...(storage === undefined
      ? {}
      : {
          storage: {
            keys: storage.keys,
            tombstones: storage.tombstones,
            liveBytes: storage.liveBytes,
            deadBytes: storage.deadBytes,
            accountedBytes: storage.accountedBytes,
            diskBytes: storage.logBytesOnDisk,
            segments: storage.segments,
            unsyncedRecords: Math.max(0, status.lastLsn - status.durableLsn),
          },
        }),
    lag: isLive ? status.members.filter(({ number }) => number !== status.number).map(describeLag) : [],
  };
}

function describeLag({
  number,
  reachable,
  state,
  stream,
  lagRecords,
}: NonNullable<NodeView['status']>['members'][number]): NodeDocument['lag'][number] {
  return {
    number,
    reachable,
    ...(state === undefined ? {} : { state }),
    ...(stream === undefined ? {} : { stream }),
    ...(lagRecords === undefined ? {} : { lagRecords }),
  };
}

/** `GET /ring`; undefined while no topology is known. */
export function describeRing({ topology, nodes }: Watcher): Ring | undefined {
  if (topology === undefined) return undefined;
  const { epoch, partitions, replicas, owners, pending } = topology;
  const shares = sharesOf(topology);
  return {
    epoch,
    partitions,
    replicas,
    owners: preferenceLists(owners, replicas),
    nextOwners: pending === undefined ? null : preferenceLists(pending.owners, pending.replicas),
    nodes: nodes.map(({ number, zone, host, state }) => ({
      number,
      zone,
      host,
      state,
      share: shares.get(number) ?? 0,
    })),
  };
}

import type { Node } from './node.js';
import { formatAddress } from './ports/address.js';
import type { HostProcess } from './ports/host-process.js';
import type { Telemetry } from './ports/telemetry.js';

/** What a node tells of itself: the `status` operation, as JSON. */
export function nodeStatus(node: Node): object {
  const { topology, membership, replication, store } = node;
  return {
    uuid: node.uuid,
    number: node.number,
    generation: node.generation,
    ...processStatus(node.process),
    phase: node.phase,
    ready: node.ready() ?? true,
    address: formatAddress(node.address),
    epoch: topology?.epoch ?? 0,
    counter: node.lamport?.current ?? 0,
    // `MemberView` says what each field holds.
    members: (membership?.view() ?? []).map((member) => {
      const stream = replication?.streams[member.number];
      return { ...member, stream: stream?.state, lagRecords: stream?.lagRecords };
    }),
    transfer: node.transfers?.progress(),
    waitingChanges: node.changes?.waiting.length ?? 0,
    storage: store?.stats(),
    lastLsn: store?.lastLsn ?? 0,
    durableLsn: store?.durableLsn ?? 0,
    connections: node.server?.sessions.size ?? 0,
    pending: replication?.pending ?? 0,
  };
}

/** Undefined fields are left out of the JSON. */
function processStatus(process: HostProcess | undefined): object {
  return {
    release: process?.release,
    pid: process?.pid,
    startedAtMs: process?.startedAtMs,
    residentBytes: process?.residentBytes(),
    cpuSeconds: process?.cpuSeconds(),
    eventLoopDelaySeconds: process?.eventLoopDelaySeconds(),
  };
}

/** Gauges that are read when metrics are collected. */
export function registerGauges(node: Node, telemetry: Telemetry): void {
  const { store } = node;
  if (store === undefined) return;
  telemetry.gauge('ready', '1 while the node serves.', () => (node.ready() === undefined ? 1 : 0));
  telemetry.gauge('epoch', 'Topology epoch; 0 before the cluster is formed.', () => node.topology?.epoch ?? 0);
  telemetry.gauge('keys', 'Keys with a value.', () => store.stats().keys);
  telemetry.gauge('tombstones', 'Keys whose newest version is a deletion.', () => store.stats().tombstones);
  telemetry.gauge('serial_keys', 'Keys that take serial operations.', () => store.serial.keys);
  telemetry.gauge('serial_tombstones', 'Serial keys without a value: they stay.', () => store.serial.tombstones);
  telemetry.gauge('expired_keys', 'Values past their deadline that still take memory.', () => store.expired.count);
  telemetry.gauge('accounted_bytes', 'Memory that max_memory counts.', () => store.stats().accountedBytes);
  telemetry.gauge('log_disk_bytes', 'Bytes of log files.', () => store.stats().logBytesOnDisk);
  telemetry.gauge('log_lsn', 'LSN of the newest record.', () => store.lastLsn);
  telemetry.gauge('log_durable_lsn', 'LSN up to which replies may speak.', () => store.durableLsn);
  telemetry.gauge('pending_requests', 'Requests of clients not answered yet.', () => node.replication?.pending ?? 0);
  telemetry.gauge('members_reachable', 'Members that answer, this node included.', () => {
    const members = node.topology?.nodes ?? [];
    return members.filter((member) => node.membership?.reachable(member.number)).length;
  });
  telemetry.gauge('replication_lag_records', 'Records that the slowest peer has not acknowledged.', () => {
    // By node number, with holes: spreading those would make the maximum NaN.
    return Math.max(0, ...Array.from(node.replication?.streams ?? [], (stream) => stream?.lagRecords ?? 0));
  });
}

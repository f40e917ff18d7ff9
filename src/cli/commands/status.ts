import type { ClusterTopology } from '@memdb/client';
import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, type DataOptions, withAnyRole } from '../data-command.js';
import { askNodes, type NodeReport } from '../node-statuses.js';
import { preferenceLists } from '../preference-lists.js';
import type { JsonValue } from '../report.js';
import { roundBytes, textTable } from '../text-table.js';

/** `memdb status`: whether all is well, and the change that is under way. */
export function registerStatus(program: Command, context: CliContext): void {
  const command = program.command('status').description('whether all is well, and what is changing');
  addDataOptions(command, false).action((options: DataOptions) =>
    withAnyRole(context, options, async (client) => {
      const topology = await client.admin.topology();
      const reports = await askNodes(client, topology);
      const away = topology.nodes.filter(({ number }) => reports.get(number) === undefined);
      const isAway = new Set(away.map(({ number }) => number));
      const lacking = preferenceLists(topology.owners, topology.replicas, topology.partitions).map(
        (row) => row.filter((node) => isAway.has(node)).length,
      );
      const withoutQuorum = lacking.filter((count) => count > (topology.replicas - 1) / 2).length;
      const withoutAll = lacking.filter((count) => count > 0).length;
      const health = withoutQuorum > 0 ? 'unavailable' : withoutAll > 0 ? 'degraded' : 'healthy';
      const pending = pendingOf(topology, reports);
      const document = {
        health,
        epoch: topology.epoch,
        clusterId: Buffer.from(topology.clusterId).toString('hex'),
        nodes: topology.nodes.length,
        reachable: topology.nodes.length - away.length,
        unreachable: away.map(({ number }) => number),
        partitions: topology.partitions,
        replicas: topology.replicas,
        replicationFactor: topology.replicationFactor,
        partitionsWithoutAllOwners: withoutAll,
        partitionsWithoutQuorum: withoutQuorum,
        pending: pending ?? null,
        departing: topology.nodes.filter(({ standing }) => standing === 'departing').map(({ number }) => number),
        settings: Object.fromEntries(topology.settings.map(({ name, value }) => [name, value])),
      };
      context.report.result(document as JsonValue, statusText(document, pending));
    }),
  );
}

interface PendingReport {
  readonly begun: number;
  readonly paused: boolean;
  readonly changes: readonly string[];
  readonly copies: number;
  readonly filled: number;
  readonly bytesTaken: number;
}

function pendingOf(
  { pending }: ClusterTopology,
  reports: ReadonlyMap<number, NodeReport | undefined>,
): PendingReport | undefined {
  if (pending === undefined) return undefined;
  const transfers = [...reports.values()].flatMap((report) => report?.transfer ?? []);
  return {
    begun: pending.begun,
    paused: pending.isPaused,
    changes: pending.changes.map((change) => {
      if (change.kind === 'replicate') return `replicate ${change.replicationFactor}`;
      return change.kind === 'weigh' ? `weigh ${change.node} ${change.weight}` : `${change.kind} ${change.node}`;
    }),
    copies: transfers.reduce((sum, { partitions }) => sum + partitions, 0),
    filled: transfers.reduce((sum, { filled }) => sum + filled, 0),
    bytesTaken: transfers.reduce((sum, { bytesTaken }) => sum + bytesTaken, 0),
  };
}

function statusText(
  status: {
    readonly health: string;
    readonly epoch: number;
    readonly nodes: number;
    readonly reachable: number;
    readonly unreachable: readonly number[];
    readonly partitions: number;
    readonly replicas: number;
    readonly replicationFactor: number;
    readonly partitionsWithoutAllOwners: number;
    readonly partitionsWithoutQuorum: number;
    readonly departing: readonly number[];
  },
  pending: PendingReport | undefined,
): string {
  const { unreachable, replicas, replicationFactor, departing } = status;
  const wanted = replicas < replicationFactor ? ` (${replicationFactor} wanted)` : '';
  const away = unreachable.length === 0 ? '' : `; node ${unreachable.join(', ')} cannot be reached`;
  const change =
    pending === undefined
      ? 'none'
      : `${pending.changes.join(', ')}: ${pending.filled} of ${pending.copies} copies of partitions, ${roundBytes(pending.bytesTaken)} moved${pending.paused ? '; paused' : ''}`;
  const rows = [
    ['health', healthText(status)],
    ['epoch', String(status.epoch)],
    ['nodes', `${status.reachable} of ${status.nodes} answer${away}`],
    ['data', `${status.partitions} partitions, ${replicas} copies each${wanted}`],
    ['change', change],
    ...(departing.length === 0 ? [] : [['leaving', `node ${departing.join(', ')} hands over what it has`]]),
  ];
  return textTable(rows);
}

function healthText(status: {
  readonly health: string;
  readonly partitions: number;
  readonly partitionsWithoutAllOwners: number;
  readonly partitionsWithoutQuorum: number;
}): string {
  const { health, partitions, partitionsWithoutAllOwners, partitionsWithoutQuorum } = status;
  if (health === 'healthy') return health;
  const what =
    health === 'degraded'
      ? `${partitionsWithoutAllOwners} of ${partitions} partitions lack an owner; all have a quorum`
      : `${partitionsWithoutQuorum} of ${partitions} partitions have no quorum`;
  return `${health}: ${what}`;
}

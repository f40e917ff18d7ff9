import type { ClusterTopology } from '@memdb/client';
import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, type DataOptions, withAnyRole } from '../data-command.js';
import { askNodes, type NodeReport } from '../node-statuses.js';
import { roundBytes, textTable } from '../text-table.js';

/** `memdb nodes`: the nodes of the cluster and how they are. */
export function registerNodes(program: Command, context: CliContext): void {
  const command = program.command('nodes').description('the nodes of the cluster, and how they are');
  addDataOptions(command, false).action((options: DataOptions) =>
    withAnyRole(context, options, async (client) => {
      const topology = await client.admin.topology();
      const reports = await askNodes(client, topology);
      const nodes = topology.nodes.map((node) => {
        const report = reports.get(node.number);
        return {
          number: node.number,
          id: node.uuid,
          address: node.address,
          http: node.http,
          zone: node.zone,
          host: node.host,
          weight: node.weight,
          standing: node.standing,
          reachable: report !== undefined,
          partitions: ownedBy(topology, node.number),
          ready: report?.ready ?? false,
          release: report?.release ?? null,
          keys: report?.keys ?? null,
          accountedBytes: report?.accountedBytes ?? null,
          lagRecords: report?.lagRecords ?? null,
        };
      });
      const head = ['node', 'address', 'zone', 'host', 'weight', 'is', 'partitions', 'keys', 'memory', 'id'];
      const rows = nodes.map((node) => [
        String(node.number),
        node.address,
        node.zone || '-',
        node.host,
        String(node.weight),
        stateText(node.standing, reports.get(node.number)),
        String(node.partitions),
        node.keys === null ? '?' : String(node.keys),
        node.accountedBytes === null ? '?' : roundBytes(node.accountedBytes),
        node.id.slice(0, 8),
      ]);
      context.report.result({ epoch: topology.epoch, nodes }, textTable([head, ...rows]));
    }),
  );
}

function stateText(standing: string, report: NodeReport | undefined): string {
  if (report === undefined) return standing === 'member' ? 'down' : `${standing}, down`;
  return standing === 'member' && report.ready === true ? 'up' : standing;
}

function ownedBy({ owners }: ClusterTopology, node: number): number {
  return owners.reduce((count, owner) => count + (owner === node ? 1 : 0), 0);
}

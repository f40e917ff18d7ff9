import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, type DataOptions, withAnyRole } from '../data-command.js';
import { preferenceLists } from '../preference-lists.js';
import { textTable } from '../text-table.js';

/** `memdb ring`: who owns which partition. */
export function registerRing(program: Command, context: CliContext): void {
  const command = program.command('ring').description('which nodes own each partition, who is asked first in front');
  addDataOptions(command, false).action((options: DataOptions) =>
    withAnyRole(context, options, async (client) => {
      const topology = await client.admin.topology();
      const { partitions, replicas, owners, pending } = topology;
      const table = preferenceLists(owners, replicas, partitions);
      const next = pending === undefined ? undefined : preferenceLists(pending.owners, pending.replicas, partitions);
      const document = { epoch: topology.epoch, partitions, replicas, owners: table, next: next ?? null };
      const head = next === undefined ? ['partition', 'nodes'] : ['partition', 'nodes', 'after the change'];
      const rows = table.map((row, partition) => {
        const then = next?.[partition];
        const after = then === undefined ? [] : [then.join(' ') === row.join(' ') ? '' : then.join(' ')];
        return [String(partition), row.join(' '), ...after];
      });
      context.report.result(document, textTable([head, ...rows]));
    }),
  );
}

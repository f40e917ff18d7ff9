import { MemDbError } from '@memdb/protocol';
import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { confirm } from '../confirm.js';
import { addDataOptions, type DataOptions, withAdmin } from '../data-command.js';
import { findNode } from '../node-argument.js';

interface KillOptions extends DataOptions {
  readonly graceful?: boolean;
  readonly yes?: boolean;
}

/** `memdb kill NODE`: the process ends at once; who owns what stays as it is. */
export function registerKill(program: Command, context: CliContext): void {
  const command = program
    .command('kill')
    .description('end the process of a node at once; what it owns stays its own (needs the admin key)')
    .argument('<node>', 'its number, address, or the beginning of its id')
    .option('--graceful', 'let it finish what it accepted, sync, and exit with 0')
    .option('--yes', 'do not ask');
  addDataOptions(command, false).action(async (name: string, options: KillOptions) => {
    await withAdmin(context, options, async (client) => {
      const node = findNode(name, client.topology);
      const graceful = options.graceful === true;
      const how = graceful ? 'Stop' : 'Kill';
      await confirm(`${how} node ${node.number} (${node.address})?`, options.yes === true, context);
      context.mayWrite = true;
      try {
        await client.admin.kill(node.number, { graceful, ...(options.timeout ? { timeoutMs: options.timeout } : {}) });
      } catch (error) {
        // It was quicker than its answer.
        if (!(error instanceof MemDbError) || error.code !== 'connection-lost') throw error;
      }
      const document = { node: node.number, id: node.id, address: node.address, graceful };
      const text = graceful
        ? `node ${node.number} (${node.address}) finishes what it accepted and exits\n`
        : `node ${node.number} (${node.address}) was killed; what it owns stays its own\n`;
      context.report.result(document, text);
    });
  });
}

import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { CliError } from '../cli-error.js';
import { runAttachedNode } from '../dev/attached-node.js';
import { describeNode } from '../dev/dev-cluster.js';
import { DevFiles } from '../dev/dev-files.js';
import { planNodes, planOfRunning } from '../dev/dev-plan.js';
import { ExitCode } from '../exit-code.js';
import type { DevOptions } from './dev.js';

/** `memdb dev add`: one more node joins the running development cluster, below this terminal. */
export function registerDevAdd(dev: Command, context: CliContext): void {
  dev
    .command('add')
    .description('let one more node join the running development cluster, until Ctrl-C')
    .action(async (_options: unknown, command: Command) => {
      await runDevAdd(command.optsWithGlobals<DevOptions>().data, context);
    });
}

async function runDevAdd(directory: string, context: CliContext): Promise<void> {
  const files = new DevFiles(directory);
  const cluster = files.readCluster();
  const [first] = cluster?.nodes ?? [];
  if (cluster === undefined || first === undefined) {
    const message = `no development cluster runs from ${directory}; start one with: memdb dev`;
    throw new CliError('no-cluster', ExitCode.failed, message);
  }
  const nodes = cluster.nodes.length + 1;
  const plans = planNodes({ nodes, port: planOfRunning(1, first).address.port, directory: files.directory });
  const plan = plans[nodes - 1];
  if (plan === undefined) throw new Error('no plan for one more node');
  files.writeNodeConfig(plan, plans);
  await runAttachedNode(plan, files, context, (node, serving) => {
    const entry = describeNode(node, serving);
    files.addToCluster(entry);
    const text = `${plan.name} has joined at ${entry.address} (process ${node.pid}); Ctrl-C stops it, memdb leave ${serving.number} lets it go\n`;
    context.report.result({ ...serving, name: plan.name, address: entry.address, pid: node.pid }, text);
  });
}

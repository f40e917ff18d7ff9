import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { CliError } from '../cli-error.js';
import { runAttachedNode } from '../dev/attached-node.js';
import type { ClusterFile, ClusterFileNode } from '../dev/cluster-file.js';
import { DevFiles } from '../dev/dev-files.js';
import { planOfRunning } from '../dev/dev-plan.js';
import { ExitCode } from '../exit-code.js';
import type { DevOptions } from './dev.js';

/** `memdb dev start NODE`: a node that died or was killed runs again, below this terminal. */
export function registerDevStart(dev: Command, context: CliContext): void {
  dev
    .command('start')
    .description('start a stopped node of the running development cluster again, until Ctrl-C')
    .argument('<node>', 'its place in the list: 1, or node1')
    .action(async (name: string, _options: unknown, command: Command) => {
      await runDevStart(name, command.optsWithGlobals<DevOptions>().data, context);
    });
}

async function runDevStart(name: string, directory: string, context: CliContext): Promise<void> {
  const files = new DevFiles(directory);
  const { index, entry } = findStopped(name, files.readCluster(), directory);
  const plan = planOfRunning(index, entry);
  await runAttachedNode(plan, files, context, (node, serving) => {
    files.updateCluster(index, { pid: node.pid });
    const document = { ...serving, name: plan.name, address: entry.address, pid: node.pid };
    const text = `${plan.name} serves again at ${entry.address} (process ${node.pid}); Ctrl-C stops it\n`;
    context.report.result(document, text);
  });
}

function findStopped(
  name: string,
  cluster: ClusterFile | undefined,
  directory: string,
): { readonly index: number; readonly entry: ClusterFileNode } {
  if (cluster === undefined) {
    const message = `no development cluster runs from ${directory}; start one with: memdb dev`;
    throw new CliError('no-cluster', ExitCode.failed, message);
  }
  const index = Number(/^(?:node)?([1-9]\d*)$/.exec(name)?.[1] ?? 0);
  const entry = cluster.nodes[index - 1];
  if (entry === undefined) {
    const known = cluster.nodes.map((_, offset) => `node${offset + 1}`).join(', ');
    throw new CliError('no-such-node', ExitCode.usage, `there is no node "${name}"; the cluster has ${known}`);
  }
  if (entry.pid !== null) {
    throw new CliError('already-running', ExitCode.failed, `node${index} runs already (process ${entry.pid})`);
  }
  return { index, entry };
}

import { join } from 'node:path';
import type { Command } from 'commander';
import { watchForChange } from '../../platform/file-watch.js';
import { SystemClock } from '../../platform/system-clock.js';
import { SystemTimers } from '../../platform/system-timers.js';
import type { CliContext } from '../cli-context.js';
import { CliError } from '../cli-error.js';
import { type ClusterFile, type ClusterFileNode, clusterFileName } from '../dev/cluster-file.js';
import { DevFiles } from '../dev/dev-files.js';
import { DevNode } from '../dev/dev-node.js';
import { planOfRunning } from '../dev/dev-plan.js';
import { ExitCode } from '../exit-code.js';
import { StopRequest } from '../stop-request.js';
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
  const { report, io } = context;
  const files = new DevFiles(directory);
  const { index, entry } = findStopped(name, files.readCluster(), directory);
  const plan = planOfRunning(index, entry);
  const stop = new StopRequest(new SystemClock());
  const died = (how: string): void => {
    report.note(`memdb: ${plan.name} ended (${how})`);
    context.exitCode = ExitCode.failed;
    stop.request();
  };
  const node = new DevNode({ plan, environment: io.environment, timers: new SystemTimers(), onDeath: died });
  const followCluster = (): void => {
    const noted = files.readCluster()?.nodes[index - 1]?.pid;
    if (noted !== node.pid) stop.request();
  };
  try {
    const serving = await Promise.race([node.serving, stop.requested]);
    if (typeof serving !== 'string') {
      files.updateCluster(index, { pid: node.pid });
      const unwatch = watchForChange(join(files.directory, clusterFileName), followCluster);
      const document = { ...serving, name: plan.name, address: entry.address, pid: node.pid };
      report.result(document, `${plan.name} serves again at ${entry.address} (process ${node.pid}); Ctrl-C stops it\n`);
      await stop.requested;
      unwatch();
    }
  } finally {
    stop.onAgain(() => void node.stop(true));
    await node.stop(false);
    files.updateCluster(index, { pid: null });
    stop.close();
  }
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

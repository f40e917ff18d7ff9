import { join } from 'node:path';
import { watchForChange } from '../../platform/file-watch.js';
import { SystemClock } from '../../platform/system-clock.js';
import { SystemTimers } from '../../platform/system-timers.js';
import type { CliContext } from '../cli-context.js';
import { ExitCode } from '../exit-code.js';
import { StopRequest } from '../stop-request.js';
import { clusterFileName } from './cluster-file.js';
import type { DevFiles } from './dev-files.js';
import { DevNode, type ServingNode } from './dev-node.js';
import type { DevNodePlan } from './dev-plan.js';
import { departedText } from './dev-text.js';

/**
 * Runs one node of a development cluster below this terminal, until Ctrl-C here, or until the cluster stops. `onServing`
 * notes it in `cluster.json`: whoever takes its process out of there ends it.
 */
export async function runAttachedNode(
  plan: DevNodePlan,
  files: DevFiles,
  context: CliContext,
  onServing: (node: DevNode, serving: ServingNode) => void,
): Promise<void> {
  const { report, io } = context;
  const stop = new StopRequest(new SystemClock());
  const node = new DevNode({
    plan,
    environment: io.environment,
    timers: new SystemTimers(),
    onDeath: (how) => {
      report.note(`memdb: ${plan.name} ended (${how})`);
      context.exitCode = ExitCode.failed;
      stop.request();
    },
    onDeparted: (message, isOrderly) => {
      report.note(departedText(plan, message));
      if (!isOrderly) context.exitCode = ExitCode.failed;
      stop.request();
    },
  });
  const followCluster = (): void => {
    const noted = files.readCluster()?.nodes[plan.index - 1]?.pid;
    if (noted !== node.pid) stop.request();
  };
  try {
    const serving = await Promise.race([node.serving, stop.requested]);
    if (typeof serving === 'object') {
      onServing(node, serving);
      const unwatch = watchForChange(join(files.directory, clusterFileName), followCluster);
      await stop.requested;
      unwatch();
    }
  } finally {
    stop.onAgain(() => void node.stop(true));
    await node.stop(false);
    files.updateCluster(plan.index, { pid: null });
    stop.close();
  }
}

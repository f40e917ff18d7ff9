import { type Command, InvalidArgumentError } from 'commander';
import { SystemClock } from '../../platform/system-clock.js';
import { SystemRandom } from '../../platform/system-random.js';
import { SystemTimers } from '../../platform/system-timers.js';
import type { CliContext } from '../cli-context.js';
import { CliError } from '../cli-error.js';
import { defaultDataDirectory } from '../dev/cluster-file.js';
import { DevCluster } from '../dev/dev-cluster.js';
import { DevFiles } from '../dev/dev-files.js';
import { type DevNodePlan, devNodesMax, planManager, planNodes } from '../dev/dev-plan.js';
import { deathText, departedText, servingText } from '../dev/dev-text.js';
import { ExitCode } from '../exit-code.js';
import type { JsonValue } from '../report.js';
import { StopRequest } from '../stop-request.js';
import { registerDevAdd } from './dev-add.js';
import { registerDevStart } from './dev-start.js';

const nodesDefault = 3;
const portDefault = 10_000;
const managerPortDefault = 8080;

export interface DevOptions {
  readonly nodes?: number;
  readonly data: string;
  readonly port: number;
  /** Undefined: the usual one, and no manager when that is taken. */
  readonly managerPort?: number;
  readonly fresh?: boolean;
}

/** `memdb dev`: a cluster of processes on this machine, to develop against and to watch. */
export function registerDev(program: Command, context: CliContext): void {
  const dev = program
    .command('dev')
    .description('run a development cluster on this machine until Ctrl-C')
    .option(
      '--nodes <n>',
      `how many nodes (default: as many as the data directory holds, else ${nodesDefault})`,
      (text) => parseWhole(text, 1, devNodesMax),
    )
    .option('--data <dir>', 'where everything is kept', defaultDataDirectory)
    .option(
      '--port <port>',
      'of node 1; node i takes port + i − 1, its http port is 100 above',
      (text) => parseWhole(text, 1, 65_535),
      portDefault,
    )
    .option('--manager-port <port>', `of the dashboard and REST API (default: ${managerPortDefault})`, (text) =>
      parseWhole(text, 1, 65_535),
    )
    .option('--fresh', 'remove the data of earlier runs first')
    .action((options: DevOptions) => runDev(options, context));
  registerDevStart(dev, context);
  registerDevAdd(dev, context);
}

async function runDev(options: DevOptions, context: CliContext): Promise<void> {
  const { report, io } = context;
  const files = new DevFiles(options.data);
  files.lock();
  try {
    if (options.fresh === true) files.removeData();
    files.removeCluster();
    const nodes = countNodes(options, files.countNodes());
    const plans = planNodes({ nodes, port: options.port, directory: files.directory });
    const cluster = new DevCluster({
      files,
      plans,
      keys: files.keys(new SystemRandom()),
      environment: io.environment,
      timers: new SystemTimers(),
      onDeath: (plan: DevNodePlan, how) => report.note(deathText(plan, how, options.data)),
      onDeparted: (plan: DevNodePlan, message) => report.note(departedText(plan, message)),
      manager: planManager(options.managerPort ?? managerPortDefault, files.directory),
      random: new SystemRandom(),
      managerIsOptional: options.managerPort === undefined,
      onNoManager: (why) => report.note(`memdb: no cluster manager runs: ${why}`),
    });
    await runUntilStopped(cluster, options, context);
  } finally {
    files.unlock();
  }
}

async function runUntilStopped(cluster: DevCluster, options: DevOptions, context: CliContext): Promise<void> {
  const { report } = context;
  const stop = new StopRequest(new SystemClock());
  try {
    const running = await Promise.race([cluster.start(), stop.requested]);
    if (typeof running !== 'string') {
      report.result(running as unknown as JsonValue, servingText(running, options.data));
      await stop.requested;
    }
    report.note('memdb: stopping; the data stays');
  } finally {
    stop.onAgain(() => void cluster.stop(true));
    await cluster.stop(false);
    stop.close();
  }
}

/** How many nodes there are was decided when the cluster was founded, and by `memdb dev add` since. */
function countNodes(options: DevOptions, existing: number): number {
  if (existing === 0) return options.nodes ?? nodesDefault;
  if (options.nodes !== undefined && options.nodes !== existing) {
    throw new CliError(
      'nodes-differ',
      ExitCode.failed,
      `${options.data} holds a cluster of ${existing} nodes: leave --nodes out, add --fresh to start over, or give another --data`,
    );
  }
  return existing;
}

function parseWhole(text: string, minimum: number, maximum: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < minimum || value > maximum) {
    throw new InvalidArgumentError(`Give a whole number from ${minimum} to ${maximum}.`);
  }
  return value;
}

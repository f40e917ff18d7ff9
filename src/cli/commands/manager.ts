import { type Command, Option } from 'commander';
import { type LoadedConfig, loadConfig } from '../../config/load-config.js';
import type { CliContext } from '../cli-context.js';
import { collect, configSources, defaultConfigFile } from '../config-sources.js';

interface ManagerOptions {
  readonly config?: string;
  readonly listen?: string;
  readonly seeds?: string;
  readonly set: readonly string[];
  readonly parentChannel?: boolean;
}

/** `memdb manager`: REST API, live feed and dashboard, in the foreground, until SIGTERM. */
export function registerManager(program: Command, context: CliContext): void {
  program
    .command('manager')
    .description('run the cluster manager: REST API and dashboard; it may run anywhere, and more than one may run')
    .option('--config <file>', `configuration file (default: ${defaultConfigFile}, if it exists)`)
    .option('--listen <host:port>', 'manager.listen')
    .option('--seeds <list>', 'cluster.seeds: host:port,host:port')
    .option('--set <section.key=value>', 'any setting; may be repeated', collect, [])
    .addOption(new Option('--parent-channel').hideHelp())
    .action(async ({ config, listen, seeds, set, parentChannel }: ManagerOptions) => {
      const named = [
        { option: 'listen', key: 'manager.listen', value: listen },
        { option: 'seeds', key: 'cluster.seeds', value: seeds },
      ];
      const load = (): LoadedConfig => loadConfig(configSources(config, set, named, context.io));
      const { runManager } = await import('../manager/run-manager.js');
      context.exitCode = await runManager({ load, withParent: parentChannel === true, context });
    });
}

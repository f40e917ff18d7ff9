import { type Command, Option } from 'commander';
import { type ConfigSources, type LoadedConfig, loadConfig } from '../../config/load-config.js';
import { printConfig } from '../../config/print-config.js';
import type { CliContext } from '../cli-context.js';
import type { CliIo } from '../cli-io.js';
import { collect, configSources, defaultConfigFile } from '../config-sources.js';
import type { JsonValue } from '../report.js';
import { loadKeys } from '../server/load-keys.js';

interface ServerOptions {
  readonly config?: string;
  readonly data?: string;
  readonly listen?: string;
  readonly http?: string;
  readonly seeds?: string;
  readonly zone?: string;
  readonly set: readonly string[];
  readonly checkConfig?: boolean;
  readonly printConfig?: boolean;
  readonly parentChannel?: boolean;
}

/** Flags with a name of their own, and the setting each stands for. */
const namedFlags = [
  ['data', 'node.data_dir'],
  ['listen', 'node.listen'],
  ['http', 'node.http'],
  ['seeds', 'cluster.seeds'],
  ['zone', 'node.zone'],
] as const;

/** `memdb server`: one node, in the foreground, until SIGTERM. */
export function registerServer(program: Command, context: CliContext): void {
  program
    .command('server')
    .description('run one node; SIGTERM drains and ends it, SIGHUP reloads configuration and keys')
    .option('--config <file>', `configuration file (default: ${defaultConfigFile}, if it exists)`)
    .option('--data <dir>', 'node.data_dir')
    .option('--listen <host:port>', 'node.listen')
    .option('--http <host:port>', 'node.http, or off')
    .option('--seeds <list>', 'cluster.seeds: host:port,host:port')
    .option('--zone <name>', 'node.zone')
    .option('--set <section.key=value>', 'any setting; may be repeated', collect, [])
    .option('--check-config', 'say what is wrong with configuration and keys, then end')
    .option('--print-config', 'print the configuration in force and where each value comes from, then end')
    .addOption(new Option('--parent-channel').hideHelp())
    .action(async (options: ServerOptions) => {
      const load = (): LoadedConfig => loadConfig(sourcesOf(options, context.io));
      if (options.printConfig === true) {
        const loaded = load();
        context.report.result(loaded.config as unknown as JsonValue, printConfig(loaded));
      } else if (options.checkConfig === true) checkConfig(load(), context);
      else {
        // The node is half of the program: commands on data start faster without it.
        const { runServer } = await import('../server/run-server.js');
        context.exitCode = await runServer({ load, withParent: options.parentChannel === true, context });
      }
    });
}

function checkConfig(loaded: LoadedConfig, context: CliContext): void {
  const keys = loadKeys(loaded.config.auth.keysFile, context.io);
  const warnings = [...loaded.warnings, ...keys.warnings];
  for (const warning of warnings) context.report.note(`memdb: warning: ${warning}`);
  context.report.result({ valid: true, warnings }, 'the configuration and the keys file are valid\n');
}

function sourcesOf(options: ServerOptions, io: CliIo): ConfigSources {
  const named = namedFlags.map(([option, key]) => ({ option, key, value: options[option] }));
  return configSources(options.config, options.set, named, io);
}

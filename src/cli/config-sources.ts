import { hostname } from 'node:os';
import type { ConfigSources } from '../config/load-config.js';
import { loadBlockCodec } from '../platform/block-codec.js';
import { CliError } from './cli-error.js';
import type { CliIo } from './cli-io.js';
import { ExitCode } from './exit-code.js';
import { asText } from './value-text.js';

/** Read when `--config` is absent, if it exists. */
export const defaultConfigFile = '/etc/memdb/memdb.toml';

/** A flag that stands for one setting. */
export interface NamedFlag {
  readonly option: string;
  readonly key: string;
  readonly value: string | undefined;
}

/** Where the configuration comes from: file, environment, `--set`, and flags with a name of their own, which win. */
export function configSources(
  configFile: string | undefined,
  assignments: readonly string[],
  named: readonly NamedFlag[],
  io: CliIo,
): ConfigSources {
  const flags: { flag: string; key: string; value: string }[] = [];
  for (const assignment of assignments) flags.push({ flag: `--set ${assignment}`, ...splitAssignment(assignment) });
  for (const { option, key, value } of named) {
    if (value !== undefined) flags.push({ flag: `--${option}`, key, value });
  }
  return {
    ...readConfigFile(configFile, io),
    environment: io.environment,
    flags,
    machine: { hostName: hostname(), codec: () => loadBlockCodec()?.name },
  };
}

/** For an option that may be repeated. */
export function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}

function readConfigFile(path: string | undefined, io: CliIo): Pick<ConfigSources, 'file'> {
  const bytes = path === undefined ? io.readFileIfExists(defaultConfigFile) : io.readFile(path);
  if (bytes === undefined) return {};
  const name = path ?? defaultConfigFile;
  const text = asText(bytes);
  if (text === undefined) throw new CliError('config-invalid', ExitCode.failed, `${name} is not UTF-8 text`);
  return { file: { name, text } };
}

function splitAssignment(assignment: string): { readonly key: string; readonly value: string } {
  const equals = assignment.indexOf('=');
  if (equals < 1) {
    const message = `--set takes section.key=value, such as --set storage.durability=interval, not "${assignment}"`;
    throw new CliError('usage', ExitCode.usage, message);
  }
  return { key: assignment.slice(0, equals).trim(), value: assignment.slice(equals + 1) };
}

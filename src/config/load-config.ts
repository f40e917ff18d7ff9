import { parse as parseToml, TomlError } from 'smol-toml';
import type { MemDbConfig } from './config.js';
import { ConfigError, type ConfigProblem } from './config-error.js';
import { crossCheck } from './cross-check.js';
import { nearest } from './nearest.js';
import { type AnySetting, assemble, type MachineFacts, type Setting, settings } from './schema.js';

/** Where values come from, weakest first: file, environment, flags. Nothing is read here; the caller read it. */
export interface ConfigSources {
  readonly file?: { readonly name: string; readonly text: string };
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** In the order given; a later one wins. `flag` is what the person typed, for messages. */
  readonly flags?: readonly { readonly flag: string; readonly key: string; readonly value: string }[];
  readonly machine: MachineFacts;
}

export interface LoadedConfig {
  readonly config: MemDbConfig;
  /** Sentences about what looks odd and was ignored. */
  readonly warnings: readonly string[];
  /** `section.key` → where its value came from; a key that is absent has its default. */
  readonly origins: ReadonlyMap<string, string>;
}

/** Read by the command line, not by a node. */
const environmentOfClients: ReadonlySet<string> = new Set(['MEMDB_URL']);

/** Kubernetes sets these in every pod beside a service called `memdb…`; they are not meant for us. */
const kubernetesServiceVariable = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)$/;

const settingByName: ReadonlyMap<string, AnySetting> = new Map(settings.map((setting) => [nameOf(setting), setting]));
const settingByVariable: ReadonlyMap<string, AnySetting> = new Map(
  settings.map((setting) => [variableOf(setting), setting]),
);

/** `section.key`, as in messages and in `--set`. */
export function nameOf(setting: Pick<AnySetting, 'section' | 'key'>): string {
  return `${setting.section}.${setting.key}`;
}

/** `MEMDB_SECTION_KEY`. */
export function variableOf(setting: Pick<AnySetting, 'section' | 'key'>): string {
  return `MEMDB_${setting.section}_${setting.key}`.toUpperCase();
}

/**
 * Merges the sources over the defaults and validates the result.
 *
 * @throws ConfigError with every problem found, each naming key, value and what is allowed.
 * @example loadConfig({ file: { name: 'memdb.toml', text }, environment: process.env, machine: { hostName } }).config
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const merge = new Merge();
  if (sources.file !== undefined) readFile(sources.file.name, sources.file.text, merge);
  readEnvironment(sources.environment ?? {}, merge);
  for (const { flag, key, value } of sources.flags ?? []) merge.add(flag, key, value);

  if (merge.problems.length > 0) throw new ConfigError(merge.problems);
  const config = assemble((setting) => merge.read(setting), sources.machine);
  const broken = crossCheck(config, sources.machine);
  if (broken.length > 0) {
    throw new ConfigError(
      broken.map((rule) => ({
        source: merge.origins.get(rule.key) ?? 'configuration',
        key: rule.key,
        message: rule.message,
      })),
    );
  }
  return { config, warnings: merge.warnings, origins: merge.origins };
}

/** Collects values, origins and everything that is wrong, so that all problems are reported at once. */
class Merge {
  readonly values: Map<string, unknown> = new Map();
  readonly origins: Map<string, string> = new Map();
  readonly problems: ConfigProblem[] = [];
  readonly warnings: string[] = [];

  add(source: string, name: string, raw: unknown): void {
    const setting = settingByName.get(name);
    if (setting === undefined) {
      this.problems.push({ source, key: name, message: unknownName(name) });
      return;
    }
    const value = setting.kind.parse(raw);
    if (value === undefined) {
      this.problems.push({ source, key: name, message: `${name} = ${show(raw)} must be ${setting.kind.allowed}` });
      return;
    }
    this.values.set(name, value);
    this.origins.set(name, source);
  }

  read<T>(setting: Setting<T>): T {
    const name = nameOf(setting);
    return this.values.has(name) ? (this.values.get(name) as T) : setting.fallback;
  }
}

function readFile(fileName: string, text: string, merge: Merge): void {
  let document: Record<string, unknown>;
  try {
    document = parseToml(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const firstLine = error.message.split('\n')[0] ?? '';
    const where = `line ${error.line}, column ${error.column}`;
    merge.problems.push({ source: fileName, key: undefined, message: `${where}: not valid TOML: ${firstLine}` });
    return;
  }
  for (const [section, content] of Object.entries(document)) {
    if (typeof content !== 'object' || content === null || Array.isArray(content) || content instanceof Date) {
      const message = `${section} stands outside a section: ${suggestion(section)}`;
      merge.problems.push({ source: fileName, key: section, message });
      continue;
    }
    for (const [key, raw] of Object.entries(content)) merge.add(fileName, `${section}.${key}`, raw);
    const known = settings.some((setting) => setting.section === section);
    if (!known && Object.keys(content).length === 0) merge.add(fileName, section, content);
  }
}

function readEnvironment(environment: Readonly<Record<string, string | undefined>>, merge: Merge): void {
  for (const [variable, value] of Object.entries(environment)) {
    if (value === undefined || !variable.startsWith('MEMDB_') || environmentOfClients.has(variable)) continue;
    const setting = settingByVariable.get(variable);
    if (setting !== undefined) {
      merge.add(`environment ${variable}`, nameOf(setting), value);
      continue;
    }
    if (kubernetesServiceVariable.test(variable)) continue;
    const near = nearest(variable, settingByVariable.keys());
    if (near === undefined) merge.warnings.push(`environment variable ${variable} is no setting and is ignored`);
    else {
      const message = `unknown setting ${variable}; did you mean ${near}?`;
      merge.problems.push({ source: `environment ${variable}`, key: undefined, message });
    }
  }
}

function unknownName(name: string): string {
  return `unknown key ${name}; ${suggestion(name)}`;
}

function suggestion(name: string): string {
  const near = nearest(name, settingByName.keys()) ?? sameLastPart(name);
  if (near !== undefined) return `did you mean ${near}?`;
  const inSection = settings.filter((setting) => setting.section === name.split('.')[0]);
  if (inSection.length > 0) return `[${name.split('.')[0]}] has ${inSection.map((setting) => setting.key).join(', ')}`;
  return `the sections are ${[...new Set(settings.map((setting) => setting.section))].join(', ')}`;
}

/** Finds `limits.max_value` for `storage.max_value` or a bare `max_value`: the right key in the wrong place. */
function sameLastPart(name: string): string | undefined {
  const key = name.split('.').at(-1);
  const setting = settings.find((candidate) => candidate.key === key);
  return setting === undefined ? undefined : nameOf(setting);
}

function show(raw: unknown): string {
  if (raw instanceof Date) return raw.toISOString();
  const text = typeof raw === 'bigint' ? String(raw) : (JSON.stringify(raw) ?? String(raw));
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

import type { ClusterTopology } from '@memdb/client';
import type { Command } from 'commander';
import { clusterSettingNames, clusterSettingRefusal } from '../../config/cluster-settings.js';
import { type AskedChange, addChangeOptions, type ChangeOptions, runChange } from '../change-command.js';
import type { CliContext } from '../cli-context.js';
import { CliError } from '../cli-error.js';
import { withAdmin } from '../data-command.js';
import { ExitCode } from '../exit-code.js';
import { textTable } from '../text-table.js';

interface SettingOptions extends ChangeOptions {
  readonly unset?: boolean;
}

/** `memdb setting [NAME [VALUE]]`: what the whole cluster agrees on, over what the files of its nodes say. */
export function registerSetting(program: Command, context: CliContext): void {
  const command = program
    .command('setting')
    .description('show or change a setting of the whole cluster, at once and without restarts (needs the admin key)')
    .argument('[name]')
    .argument('[value]')
    .option('--unset', 'take it away: the configuration of each node counts again');
  addChangeOptions(command).action(
    async (name: string | undefined, value: string | undefined, options: SettingOptions) => {
      if (name === undefined) await showAll(context, options);
      else if (value === undefined && options.unset !== true) await showOne(name, context, options);
      else {
        const wanted = options.unset === true ? undefined : value;
        const refusal = clusterSettingRefusal(name, wanted);
        if (refusal !== undefined) throw new CliError('setting-refused', ExitCode.usage, refusal);
        await runChange(context, options, () => changeOf(name, wanted));
      }
    },
  );
}

function changeOf(name: string, value: string | undefined): AskedChange {
  const text = value === undefined ? `${name} is left to the configuration of each node` : `${name} is ${value}`;
  return {
    request: { kind: 'set', name, value },
    question: undefined,
    isDone: (topology) => settingOf(topology, name) === value,
    done: text,
    begun: text,
  };
}

async function showAll(context: CliContext, options: ChangeOptions): Promise<void> {
  await withAdmin(context, options, async (client) => {
    const topology = await client.admin.topology();
    const settings = clusterSettingNames().map(({ name, help }) => ({ name, value: settingOf(topology, name), help }));
    const rows = settings.map(({ name, value, help }) => [name, value ?? '-', help]);
    const document = settings.map(({ name, value }) => ({ name, value: value ?? null }));
    context.report.result(
      { epoch: topology.epoch, settings: document },
      textTable([['setting', 'value', ''], ...rows]),
    );
  });
}

async function showOne(name: string, context: CliContext, options: ChangeOptions): Promise<void> {
  const refusal = clusterSettingRefusal(name, undefined);
  if (refusal !== undefined) throw new CliError('setting-refused', ExitCode.usage, refusal);
  await withAdmin(context, options, async (client) => {
    const value = settingOf(await client.admin.topology(), name);
    if (value === undefined) context.exitCode = ExitCode.notFound;
    context.report.result({ name, value: value ?? null }, value === undefined ? '' : `${value}\n`);
  });
}

function settingOf({ settings }: ClusterTopology, name: string): string | undefined {
  return settings.find((setting) => setting.name === name)?.value;
}

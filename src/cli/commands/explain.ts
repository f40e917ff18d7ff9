import type { OwnerVersion } from '@memdb/client';
import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, callOptions, type DataOptions, withAnyRole } from '../data-command.js';
import { ExitCode } from '../exit-code.js';
import { showValue, valueFields } from '../value-text.js';

/** `memdb explain KEY`: where a key is, what each owner holds, and why one version wins. */
export function registerExplain(program: Command, context: CliContext): void {
  const command = program
    .command('explain')
    .description('print where a key is, which version each owner holds, and why one of them wins')
    .argument('<key>');
  addDataOptions(command, false).action(async (key: string, options: DataOptions) => {
    await withAnyRole(context, options, async (client) => {
      const { bytes, stamp, owners, ...facts } = await client.explain(key, callOptions(options));
      if (bytes === undefined) context.exitCode = ExitCode.notFound;
      const document = {
        ...{ key, ...facts, found: bytes !== undefined },
        ...(bytes === undefined ? {} : valueFields(bytes)),
        stamp: { ...stamp },
        owners: owners.map(ownerDocument),
      };
      const rows: [string, string][] = [
        ['value', bytes === undefined ? '(absent)' : showValue(bytes)],
        ['partition', `${facts.partition}, hash ${facts.hash.toString(16).padStart(8, '0')}, epoch ${facts.epoch}`],
        ...owners.map((owner): [string, string] => [`${owner.place}. node ${owner.node}`, ownerText(owner)]),
      ];
      const width = Math.max(...rows.map(([name]) => name.length));
      const table = rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join('\n');
      context.report.result(document, `${table}\n\n${facts.why}\n`);
    });
  });
}

function ownerDocument({ node, place, holds, stamp, bytes, error }: OwnerVersion): {
  readonly [name: string]: string | number | { readonly counter: number; readonly node: number };
} {
  return {
    ...{ node, place, holds },
    ...(stamp === undefined ? {} : { stamp: { ...stamp } }),
    ...(bytes === undefined ? {} : valueFields(bytes)),
    ...(error === undefined ? {} : { error: error.code }),
  };
}

function ownerText({ holds, stamp, bytes, error }: OwnerVersion): string {
  if (stamp === undefined) return error === undefined ? 'no answer' : `no answer: ${error.message}`;
  if (holds === 'nothing') return 'nothing';
  const value = bytes === undefined ? '(deleted)' : showValue(bytes);
  return `${holds}: ${value}, stamped ${stamp.counter} by node ${stamp.node}`;
}

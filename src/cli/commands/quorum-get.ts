import type { QuorumGetResult, ReplicaResponse, Stamp } from '@memdb/client';
import { type Command, InvalidArgumentError } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, callOptions, type DataOptions, withClient } from '../data-command.js';
import { ExitCode } from '../exit-code.js';
import type { JsonValue } from '../report.js';
import { showValue, valueFields } from '../value-text.js';

type Replies = 'quorum' | 'all' | number;

interface QuorumGetOptions extends DataOptions {
  readonly replies: Replies;
}

/** `memdb quorum-get KEY`: the newest value and what each replica answered. */
export function registerQuorumGet(program: Command, context: CliContext): void {
  const command = program
    .command('quorum-get')
    .description('print the newest value and what each replica answered')
    .argument('<key>')
    .option('--replies <n>', 'quorum, all, or how many replicas must answer', parseReplies, 'quorum' as Replies);
  addDataOptions(command, false).action(async (key: string, options: QuorumGetOptions) => {
    await withClient(context, options, async (client) => {
      const result = await client.quorumGet(key, { ...callOptions(options), replies: options.replies });
      if (result.bytes === undefined) context.exitCode = ExitCode.notFound;
      context.report.result(asDocument(key, result), asTable(result));
    });
  });
}

function asDocument(key: string, result: QuorumGetResult): JsonValue {
  return {
    key,
    found: result.bytes !== undefined,
    ...(result.bytes === undefined ? {} : valueFields(result.bytes)),
    stamp: { ...result.stamp },
    agreed: result.agreed,
    responses: result.responses.map((response) => ({
      node: response.node,
      ...(response.bytes === undefined ? {} : valueFields(response.bytes)),
      ...(response.stamp === undefined ? {} : { found: response.bytes !== undefined, stamp: { ...response.stamp } }),
      ...(response.error === undefined
        ? {}
        : { error: { code: response.error.code, message: response.error.message, outcome: response.error.outcome } }),
    })),
  };
}

function asTable(result: QuorumGetResult): string {
  const rows: [string, string][] = [
    ['value', result.bytes === undefined ? '(absent)' : showValue(result.bytes)],
    ['stamp', showStamp(result.stamp)],
    ['agreed', result.agreed ? 'yes' : 'no; replicas that were behind are repaired'],
    ...result.responses.map((response): [string, string] => [`node ${response.node}`, showResponse(response, result)]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return `${rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join('\n')}\n`;
}

function showResponse(response: ReplicaResponse, result: QuorumGetResult): string {
  if (response.error !== undefined) return `${response.error.code}: ${response.error.message}`;
  if (response.stamp === undefined) return 'no answer';
  const same = response.stamp.counter === result.stamp.counter && response.stamp.node === result.stamp.node;
  if (same) return 'the same';
  const value = response.bytes === undefined ? '(absent)' : showValue(response.bytes);
  return `older: ${value} at ${showStamp(response.stamp)}`;
}

/** Counter and node number; counter 0 means that the key was never written there. */
function showStamp(stamp: Stamp): string {
  return stamp.counter === 0 ? 'never written' : `${stamp.counter} by node ${stamp.node}`;
}

function parseReplies(text: string): Replies {
  if (text === 'quorum' || text === 'all') return text;
  if (!/^[1-9]\d?$/.test(text)) throw new InvalidArgumentError('Give quorum, all, or a number of replicas.');
  return Number(text);
}

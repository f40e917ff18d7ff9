import type { ClusterChange } from '@memdb/client';
import { type Command, InvalidArgumentError } from 'commander';
import { type AskedChange, addChangeOptions, type ChangeOptions, runChange } from '../change-command.js';
import type { CliContext } from '../cli-context.js';
import { CliError } from '../cli-error.js';
import { addDataOptions, type DataOptions, withAdmin } from '../data-command.js';
import { ExitCode } from '../exit-code.js';
import { findNode } from '../node-argument.js';
import type { JsonValue } from '../report.js';
import { roundBytes, textTable } from '../text-table.js';

interface PreviewOptions extends DataOptions {
  readonly weight: number;
  readonly zone: string;
  readonly host: string;
}

/** What the node answers to a preview, as far as it is shown to people. */
interface Preview {
  readonly waits: boolean;
  readonly copies: number;
  readonly bytes: number;
  readonly replicas: number;
  readonly replicationFactor: number;
  readonly nodes: readonly {
    readonly node: number;
    readonly address: string;
    readonly partitionsBefore: number;
    readonly partitionsAfter: number;
    readonly taken: number;
    readonly bytesTaken: number;
  }[];
  readonly withoutQuorum: { readonly count: number };
}

/** `memdb change preview|pause|resume|abort`: what would move, and the change that is under way. */
export function registerChange(program: Command, context: CliContext): void {
  const change = program
    .command('change')
    .description('preview a change of the cluster; pause, resume or abort the one under way (needs the admin key)');
  const preview = change
    .command('preview')
    .description('what would move: join | leave NODE | remove NODE | replace NODE | weigh NODE W | replicate N')
    .argument('<kind>')
    .argument('[node]', 'for replicate: the number of copies')
    .argument('[weight]', 'for weigh')
    .option('--weight <weight>', 'join: of the new node', Number, 1)
    .option('--zone <name>', 'join: of the new node; move: of the node', '')
    .option('--host <name>', 'join: of the new node; move: of the node', '');
  addDataOptions(preview, false).action(
    async (kind: string, node: string | undefined, weight: string | undefined, options: PreviewOptions) => {
      await withAdmin(context, options, async (client) => {
        const numberOf = (): number => findNode(node ?? '', client.topology).number;
        const request = requestOf(kind, numberOf, node, weight, options);
        const result = await client.admin.preview(request);
        context.report.result(result as JsonValue, previewText(result as unknown as Preview));
      });
    },
  );
  for (const kind of ['pause', 'resume', 'abort'] as const) {
    const command = change.command(kind).description(`${kind} the change that is under way`);
    addChangeOptions(command).action((options: ChangeOptions) =>
      runChange(context, options, (_client, { pending }): AskedChange => {
        if (pending === undefined) throw new CliError('no-change', ExitCode.failed, 'no change is under way');
        const said = { pause: 'paused', resume: 'resumed', abort: 'aborted' }[kind];
        return {
          request: { kind },
          question: kind === 'abort' ? 'Abort the change? Nodes that are joining have to start anew.' : undefined,
          isDone: () => true,
          done: `the change is ${said}`,
          begun: `the change is ${said}`,
        };
      }),
    );
  }
}

function requestOf(
  kind: string,
  numberOf: () => number,
  node: string | undefined,
  weight: string | undefined,
  options: PreviewOptions,
): ClusterChange {
  switch (kind) {
    case 'join': {
      const { weight: share, zone, host } = options;
      const uuid = '00000000-0000-4000-8000-000000000000';
      return { kind, record: { uuid, address: 'new:1', http: '', zone, host: host || 'new', weight: share } };
    }
    case 'leave':
    case 'remove':
    case 'replace':
      return { kind, node: numberOf() };
    case 'move':
      return { kind, node: numberOf(), zone: options.zone, host: options.host };
    case 'weigh':
      return { kind, node: numberOf(), weight: wholeOr(weight, 'a weight') };
    case 'replicate':
      return { kind, replicationFactor: wholeOr(node, 'the number of copies') };
    case 'pause':
    case 'resume':
    case 'abort':
      return { kind };
    default:
      throw new InvalidArgumentError(`"${kind}" is no change: join, leave, remove, replace, weigh, move or replicate.`);
  }
}

function wholeOr(text: string | undefined, what: string): number {
  const value = Number(text);
  if (text === undefined || !Number.isFinite(value)) throw new InvalidArgumentError(`Give ${what}.`);
  return value;
}

function previewText(preview: Preview): string {
  const { waits, copies, bytes, replicas, replicationFactor, nodes, withoutQuorum } = preview;
  const rows = nodes.map((node) => [
    String(node.node),
    node.address,
    `${node.partitionsBefore} → ${node.partitionsAfter}`,
    node.taken === 0 ? '-' : `${node.taken} partitions, ${roundBytes(node.bytesTaken)}`,
  ]);
  const notes = [
    `${copies} copies of partitions would move, about ${roundBytes(bytes)}`,
    ...(waits ? ['another change is under way: this one begins when that is done'] : []),
    ...(replicas < replicationFactor
      ? [`each key would have ${replicas} copies, fewer than the ${replicationFactor} wanted`]
      : []),
    withoutQuorum.count === 0
      ? 'every partition keeps its quorum'
      : `${withoutQuorum.count} partitions would be without a quorum: too many of their owners cannot be reached`,
  ];
  return `${textTable([['node', 'address', 'partitions', 'takes'], ...rows])}\n${notes.join('\n')}\n`;
}

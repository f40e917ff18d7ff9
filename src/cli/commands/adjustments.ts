import { type Command, InvalidArgumentError } from 'commander';
import { type AskedChange, addChangeOptions, type ChangeOptions, runChange } from '../change-command.js';
import type { CliContext } from '../cli-context.js';
import { findNode } from '../node-argument.js';

/** `memdb weigh NODE WEIGHT`: how much of the data a node takes. */
export function registerWeigh(program: Command, context: CliContext): void {
  const command = program
    .command('weigh')
    .description('give a node another share of the data (needs the admin key)')
    .argument('<node>', 'its number, address, or the beginning of its id')
    .argument('<weight>', 'relative to the others: 2 takes twice as much as 1', parseWeight);
  addChangeOptions(command).action((name: string, weight: number, options: ChangeOptions) =>
    runChange(context, options, (client): AskedChange => {
      const { number } = findNode(name, client.topology);
      return {
        request: { kind: 'weigh', node: number, weight },
        question: `Give node ${number} the weight ${weight}? Data moves.`,
        isDone: ({ nodes }) => nodes.find((node) => node.number === number)?.weight === weight,
        done: `node ${number} has the weight ${weight}`,
        begun: `node ${number} gets the weight ${weight}`,
      };
    }),
  );
}

interface PlaceOptions extends ChangeOptions {
  readonly zone?: string;
  readonly host?: string;
}

/** `memdb move NODE --zone Z --host H`: where a node stands, so that replicas are spread. */
export function registerMove(program: Command, context: CliContext): void {
  const command = program
    .command('move')
    .description('say that a node stands in another zone, or on another host (needs the admin key)')
    .argument('<node>', 'its number, address, or the beginning of its id')
    .option('--zone <name>', 'its zone from now on; as it was unless given')
    .option('--host <name>', 'its host from now on; as it was unless given');
  addChangeOptions(command).action((name: string, options: PlaceOptions) =>
    runChange(context, options, (client): AskedChange => {
      const node = findNode(name, client.topology);
      const { zone = node.zone, host = node.host } = options;
      const place = zone === '' ? `on host "${host}"` : `in zone "${zone}" on host "${host}"`;
      return {
        request: { kind: 'move', node: node.number, zone, host },
        question: `Let node ${node.number} stand ${place}? Data may move.`,
        isDone: ({ nodes }) => nodes.some((n) => n.number === node.number && n.zone === zone && n.host === host),
        done: `node ${node.number} stands ${place}`,
        begun: `node ${node.number} comes to stand ${place}`,
      };
    }),
  );
}

/** `memdb replicate N`: how many copies there are of each key. */
export function registerReplicate(program: Command, context: CliContext): void {
  const command = program
    .command('replicate')
    .description('keep so many copies of each key (needs the admin key)')
    .argument('<copies>', 'the replication factor', parseCopies);
  addChangeOptions(command).action((replicationFactor: number, options: ChangeOptions) =>
    runChange(context, options, (): AskedChange => {
      return {
        request: { kind: 'replicate', replicationFactor },
        question: `Keep ${replicationFactor} copies of each key? Data moves.`,
        isDone: (topology) => topology.replicationFactor === replicationFactor,
        done: `there are ${replicationFactor} copies of each key, or as many as there are nodes`,
        begun: `the number of copies of each key becomes ${replicationFactor}`,
      };
    }),
  );
}

/** As weights travel: hundredths. */
function parseWeight(text: string): number {
  const weight = Math.round(Number(text) * 100) / 100;
  if (!/^\d+(\.\d+)?$/.test(text) || weight < 0.01 || weight > 655.35) {
    throw new InvalidArgumentError('Give a number from 0.01 to 655.35.');
  }
  return weight;
}

function parseCopies(text: string): number {
  if (!/^[1-7]$/.test(text)) throw new InvalidArgumentError('Give a whole number from 1 to 7.');
  return Number(text);
}

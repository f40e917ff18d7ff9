import type { ClusterTopology } from '@memdb/client';
import type { Command } from 'commander';
import { type AskedChange, addChangeOptions, type ChangeOptions, runChange } from '../change-command.js';
import type { CliContext } from '../cli-context.js';
import { findNode } from '../node-argument.js';

const NODE = 'its number, address, or the beginning of its id';

/** `memdb leave NODE`: hands over what it has, then its process exits with 0. */
export function registerLeave(program: Command, context: CliContext): void {
  const command = program
    .command('leave')
    .description('let a node hand over all it has and exit (needs the admin key)')
    .argument('<node>', NODE);
  addChangeOptions(command).action((name: string, options: ChangeOptions) =>
    runChange(context, options, (client): AskedChange => {
      const { number, address } = findNode(name, client.topology);
      return {
        request: { kind: 'leave', node: number },
        question: `Let node ${number} (${address}) hand over what it has, and exit?`,
        isDone: (topology) => isGone(topology, number),
        done: `node ${number} (${address}) has left`,
        begun: `node ${number} (${address}) hands over what it has; it exits when that is done`,
      };
    }),
  );
}

/** `memdb remove NODE`: a dead node is forgotten; its data comes from the other replicas. */
export function registerRemove(program: Command, context: CliContext): void {
  const command = program
    .command('remove')
    .description('forget a dead node for good; the other replicas make up for it (needs the admin key)')
    .argument('<node>', NODE);
  addChangeOptions(command).action((name: string, options: ChangeOptions) =>
    runChange(context, options, (client): AskedChange => {
      const { number, address } = findNode(name, client.topology);
      return {
        request: { kind: 'remove', node: number },
        question: `Remove node ${number} (${address}) for good?`,
        isDone: (topology) => isGone(topology, number),
        done: `node ${number} (${address}) is removed`,
        begun: `the others take over what node ${number} (${address}) had`,
      };
    }),
  );
}

/** `memdb replace NODE`: a dead node's place is taken by the next node that joins. */
export function registerReplace(program: Command, context: CliContext): void {
  const command = program
    .command('replace')
    .description('give the place of a dead node to the next node that joins (needs the admin key)')
    .argument('<node>', NODE);
  addChangeOptions(command).action((name: string, options: ChangeOptions) =>
    runChange(context, options, (client): AskedChange => {
      const { number, address } = findNode(name, client.topology);
      return {
        request: { kind: 'replace', node: number },
        question: `Give the place of node ${number} (${address}) to the next node that joins?`,
        isDone: (topology) => isGone(topology, number),
        done: `node ${number} (${address}) is replaced`,
        begun: `a new node takes the place of node ${number} (${address})`,
      };
    }),
  );
}

function isGone({ nodes }: ClusterTopology, number: number): boolean {
  return nodes.every((node) => node.number !== number);
}

import type { NodeDescription, TopologyDescription } from '@memdb/client';
import { CliError } from './cli-error.js';
import { ExitCode } from './exit-code.js';

/**
 * The node that a person means: by its number, `node2`, its address, or its UUID or the beginning of that.
 *
 * @throws CliError (usage) that lists the nodes when it is none of them, or more than one.
 */
export function findNode(name: string, topology: TopologyDescription | undefined): NodeDescription {
  const nodes = topology?.nodes ?? [];
  const number = Number(/^(?:node)?([1-9]\d{0,4})$/.exec(name)?.[1] ?? 0);
  const found = nodes.filter(
    (node) => node.number === number || node.address === name || (name.length >= 4 && node.id.startsWith(name)),
  );
  const [node] = found;
  if (node !== undefined && found.length === 1) return node;
  const known = nodes.map((other) => `${other.number} (${other.address})`).join(', ');
  const problem = found.length === 0 ? `there is no node "${name}"` : `"${name}" names more than one node`;
  throw new CliError('no-such-node', ExitCode.usage, `${problem}; the cluster has ${known}`);
}

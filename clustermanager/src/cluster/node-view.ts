import type { ClusterTopology } from '@memdb/client';
import type { NodeMetrics, NodeStatus } from './node-report.js';

/**
 * How a node is. `up`: it answers the manager. `starting`, `draining`: it answers, and says so. `unreachable`: it does not
 * answer the manager, but other nodes hear it, or none of them can be asked. `suspect`, `dead`: other nodes do not hear it
 * either.
 */
export type NodeState = 'up' | 'starting' | 'draining' | 'unreachable' | 'suspect' | 'dead';

/** What the manager knows of one node. Changed by the watcher alone. */
export interface NodeView {
  readonly number: number;
  readonly id: string;
  readonly address: string;
  readonly http: string;
  readonly zone: string;
  readonly host: string;
  readonly weight: number;
  readonly standing: ClusterTopology['nodes'][number]['standing'];
  readonly state: NodeState;
  /** Unix milliseconds: since when it is in that state, as far as this manager saw. */
  readonly sinceMs: number;
  /** Why, as a sentence; undefined for a node that is up. */
  readonly reason: string | undefined;
  /** Its last words. */
  readonly status: NodeStatus | undefined;
  readonly metrics: NodeMetrics | undefined;
  /** Unix milliseconds of those. */
  readonly heardAtMs: number | undefined;
  /** Nodes that do not hear it, by number. */
  readonly unheardBy: readonly number[];
}

/** The answer of one node, or why there is none. */
export type Answer =
  | { readonly kind: 'answered'; readonly status: NodeStatus; readonly metrics: NodeMetrics }
  | { readonly kind: 'silent'; readonly reason: string };

/** What other nodes say about a node. */
export interface Opinions {
  readonly heardBy: readonly number[];
  readonly suspectedBy: readonly number[];
  readonly unheardBy: readonly number[];
}

/** What the nodes that answered say about node `number`. */
export function opinionsOf(number: number, answers: ReadonlyMap<number, Answer>): Opinions {
  const heardBy: number[] = [];
  const suspectedBy: number[] = [];
  const unheardBy: number[] = [];
  for (const [other, answer] of answers) {
    if (other === number || answer.kind === 'silent') continue;
    const member = answer.status.members.find((candidate) => candidate.number === number);
    if (member === undefined) continue;
    if (member.state === 'suspect') suspectedBy.push(other);
    else if (member.reachable) heardBy.push(other);
    else unheardBy.push(other);
  }
  return { heardBy, suspectedBy, unheardBy };
}

/** State and reason out of a node's own answer and what others say. */
export function judge(
  answer: Answer,
  { heardBy, suspectedBy, unheardBy }: Opinions,
): { readonly state: NodeState; readonly reason: string | undefined } {
  if (answer.kind === 'answered') {
    const { phase, ready } = answer.status;
    if (phase === 'draining') return { state: 'draining', reason: 'it finishes what it accepted' };
    if (ready !== true) return { state: 'starting', reason: ready };
    return { state: 'up', reason: undefined };
  }
  if (unheardBy.length > heardBy.length) {
    return { state: 'dead', reason: `${answer.reason} ${namesOf(unheardBy)} not hear from it.` };
  }
  if (suspectedBy.length > 0) return { state: 'suspect', reason: `${answer.reason} ${suspects(suspectedBy)}` };
  if (heardBy.length > 0) {
    return {
      state: 'unreachable',
      reason: `${answer.reason} ${heardBy.length === 1 ? `Node ${heardBy[0]} still hears it.` : `Nodes ${heardBy.join(', ')} still hear it.`}`,
    };
  }
  return { state: 'unreachable', reason: `${answer.reason} No other node can be asked about it.` };
}

function suspects(numbers: readonly number[]): string {
  return numbers.length === 1 ? `Node ${numbers[0]} suspects it.` : `Nodes ${numbers.join(', ')} suspect it.`;
}

/** "Node 2 does" or "Nodes 1 and 2 do". */
function namesOf(numbers: readonly number[]): string {
  const single = numbers.length === 1;
  const names = single ? `Node ${numbers[0]}` : `Nodes ${numbers.slice(0, -1).join(', ')} and ${numbers.at(-1)}`;
  return `${names} ${single ? 'does' : 'do'}`;
}

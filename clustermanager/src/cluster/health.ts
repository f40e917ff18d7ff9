import type { ClusterTopology } from '@memdb/client';
import type { NodeView } from './node-view.js';

export interface Health {
  readonly health: 'ok' | 'degraded' | 'critical' | 'unknown';
  /** Sentences, worst first. */
  readonly reasons: readonly string[];
  /** Partitions of which an owner does not answer. */
  readonly underReplicated: number;
  /** Partitions of which no majority answers. */
  readonly unavailable: number;
}

/** How a cluster is: what nobody can read or write at quorum is critical, what has a copy too few is degraded. */
export function healthOf(topology: ClusterTopology | undefined, nodes: readonly NodeView[], why: string): Health {
  if (topology === undefined) {
    return { health: 'unknown', reasons: [`No node has answered yet: ${why}`], underReplicated: 0, unavailable: 0 };
  }
  const serving = new Set(nodes.filter(isServing).map(({ number }) => number));
  const { underReplicated, unavailable } = countPartitions(topology, serving);
  const reasons: string[] = [];
  const of = (count: number): string => `${count} of ${topology.partitions} partitions`;
  if (unavailable > 0) reasons.push(`${of(unavailable)} have no quorum: reads and writes at quorum fail there.`);
  for (const node of nodes) {
    if (!isServing(node)) reasons.push(`Node ${node.number} (${node.address}) is ${node.state}: ${node.reason ?? ''}`);
  }
  if (underReplicated > 0) reasons.push(`${of(underReplicated)} have fewer than ${topology.replicas} live copies.`);
  if (topology.pending?.isPaused === true) reasons.push('The change that is pending is paused.');
  const health = unavailable > 0 ? 'critical' : reasons.length > 0 ? 'degraded' : 'ok';
  return { health, reasons, underReplicated, unavailable };
}

/** Whether it answers requests. */
export function isServing({ state }: NodeView): boolean {
  return state === 'up' || state === 'draining';
}

function countPartitions(
  { partitions, replicas, owners }: ClusterTopology,
  serving: ReadonlySet<number>,
): { readonly underReplicated: number; readonly unavailable: number } {
  let underReplicated = 0;
  let unavailable = 0;
  const majority = Math.floor(replicas / 2) + 1;
  for (let partition = 0; partition < partitions; partition++) {
    let live = 0;
    for (let place = 0; place < replicas; place++) {
      if (serving.has(owners[partition * replicas + place] ?? 0)) live++;
    }
    if (live < replicas) underReplicated++;
    if (live < majority) unavailable++;
  }
  return { underReplicated, unavailable };
}

import type { WireChange, WireFormerOwner, WireNode, WireRequest, WireTopology } from '@memdb/protocol';
import { NODES_MAX, REPLICAS_MAX } from '@memdb/protocol';
import { place, type RingNode } from 'hash-ring-ts';
import { nodeOf, rowOf } from './epoch-roles.js';
import type { NodeRecord } from './pledge.js';

/** What changes who owns what: asked for by an operator, or by a node for itself. */
export type ChangeRequest = Exclude<WireRequest, { readonly kind: 'set' | 'pause' | 'resume' | 'abort' }>;

/** A weight travels in hundredths with 16 bits. */
const WEIGHT_MAX = 655.35;

/** Why a request cannot be taken up in this epoch, as a sentence; undefined when it can. */
export function refusalOf(topology: WireTopology, request: ChangeRequest): string | undefined {
  switch (request.kind) {
    case 'join': {
      const { uuid, weight } = request.record;
      if (topology.removed.some((node) => node.uuid === uuid)) {
        return 'this node was removed from the cluster for good; empty its data directory to join as a new node';
      }
      if (topology.nodes.length >= NODES_MAX) return `a cluster has at most ${NODES_MAX} nodes`;
      return weightRefusal(weight);
    }
    case 'replicate':
      if (request.replicationFactor >= 1 && request.replicationFactor <= REPLICAS_MAX) return undefined;
      return `the replication factor is 1 to ${REPLICAS_MAX}`;
    case 'leave':
    case 'remove':
    case 'replace':
    case 'weigh':
    case 'move': {
      const node = nodeOf(topology, request.node);
      if (node === undefined) return `there is no node ${request.node}`;
      if (node.standing === 'joining')
        return `node ${request.node} is joining; abort the change that admits it instead`;
      if (node.standing === 'departing' && request.kind !== 'remove') return `node ${request.node} has left already`;
      const members = topology.nodes.filter(({ standing }) => standing === 'member');
      if (request.kind === 'leave' || request.kind === 'remove') {
        if (members.length === 1 && node.standing === 'member') return 'the last node of a cluster cannot go';
      }
      return request.kind === 'weigh' ? weightRefusal(request.weight) : undefined;
    }
  }
}

function weightRefusal(weight: number): string | undefined {
  return weight >= 0.01 && weight <= WEIGHT_MAX ? undefined : `a weight is 0.01 to ${WEIGHT_MAX}`;
}

/**
 * The epoch that begins a change of owners: pending when data has to move, committed at once when none has to. All
 * requests become one change. `isReleased` says of former owners that they have handed over what they had.
 * A pure function: what it returns is proposed, and only what is decided counts.
 *
 * Throws RangeError when a request is refused (`refusalOf`), or nobody would be left.
 */
export function beginChange(
  topology: WireTopology,
  requests: readonly ChangeRequest[],
  isReleased: (entry: WireFormerOwner) => boolean,
): WireTopology {
  if (topology.pending !== undefined) throw new RangeError('a change is pending already');
  return began(topology, [], requests, isReleased);
}

/** `before`: changes that are part of it already; the nodes that join by them are in the topology. */
function began(
  topology: WireTopology,
  before: readonly WireChange[],
  requests: readonly ChangeRequest[],
  isReleased: (entry: WireFormerOwner) => boolean,
): WireTopology {
  for (const request of requests) {
    const refusal = refusalOf(topology, request);
    if (refusal !== undefined) throw new RangeError(refusal);
  }
  const joiners = joinersOf(topology, requests);
  const going = new Set(requests.flatMap((request) => (request.kind === 'remove' ? [request.node] : [])));
  // Whoever was to leave, and is removed now, does not hand over any more.
  const kept = before.filter((change) => change.kind !== 'leave' || !going.has(change.node));
  const changes = [...kept, ...changesOf(requests, joiners)];
  const begun: WireTopology = {
    ...topology,
    epoch: topology.epoch + 1,
    nodes: [...topology.nodes, ...joiners],
    highestNumber: topology.highestNumber + joiners.length,
    former: topology.former.filter((entry) => !isReleased(entry)),
  };
  const replicationFactor = replicationFactorOf(topology, changes);
  const next = nextNodes(begun, changes);
  if (next.length === 0) throw new RangeError('no node would be left');
  const replaced = new Map(
    requests
      .flatMap((request) => (request.kind === 'replace' ? [request.node] : []))
      .map((node, index) => [node, joiners[index]?.uuid]),
  );
  const { replicas, owners } = place({
    nodes: next.map(ringNode),
    partitions: topology.partitions,
    replicas: replicationFactor,
    previous: previousTable(topology, replaced),
  });
  const pending = {
    begun: begun.epoch,
    isPaused: false,
    changes,
    replicas,
    owners: owners.map((index) => next[index].number),
  };
  const changed = { ...begun, pending };
  return movesNothing(changed) ? settle(changed) : changed;
}

/**
 * The epoch in which the pending change is another one: what it was, and that nodes go for good that were to be owners
 * after it. Nodes that are joining go on joining. As an abort and a new change in one step.
 */
export function amendChange(
  topology: WireTopology,
  requests: readonly ChangeRequest[],
  isReleased: (entry: WireFormerOwner) => boolean,
): WireTopology {
  const { pending } = topology;
  if (pending === undefined) throw new RangeError('no change is pending');
  const amended = began({ ...topology, pending: undefined }, pending.changes, requests, isReleased);
  if (amended.pending === undefined) return amended;
  return { ...amended, pending: { ...amended.pending, isPaused: pending.isPaused } };
}

/** The epoch in which the new owners alone own everything: every one of them is complete. */
export function commitChange(topology: WireTopology): WireTopology {
  return settle({ ...topology, epoch: topology.epoch + 1 });
}

/** The epoch in which all is as it was before the change. Nodes that were joining do not come back. */
export function abortChange(topology: WireTopology): WireTopology {
  const joiners = topology.nodes.filter(({ standing }) => standing === 'joining');
  return {
    ...topology,
    epoch: topology.epoch + 1,
    nodes: topology.nodes.filter(({ standing }) => standing !== 'joining'),
    removed: [...topology.removed, ...joiners.map(({ number, uuid }) => ({ number, uuid }))],
    pending: undefined,
  };
}

/** The epoch in which the pending change stands still, or goes on. */
export function pauseChange(topology: WireTopology, isPaused: boolean): WireTopology {
  const { pending } = topology;
  if (pending === undefined) throw new RangeError('no change is pending');
  return { ...topology, epoch: topology.epoch + 1, pending: { ...pending, isPaused } };
}

/** The epoch without nodes that have left and handed over all they had. */
export function retire(topology: WireTopology, numbers: readonly number[]): WireTopology {
  const gone = topology.nodes.filter(({ number, standing }) => standing === 'departing' && numbers.includes(number));
  return withoutNodes({ ...topology, epoch: topology.epoch + 1 }, gone);
}

/** The epoch in which a setting of the whole cluster has another value; undefined takes it away. */
export function withSetting(topology: WireTopology, name: string, value: string | undefined): WireTopology {
  const others = topology.settings.filter((setting) => setting.name !== name);
  const settings = value === undefined ? others : [...others, { name, value }];
  settings.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { ...topology, epoch: topology.epoch + 1, settings };
}

function settle(topology: WireTopology): WireTopology {
  const { pending } = topology;
  if (pending === undefined) throw new RangeError('no change is pending');
  const { changes, owners, replicas } = pending;
  const left = new Set(changes.flatMap((change) => (change.kind === 'leave' ? [change.node] : [])));
  const removed = topology.nodes.filter(({ number }) =>
    changes.some((change) => change.kind === 'remove' && change.node === number),
  );
  const nodes = topology.nodes.map((node): WireNode => {
    const standing = left.has(node.number) ? 'departing' : node.standing === 'joining' ? 'member' : node.standing;
    return { ...changedNode(node, changes), standing };
  });
  const settled: WireTopology = {
    ...topology,
    nodes,
    owners,
    replicas,
    replicationFactor: replicationFactorOf(topology, changes),
    pending: undefined,
    former: formerAfter(topology, owners, replicas),
  };
  return withoutNodes(settled, removed);
}

function withoutNodes(topology: WireTopology, gone: readonly WireNode[]): WireTopology {
  const numbers = new Set(gone.map(({ number }) => number));
  return {
    ...topology,
    nodes: topology.nodes.filter(({ number }) => !numbers.has(number)),
    removed: [...topology.removed, ...gone.map(({ number, uuid }) => ({ number, uuid }))],
    former: topology.former.filter(({ node }) => !numbers.has(node)),
  };
}

/** Who owned a partition, and does no longer. */
function formerAfter(topology: WireTopology, owners: Uint16Array, replicas: number): WireFormerOwner[] {
  const owns = (partition: number, node: number): boolean => rowOf(owners, replicas, partition).includes(node);
  const former = topology.former.filter(({ partition, node }) => !owns(partition, node));
  const known = new Set(former.map(({ partition, node }) => partition * 65_536 + node));
  for (let at = 0; at < topology.owners.length; at++) {
    const partition = Math.floor(at / topology.replicas);
    const node = topology.owners[at];
    if (!owns(partition, node) && !known.has(partition * 65_536 + node)) former.push({ partition, node });
  }
  return former;
}

function joinersOf(topology: WireTopology, requests: readonly ChangeRequest[]): WireNode[] {
  const records = new Map<string, NodeRecord>();
  for (const request of requests) {
    if (request.kind !== 'join' || topology.nodes.some(({ uuid }) => uuid === request.record.uuid)) continue;
    records.set(request.record.uuid, request.record);
  }
  return [...records.values()].map((record, index): WireNode => {
    return { number: topology.highestNumber + 1 + index, standing: 'joining', ...record };
  });
}

function changesOf(requests: readonly ChangeRequest[], joiners: readonly WireNode[]): WireChange[] {
  const changes: WireChange[] = joiners.map(({ number }) => ({ kind: 'join', node: number }));
  const going = new Set<number>();
  for (const request of requests) {
    switch (request.kind) {
      case 'join':
        break;
      case 'leave':
      case 'remove':
      case 'replace':
        // Asked twice, it goes once: the first request counts.
        if (going.has(request.node)) break;
        going.add(request.node);
        changes.push({ kind: request.kind === 'leave' ? 'leave' : 'remove', node: request.node });
        break;
      case 'weigh':
      case 'move':
      case 'replicate':
        changes.push(request);
        break;
    }
  }
  return changes;
}

/** The nodes that own something after a change, with the weights and places that they have then. */
function nextNodes(topology: WireTopology, changes: readonly WireChange[]): WireNode[] {
  const going = new Set(
    changes.flatMap((change) => (change.kind === 'leave' || change.kind === 'remove' ? [change.node] : [])),
  );
  return topology.nodes
    .filter(({ number, standing }) => standing !== 'departing' && !going.has(number))
    .map((node) => changedNode(node, changes));
}

function changedNode(node: WireNode, changes: readonly WireChange[]): WireNode {
  let { weight, zone, host } = node;
  for (const change of changes) {
    if (change.kind === 'weigh' && change.node === node.number) weight = change.weight;
    else if (change.kind === 'move' && change.node === node.number) ({ zone, host } = change);
  }
  return { ...node, weight, zone, host };
}

function replicationFactorOf(topology: WireTopology, changes: readonly WireChange[]): number {
  return changes.reduce(
    (factor, change) => (change.kind === 'replicate' ? change.replicationFactor : factor),
    topology.replicationFactor,
  );
}

function ringNode({ uuid, weight, zone, host }: WireNode): RingNode {
  return { id: uuid, weight, zone, host };
}

/** The table in force, in which a node that is replaced already bears the name of the one that takes its place. */
function previousTable(
  topology: WireTopology,
  replaced: ReadonlyMap<number, string | undefined>,
): { ids: string[]; placement: { partitions: number; replicas: number; owners: Uint16Array } } {
  const { nodes, partitions, replicas } = topology;
  const indexes = new Map(nodes.map(({ number }, index) => [number, index]));
  const owners = topology.owners.map((number) => indexes.get(number) ?? 0);
  const ids = nodes.map(({ number, uuid }) => replaced.get(number) ?? uuid);
  return { ids, placement: { partitions, replicas, owners } };
}

/** Whether every partition has the same owners after the change, in whatever order. */
function movesNothing({ owners, replicas, partitions, pending }: WireTopology): boolean {
  if (pending === undefined || pending.replicas !== replicas) return pending === undefined;
  for (let partition = 0; partition < partitions; partition++) {
    const row = rowOf(owners, replicas, partition);
    const next = rowOf(pending.owners, replicas, partition);
    if (!next.every((owner) => row.includes(owner))) return false;
  }
  return true;
}

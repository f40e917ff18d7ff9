import type { WireNode, WireRequest, WireTopology } from '@memdb/protocol';
import { beginChange, commitChange, refusalOf } from '../epoch-change.js';
import { nodeOf, rowOf } from '../epoch-roles.js';
import { isChange } from './next-epoch.js';

/** Partitions named in a preview; the rest is counted. */
const LISTED_MAX = 16;

export interface PreviewFacts {
  /** Bytes that a partition takes on one node, as far as this node can tell. */
  readonly bytesOf: (partition: number) => number;
  readonly reachable: (node: number) => boolean;
  /** For a node that does not exist yet. */
  readonly freshUuid: string;
}

export interface PreviewOfNode {
  readonly node: number;
  readonly address: string;
  readonly partitionsBefore: number;
  readonly partitionsAfter: number;
  /** Partitions that it takes, and their bytes. */
  readonly taken: number;
  readonly bytesTaken: number;
}

/** What a change would do: for people and tools, as JSON. */
export interface ChangePreview {
  /** The epoch that it is computed from. */
  readonly epoch: number;
  /** Another change is pending, and this one begins when that is committed. */
  readonly waits: boolean;
  /** Copies of partitions that move, and their bytes. */
  readonly copies: number;
  readonly bytes: number;
  readonly nodes: readonly PreviewOfNode[];
  /** Owners of each partition afterwards, and how many are wanted. */
  readonly replicas: number;
  readonly replicationFactor: number;
  /** Partitions with fewer live owners than a majority: now, or among those after the change. */
  readonly withoutQuorum: { readonly count: number; readonly partitions: readonly number[] };
}

/** Throws RangeError with a sentence when the change is refused. */
export function previewChange(topology: WireTopology, request: WireRequest, facts: PreviewFacts): ChangePreview {
  const waits = topology.pending !== undefined && isChange(request);
  const before = waits ? commitChange(topology) : topology;
  const after = isChange(request) ? changed(before, request, facts) : pendingOf(before, request);
  const { pending } = after;
  const next = pending ?? after;
  const rows = Array.from({ length: before.partitions }, (_, partition) => ({
    now: [...rowOf(before.owners, before.replicas, partition)],
    next: [...rowOf(next.owners, next.replicas, partition)],
    bytes: facts.bytesOf(partition),
  }));
  const nodes = after.nodes.map((node) => ofNode(node, rows));
  const isNew = new Set(after.nodes.filter(({ standing }) => standing === 'joining').map(({ number }) => number));
  const isAlive = (node: number): boolean => isNew.has(node) || facts.reachable(node);
  const lacks = (row: readonly number[]): boolean => row.filter(isAlive).length < Math.floor(row.length / 2) + 1;
  const without = rows.flatMap(({ now, next: later }, partition) => (lacks(now) || lacks(later) ? [partition] : []));
  return {
    epoch: topology.epoch,
    waits,
    copies: nodes.reduce((sum, { taken }) => sum + taken, 0),
    bytes: nodes.reduce((sum, { bytesTaken }) => sum + bytesTaken, 0),
    nodes: nodes.filter(({ partitionsBefore, partitionsAfter }) => partitionsBefore + partitionsAfter > 0),
    replicas: next.replicas,
    replicationFactor:
      pending?.changes.reduce(
        (factor, change) => (change.kind === 'replicate' ? change.replicationFactor : factor),
        after.replicationFactor,
      ) ?? after.replicationFactor,
    withoutQuorum: { count: without.length, partitions: without.slice(0, LISTED_MAX) },
  };
}

/** The topology with the change pending, or done where nothing has to move. */
function changed(
  topology: WireTopology,
  request: WireRequest & { readonly kind: Exclude<WireRequest['kind'], 'set' | 'pause' | 'resume' | 'abort'> },
  { freshUuid }: PreviewFacts,
): WireTopology {
  const refusal = refusalOf(topology, request);
  if (refusal !== undefined) throw new RangeError(refusal);
  if (request.kind !== 'replace') return beginChange(topology, [request], () => false);
  const { address = '', http = '', zone = '', host = '', weight = 1 } = nodeOf(topology, request.node) ?? {};
  const record = { uuid: freshUuid, address, http, zone, host, weight };
  return beginChange(topology, [request, { kind: 'join', record }], () => false);
}

/** What is pending, for a request about that. */
function pendingOf(topology: WireTopology, request: WireRequest): WireTopology {
  if (request.kind !== 'set' && topology.pending === undefined) throw new RangeError('no change is pending');
  return topology;
}

interface Row {
  readonly now: readonly number[];
  readonly next: readonly number[];
  readonly bytes: number;
}

function ofNode({ number, address }: WireNode, rows: readonly Row[]): PreviewOfNode {
  const taken = rows.filter(({ now, next }) => next.includes(number) && !now.includes(number));
  return {
    node: number,
    address,
    partitionsBefore: rows.filter(({ now }) => now.includes(number)).length,
    partitionsAfter: rows.filter(({ next }) => next.includes(number)).length,
    taken: taken.length,
    bytesTaken: taken.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

import { isTakenUp, type WireFormerOwner, type WireRequest, type WireTopology } from '@memdb/protocol';
import {
  abortChange,
  amendChange,
  beginChange,
  type ChangeRequest,
  commitChange,
  pauseChange,
  refusalOf,
  retire,
  withSetting,
} from '../epoch-change.js';
import { nodeOf } from '../epoch-roles.js';
import { newOwnersOf } from './progress-poll.js';

/** What is known beside the topology when the next epoch is composed. */
export interface NextEpochFacts {
  /** What is asked for, in the order in which it came. */
  readonly requests: readonly WireRequest[];
  /** Every new owner said, in this very epoch, that it holds all it is to hold. */
  readonly isComplete: boolean;
  /** Nodes that said, in this very epoch, that they have handed over all they had. */
  readonly drained: ReadonlySet<number>;
  readonly isReleased: (entry: WireFormerOwner) => boolean;
  /**
   * A change waits for each of its owners: none is begun that would wait for one that is away. Whoever operates the cluster
   * brings that back, or removes or replaces it.
   */
  readonly reachable: (node: number) => boolean;
}

/**
 * The epoch that is to follow, one step: what is asked about the pending change first, then its commit, then nodes that
 * may go, settings, and the next change. Undefined when there is nothing to do. A pure function: what it returns is
 * proposed, and only what is decided counts.
 */
export function nextEpoch(topology: WireTopology, facts: NextEpochFacts): WireTopology | undefined {
  const requests = facts.requests.filter((request) => !isTakenUp(topology, request));
  const asked = (kind: WireRequest['kind']): boolean => requests.some((request) => request.kind === kind);
  const { pending } = topology;
  if (pending !== undefined) {
    if (asked('abort')) return abortChange(topology);
    if (asked('pause')) return pauseChange(topology, true);
    if (asked('resume')) return pauseChange(topology, false);
    const amended = amendedBy(topology, requests, facts);
    if (amended !== undefined) return amended;
    if (facts.isComplete && !pending.isPaused) return commitChange(topology);
  }
  const gone = topology.nodes.filter(({ number, standing }) => standing === 'departing' && facts.drained.has(number));
  if (gone.length > 0) {
    return retire(
      topology,
      gone.map(({ number }) => number),
    );
  }
  const setting = requests.find((request) => request.kind === 'set');
  if (setting?.kind === 'set') return withSetting(topology, setting.name, setting.value);
  if (pending !== undefined) return undefined;
  const next = begun(topology, withoutUnpaired(requests.filter(isChange)), facts.isReleased);
  return next === undefined || awaited(topology, next, facts).length > 0 ? undefined : next;
}

/** Nodes for which a change would wait although they are away. Those that join are there: they asked. */
function awaited(topology: WireTopology, next: WireTopology, { reachable }: NextEpochFacts): number[] {
  return newOwnersOf(next).filter((node) => nodeOf(topology, node) !== undefined && !reachable(node));
}

/** The pending change without an owner that died, when somebody asks for that: it would wait for it for ever. */
function amendedBy(
  topology: WireTopology,
  requests: readonly WireRequest[],
  { isReleased }: NextEpochFacts,
): WireTopology | undefined {
  const owners = newOwnersOf(topology);
  const removals = requests
    .filter(isChange)
    .filter((request) => request.kind === 'remove' && owners.includes(request.node));
  return composed(
    removals.filter((request) => refusalOf(topology, request) === undefined),
    (sound) => amendChange(topology, sound, isReleased),
  );
}

export function isChange(request: WireRequest): request is ChangeRequest {
  return !['set', 'pause', 'resume', 'abort'].includes(request.kind);
}

/** A node is replaced by one that joins in the same change: until there is one, the replacement waits. */
function withoutUnpaired(requests: readonly ChangeRequest[]): ChangeRequest[] {
  let joins = requests.filter(({ kind }) => kind === 'join').length;
  return requests.filter(({ kind }) => kind !== 'replace' || joins-- > 0);
}

/** All requests as one change; without those that cannot go together with the ones before them. */
function begun(
  topology: WireTopology,
  requests: readonly ChangeRequest[],
  isReleased: (entry: WireFormerOwner) => boolean,
): WireTopology | undefined {
  const sound = requests.filter((request) => refusalOf(topology, request) === undefined);
  const begin = (chosen: readonly ChangeRequest[]): WireTopology => beginChange(topology, chosen, isReleased);
  return (
    composed(sound, begin) ??
    // Two nodes leave a cluster of two: the first to ask may.
    composed(withoutUnpaired(together(sound, begin)), begin)
  );
}

type Compose = (requests: readonly ChangeRequest[]) => WireTopology;

function together(requests: readonly ChangeRequest[], compose: Compose): ChangeRequest[] {
  const chosen: ChangeRequest[] = [];
  for (const request of requests) if (composed([...chosen, request], compose) !== undefined) chosen.push(request);
  return chosen;
}

function composed(requests: readonly ChangeRequest[], compose: Compose): WireTopology | undefined {
  if (requests.length === 0) return undefined;
  try {
    return compose(requests);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

import { isTakenUp, type WireRequest, type WireTopology } from '@memdb/protocol';

/** Requests that wait at one node: far more than people ask for, and than nodes join through one contact at a time. */
export const QUEUED_REQUESTS_MAX = 256;

/** A node that joins asks every second: one that does not any more is gone, and is not admitted. */
const JOIN_KEPT_MS = 5000;
/** What another node passed on is passed on again, twice a second, for as long as it is wanted. */
const PASSED_ON_KEPT_MS = 5000;
/** Needs no waiting: the very next epoch can have it. Later it might undo what was asked for since. */
const AT_ONCE_KEPT_MS = 15_000;
/** Waits for the change that is pending, which may take long; the operator may have gone meanwhile. */
const OPERATOR_KEPT_MS = 600_000;

export interface QueuedRequest {
  readonly request: WireRequest;
  /** Since when it waits, and until when; monotonic milliseconds. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** The change that was pending when it was asked for; 0 for none. */
  readonly begun: number;
}

/**
 * What was asked of this node, or passed on to it, and shows in no epoch yet. In memory only: whoever asks goes on asking
 * until it shows.
 */
export class RequestQueue {
  /** By what they are about: the latest request counts. In the order in which they were first asked. */
  readonly #requests: Map<string, QueuedRequest> = new Map();

  get size(): number {
    return this.#requests.size;
  }

  /** In the order in which they came. */
  get all(): QueuedRequest[] {
    return [...this.#requests.values()];
  }

  /** Keeps a request; false when too many wait. `isPassedOn`: by a node that keeps it too. */
  add(topology: WireTopology, request: WireRequest, isPassedOn: boolean, nowMs: number): boolean {
    const subject = subjectOf(request);
    const known = this.#requests.get(subject);
    if (known === undefined && this.#requests.size >= QUEUED_REQUESTS_MAX) return false;
    const untilMs = nowMs + keptMs(request, isPassedOn);
    const isSame = known?.request.kind === request.kind;
    this.#requests.set(subject, {
      request,
      sinceMs: isSame ? known.sinceMs : nowMs,
      untilMs: isSame ? Math.max(untilMs, known.untilMs) : untilMs,
      begun: isSame ? known.begun : (topology.pending?.begun ?? 0),
    });
    return true;
  }

  remove(request: WireRequest): void {
    this.#requests.delete(subjectOf(request));
  }

  /** Lets go of what shows in the epoch in force, and of what was kept long enough. */
  sweep(topology: WireTopology, nowMs: number): void {
    for (const [subject, { request, untilMs, begun }] of this.#requests) {
      const isOver = isAboutPending(request) && begun !== (topology.pending?.begun ?? 0);
      if (isOver || nowMs > untilMs || isTakenUp(topology, request)) this.#requests.delete(subject);
    }
  }
}

/** Whether a request is about the change that is pending, and not about what is to be. */
export function isAboutPending({ kind }: WireRequest): boolean {
  return kind === 'pause' || kind === 'resume' || kind === 'abort';
}

function keptMs(request: WireRequest, isPassedOn: boolean): number {
  if (request.kind === 'join') return JOIN_KEPT_MS;
  if (isPassedOn) return PASSED_ON_KEPT_MS;
  return isAboutPending(request) || request.kind === 'set' ? AT_ONCE_KEPT_MS : OPERATOR_KEPT_MS;
}

function subjectOf(request: WireRequest): string {
  switch (request.kind) {
    case 'join':
      return `join ${request.record.uuid}`;
    case 'leave':
    case 'remove':
    case 'replace':
      return `go ${request.node}`;
    case 'weigh':
    case 'move':
      return `${request.kind} ${request.node}`;
    case 'replicate':
      return request.kind;
    case 'set':
      return `set ${request.name}`;
    case 'pause':
    case 'resume':
    case 'abort':
      return 'pending';
  }
}

import {
  decodeTransferProgress,
  encodeRequest,
  Flag,
  FRAME_HEADER_BYTES,
  frameEpoch,
  frameFlags,
  frameOpcode,
  isTakenUp,
  Opcode,
  type TransferProgress,
  type WireFormerOwner,
  type WireRequest,
  type WireTopology,
} from '@memdb/protocol';
import type { PeerLink } from '../../membership/peer-link.js';
import type { Random } from '../../ports/random.js';
import type { Telemetry } from '../../ports/telemetry.js';
import type { Timer, Timers } from '../../ports/timers.js';
import type { Turn } from '../../ports/turn.js';
import { refusalOf } from '../epoch-change.js';
import { votersOf } from '../epoch-roles.js';
import type { Epochs } from '../epochs.js';
import { isChange, nextEpoch } from './next-epoch.js';
import { departingOf, newOwnersOf, ProgressPoll } from './progress-poll.js';
import { isAboutPending, RequestQueue } from './request-queue.js';

/** How often a node that has something to do about the next epoch looks after it; idle, it does not look at all. */
const STEP_MS = 100;
/** Requests for owners to change are collected for so long: nodes that start together join together. */
const COLLECT_MS = 250;
/** What is asked of this node is passed on to the one that proposes this often, for as long as it does not show. */
const PASS_ON_MS = 500;
/**
 * A voter that does not drive steps in this often, for so long, times the number of voters: whatever keeps the driver from
 * its work, a change waits for it some seconds only, and all the others together ask little.
 */
const STEP_IN_EVERY_MS = 5000;
const STEP_IN_FOR_MS = 1500;

export interface ChangesOptions {
  readonly self: number;
  readonly epochs: Epochs;
  /** By member number. */
  readonly links: readonly (PeerLink | undefined)[];
  readonly reachable: (member: number) => boolean;
  readonly turn: Turn;
  readonly timers: Timers;
  readonly random: Random;
  readonly telemetry: Telemetry;
  /** How far this node is with the change in force. */
  readonly progress: () => TransferProgress;
  /** Whether a former owner has handed over what it had. */
  readonly isReleased: (entry: WireFormerOwner) => boolean;
  /** Why a setting cannot have that value, as a sentence; undefined when it can. */
  readonly settingRefusal: (name: string, value: string | undefined) => string | undefined;
}

/**
 * What makes epochs follow each other: takes requests, and proposes one step after the other until all of them show. The
 * lowest voter that can be reached drives; the others pass on to it what is asked of them. Any voter may step in, because
 * only what is decided counts: two that drive at once are slower and do no harm.
 */
export class Changes {
  readonly #options: ChangesOptions;
  readonly #queue: RequestQueue = new RequestQueue();
  readonly #poll: ProgressPoll;
  #timer: Timer | undefined;
  #passedOnMs: number = Number.NEGATIVE_INFINITY;
  /** When this node steps in although another one drives. */
  #stepInMs: number = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(options: ChangesOptions) {
    this.#options = options;
    this.#poll = new ProgressPoll({
      self: options.self,
      own: options.progress,
      ask: (node) => this.#send(node, Opcode.transferProgress, new Uint8Array(0)),
    });
    this.onEpoch();
  }

  /** What was asked of this node, and shows in no epoch yet. */
  get waiting(): readonly WireRequest[] {
    return this.#queue.all.map(({ request }) => request);
  }

  /**
   * Somebody asks for a change: kept until it shows. Returns why it is refused, as a sentence; undefined when it is kept,
   * or shows already. `isPassedOn`: by a node that keeps it too.
   */
  ask(request: WireRequest, isPassedOn: boolean): string | undefined {
    const { current } = this.#options.epochs;
    if (isTakenUp(current, request)) return isAboutPending(request) ? this.#overRefusal(request) : undefined;
    const refusal = this.#refusalOf(request, isPassedOn);
    if (refusal !== undefined) return refusal;
    if (!this.#queue.add(current, request, isPassedOn, this.#options.turn.nowMs)) {
      return 'too many changes wait to be taken up; ask again when some of them are';
    }
    this.#wake();
    return undefined;
  }

  /** Another epoch is in force. */
  onEpoch(): void {
    const { current } = this.#options.epochs;
    this.#poll.onEpoch(current.epoch);
    this.#queue.sweep(current, this.#options.turn.nowMs);
    this.#passedOnMs = Number.NEGATIVE_INFINITY;
    this.#stepInLater();
    this.#wake();
  }

  /** A reply on a peer link. True when it belonged to changes. Throws `ProtocolError` when it is malformed. */
  onReply(link: PeerLink, bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    const opcode = frameOpcode(view, start);
    if (opcode === Opcode.epochChange) return true;
    if (opcode !== Opcode.transferProgress) return false;
    if ((frameFlags(view, start) & Flag.error) === 0) {
      const progress = decodeTransferProgress(bytes, view, start + FRAME_HEADER_BYTES, end);
      this.#poll.onProgress(link.number, frameEpoch(view, start), progress);
    }
    return true;
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== undefined) this.#options.timers.stop(this.#timer);
    this.#timer = undefined;
  }

  #refusalOf(request: WireRequest, isPassedOn: boolean): string | undefined {
    const { epochs, settingRefusal, reachable } = this.#options;
    const { current } = epochs;
    if (request.kind === 'set') return settingRefusal(request.name, request.value);
    if (isAboutPending(request)) return current.pending === undefined ? 'no change is pending' : undefined;
    const refusal = isChange(request) ? refusalOf(current, request) : undefined;
    if (refusal !== undefined || isPassedOn) return refusal;
    if ((request.kind === 'remove' || request.kind === 'replace') && reachable(request.node)) {
      return `node ${request.node} is alive: it can leave, and hand over what it has; only a dead node is removed or replaced`;
    }
    if (request.kind !== 'join') return undefined;
    const { address } = request.record;
    const other = current.nodes.find((node) => node.address === address && reachable(node.number));
    return other === undefined
      ? undefined
      : `node ${other.number} answers at ${address} already; give each node its own`;
  }

  /** What is asked about the pending change shows already: an operator who asks for it twice may have meant another. */
  #overRefusal(request: WireRequest): string | undefined {
    const { pending } = this.#options.epochs.current;
    if (pending === undefined) return 'no change is pending';
    return request.kind === 'pause' ? 'the change is paused already' : 'the change is not paused';
  }

  #wake(): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#timer = this.#options.timers.start(STEP_MS, this.#step);
  }

  readonly #step = (): void => {
    this.#timer = undefined;
    const { self, epochs, turn } = this.#options;
    const { current } = epochs;
    const { nowMs } = turn;
    this.#queue.sweep(current, nowMs);
    if (this.#isIdle(current)) {
      this.#stepInLater();
      return;
    }
    this.#wake();
    const driver = this.#driver(current);
    if (driver !== self) this.#passOn(driver, nowMs);
    if (!epochs.isVoter || epochs.proposing !== 0) return;
    if (driver !== self && !this.#stepsIn(nowMs)) return;
    this.#poll.step(current, nowMs);
    this.#propose(current, nowMs);
  };

  #isIdle(topology: WireTopology): boolean {
    const isMoving = topology.pending !== undefined && !topology.pending.isPaused;
    return this.#queue.size === 0 && !isMoving && departingOf(topology).length === 0;
  }

  /** The lowest voter that can be reached; 0 when none can. */
  #driver(topology: WireTopology): number {
    const { reachable } = this.#options;
    return votersOf(topology).find((voter) => reachable(voter)) ?? 0;
  }

  #passOn(driver: number, nowMs: number): void {
    if (driver === 0 || nowMs - this.#passedOnMs < PASS_ON_MS) return;
    this.#passedOnMs = nowMs;
    for (const { request } of this.#queue.all) this.#send(driver, Opcode.epochChange, encodeRequest(request));
  }

  #stepsIn(nowMs: number): boolean {
    if (nowMs < this.#stepInMs) return false;
    if (nowMs > this.#stepInMs + STEP_IN_FOR_MS) {
      this.#stepInLater();
      return false;
    }
    return true;
  }

  #stepInLater(): void {
    const { epochs, random, turn } = this.#options;
    const everyMs = STEP_IN_EVERY_MS * votersOf(epochs.current).length;
    this.#stepInMs = turn.nowMs + everyMs * (0.5 + random.uint32() / 2 ** 32);
  }

  #propose(topology: WireTopology, nowMs: number): void {
    const { epochs, isReleased, telemetry } = this.#options;
    const ready = this.#queue.all.filter(({ request, sinceMs }) => !isChange(request) || nowMs - sinceMs >= COLLECT_MS);
    const isComplete = topology.pending !== undefined && this.#poll.isComplete(topology);
    const next = nextEpoch(topology, {
      // What came last goes along with what has waited long enough.
      requests: ready.length === 0 ? [] : this.waiting,
      isComplete,
      drained: this.#poll.drained(topology),
      isReleased,
      reachable: this.#options.reachable,
    });
    if (next === undefined) return;
    telemetry.log('info', 'epoch-proposed', {
      epoch: next.epoch,
      members: next.nodes.length,
      pending: next.pending !== undefined,
      owners: newOwnersOf(next).length,
    });
    epochs.propose(next);
  }

  #send(node: number, opcode: number, body: Uint8Array): void {
    const link = this.#options.links[node];
    if (link?.isUp !== true) return;
    const at = link.begin(opcode, 0, 0, 0, body.length);
    link.out.bytes.set(body, at);
  }
}

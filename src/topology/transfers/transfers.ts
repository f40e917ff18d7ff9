import {
  decodeHoldings,
  encodeHoldings,
  encodeTransferProgress,
  Opcode,
  type TransferProgress,
  type WireFormerOwner,
  type WireTopology,
} from '@memdb/protocol';
import type { Answer } from '../../membership/answer.js';
import type { PeerLink } from '../../membership/peer-link.js';
import type { LamportClock } from '../../model/lamport-clock.js';
import { HOLDINGS_INTERVAL_MS, TRANSFER_TICK_MS } from '../../model/limits.js';
import type { Telemetry } from '../../ports/telemetry.js';
import type { Timer, Timers } from '../../ports/timers.js';
import type { Turn } from '../../ports/turn.js';
import type { Store } from '../../storage/store.js';
import { HoldingsHeard } from './holdings-heard.js';
import { Leaving } from './leaving.js';
import { PeerAsks } from './peer-asks.js';
import { Taking } from './taking.js';
import { TransferSource } from './transfer-source.js';

export interface TransfersOptions {
  readonly self: number;
  /** In force when the node starts. */
  readonly topology: WireTopology;
  readonly store: Store;
  readonly lamport: LamportClock;
  readonly turn: Turn;
  readonly timers: Timers;
  readonly telemetry: Telemetry;
  /** By member number. */
  readonly links: readonly (PeerLink | undefined)[];
  readonly reachable: (member: number) => boolean;
  /** Up to where in the own log a member has acknowledged all that this node coordinated for it. */
  readonly cursorOf: (member: number) => number;
  /** Whether a write to a key of the partition is not answered yet, that this node coordinated. */
  readonly isPending: (partition: number) => boolean;
  /** Versions that this node had coordinated, and lost in a crash, came back. */
  readonly onReturned: () => void;
  /** A former owner of a partition holds nothing of it any more: purging need not wait for it. */
  readonly onReleased: (partition: number, node: number) => void;
}

/**
 * Moves partitions to new owners while the cluster works (docs/epochs.md): fills what this node is to own, answers
 * others who do, hands over what it owned. Who owns what is decided by epochs alone.
 */
export class Transfers {
  readonly #options: TransfersOptions;
  readonly #asks: PeerAsks;
  readonly #source: TransferSource;
  readonly #taking: Taking;
  readonly #leaving: Leaving;
  readonly #heard: HoldingsHeard = new HoldingsHeard();
  #topology: WireTopology;
  #timer: Timer | undefined;
  #toldMs = Number.NEGATIVE_INFINITY;
  /** What was told last in this epoch. */
  #told: string | undefined;

  constructor(options: TransfersOptions) {
    this.#options = options;
    const { topology } = options;
    this.#topology = topology;
    this.#heard.onEpoch(topology);
    this.#asks = new PeerAsks(options.links, () => this.#topology.epoch);
    this.#source = new TransferSource(options, topology);
    this.#taking = new Taking({ ...options, asks: this.#asks }, topology);
    this.#leaving = new Leaving({ ...options, asks: this.#asks }, topology, this.#taking.begun);
    this.#tick();
  }

  /** How far this node is with the pending change, and with what it owned. */
  progress(): TransferProgress {
    const { partitions, filled, bytesTaken } = this.#taking;
    return { partitions, filled, bytesTaken, isDrained: this.isDrained };
  }

  /** Whether this node is ready for the pending change to be committed. */
  get isComplete(): boolean {
    return this.#taking.filled === this.#taking.partitions;
  }

  /** Whether this node holds nothing that it owned once. */
  get isDrained(): boolean {
    return this.#leaving.holdings.length === 0;
  }

  /** Whether a former owner has said in the present epoch that it is rid of the partition. */
  isReleased(entry: WireFormerOwner): boolean {
    return entry.node === this.#options.self
      ? !this.#leaving.holdings.includes(entry.partition)
      : this.#heard.isReleased(entry);
  }

  /** How many bytes this node may take in a second, from now on. */
  set bytesPerSecond(value: number) {
    this.#taking.bytesPerSecond = value;
  }

  /** Whether the node may enter that epoch now; if not, `onPrepared` is called when it may. */
  isPrepared(next: WireTopology, onPrepared: () => void): boolean {
    return this.#leaving.isPrepared(next, this.#taking.begun, onPrepared);
  }

  /** An epoch is in force. */
  onEpoch(topology: WireTopology): void {
    this.#topology = topology;
    this.#asks.forget();
    this.#heard.onEpoch(topology);
    this.#source.onEpoch(topology);
    this.#taking.onEpoch(topology);
    this.#leaving.onEpoch(topology, this.#taking.begun);
    this.#told = undefined;
    this.#options.turn.wake();
  }

  onDown(link: PeerLink): void {
    this.#asks.onDown(link.number);
  }

  /** A reply on a peer link. True when it was asked for here. Throws `ProtocolError` when it is malformed. */
  onReply(link: PeerLink, bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    if (!this.#asks.onReply(link, bytes, view, start, end)) return false;
    this.#step();
    return true;
  }

  /** A request of a member, made in the present epoch. Throws `ProtocolError` when it is malformed. */
  onRequest(
    answer: Answer,
    opcode: number,
    correlation: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
  ): void {
    if (opcode === Opcode.transferProgress) {
      answer.body(opcode, correlation, encodeTransferProgress(this.progress()));
    } else this.#source.onRequest(answer, opcode, correlation, bytes, view, start, end);
  }

  /** A member says, in the present epoch, what it owned once and has not handed over. */
  onHoldings(member: number, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    for (const partition of this.#heard.note(member, decodeHoldings(bytes, view, start, end))) {
      this.#options.onReleased(partition, member);
    }
  }

  stop(): void {
    if (this.#timer !== undefined) this.#options.timers.stop(this.#timer);
    this.#asks.forget();
    this.#source.stop();
  }

  #step(): void {
    const { nowMs } = this.#options.turn;
    this.#taking.step(nowMs);
    this.#leaving.step(nowMs);
  }

  readonly #tick = (): void => {
    const { timers, turn } = this.#options;
    this.#asks.expire(turn.nowMs);
    this.#step();
    this.#tell(turn.nowMs);
    this.#timer = timers.start(TRANSFER_TICK_MS, this.#tick);
  };

  /** Tells all members what is still here, when that has changed, and now and then. */
  #tell(nowMs: number): void {
    const { self, links } = this.#options;
    if (!this.#topology.former.some(({ node }) => node === self)) return;
    const { holdings } = this.#leaving;
    const told = holdings.join(' ');
    if (told === this.#told && nowMs - this.#toldMs < HOLDINGS_INTERVAL_MS) return;
    this.#told = told;
    this.#toldMs = nowMs;
    const body = encodeHoldings(holdings);
    for (const link of links) {
      if (link?.isUp !== true) continue;
      const at = link.begin(Opcode.holdings, 0, 0, 0, body.length);
      link.out.bytes.set(body, at);
    }
  }
}

import { strict as assert } from 'node:assert';
import type { WireTopology } from '@memdb/protocol';
import type { LamportClock } from '../../model/lamport-clock.js';
import { TRANSFER_BYTES_PER_SECOND, TRANSFER_FILLS_MAX } from '../../model/limits.js';
import {
  lengthOf,
  paddedRecordBytes,
  RecordKind,
  recordBytes,
  recordKindLength,
  recordNode,
} from '../../model/record.js';
import type { Counter, Telemetry } from '../../ports/telemetry.js';
import type { Store } from '../../storage/store.js';
import { ByteBudget } from './byte-budget.js';
import { FillLedger } from './fill-ledger.js';
import { PartitionFill } from './partition-fill.js';
import type { PeerAsks } from './peer-asks.js';
import { type FillPlan, fillPlans } from './transfer-plan.js';

export interface TakingOptions {
  readonly self: number;
  readonly store: Store;
  readonly lamport: LamportClock;
  readonly telemetry: Telemetry;
  readonly asks: PeerAsks;
  readonly reachable: (member: number) => boolean;
  /** Versions that this node had coordinated, and lost in a crash, came back. */
  readonly onReturned: () => void;
}

/**
 * The taking side of a change: fills the partitions of which this node becomes an owner, and makes sure that it holds
 * those that it keeps while others change. Several at once, one source at a time for each, at a set rate.
 *
 * Invariants: a partition counts as full once it holds the state of a majority of the owners, that and all that was taken
 * is on the device, and so is a mark of the clock above everything that those owners had heard of: they may have purged
 * deletions up to there, and this node must never stamp a write below them. It counts for the change for which it was
 * filled, and for no other.
 */
export class Taking {
  readonly #options: TakingOptions;
  readonly #ledger: FillLedger;
  readonly #budget: ByteBudget = new ByteBudget(TRANSFER_BYTES_PER_SECOND);
  readonly #bytes: Counter;
  readonly #filled: Counter;
  #topology: WireTopology;
  /** The epoch that began the change that is pending; 0: none is. */
  #begun = 0;
  /** By partition: all that are to be filled for this change. */
  #fills: Map<number, PartitionFill> = new Map();
  /** Partitions that count as full. */
  #full: Set<number> = new Set();
  /** Being filled, and still to be filled. */
  readonly #active: Set<PartitionFill> = new Set();
  #waiting: PartitionFill[] = [];
  #isWriting = false;

  constructor(options: TakingOptions, topology: WireTopology) {
    this.#options = options;
    this.#topology = topology;
    this.#ledger = new FillLedger(options.store);
    const { telemetry } = options;
    this.#bytes = telemetry.counter('transfer_bytes_total', 'Bytes of records taken from owners of moving partitions.');
    this.#filled = telemetry.counter('transfer_partitions_total', 'Partitions that were filled, or found to be full.');
    telemetry.gauge('transfer_partitions', 'Partitions to fill, or to make sure of, for the pending change.', () => {
      return this.#fills.size;
    });
    telemetry.gauge('transfer_partitions_missing', 'Those of them that are not full yet.', () => {
      return this.#fills.size - this.#full.size;
    });
    this.#begin(topology);
  }

  /** The change that partitions are filled for, by the epoch that began it; 0: none. */
  get begun(): number {
    return this.#begun;
  }

  get partitions(): number {
    return this.#fills.size;
  }

  get filled(): number {
    return this.#full.size;
  }

  get bytesTaken(): number {
    return this.#bytes.value;
  }

  /** How many bytes may be taken in a second, from now on. */
  set bytesPerSecond(value: number) {
    this.#budget.bytesPerSecond = value;
  }

  onEpoch(topology: WireTopology): void {
    this.#topology = topology;
    if ((topology.pending?.begun ?? 0) !== this.#begun) {
      this.#begin(topology);
      for (const { plan } of this.#fills.values()) this.#assertKnowsNothing(plan);
    } else for (const fill of this.#fills.values()) fill.onEpoch();
  }

  /** Asks what may be asked now. */
  step(nowMs: number): void {
    if (this.#topology.pending === undefined) return;
    this.#lookForLosses();
    if (this.#topology.pending.isPaused) return;
    while (this.#active.size < TRANSFER_FILLS_MAX) {
      const fill = this.#waiting.shift();
      if (fill === undefined) break;
      this.#active.add(fill);
    }
    for (const fill of [...this.#active]) this.#advance(fill, nowMs);
    this.#count();
  }

  #begin(topology: WireTopology): void {
    const { self, store, asks } = this.#options;
    const { audit } = store;
    this.#begun = topology.pending?.begun ?? 0;
    const options = {
      store,
      asks,
      onTaken: (_bytes: Uint8Array, view: DataView, start: number, end: number) => this.#onTaken(view, start, end),
    };
    this.#fills = new Map(
      fillPlans(topology, self).map((plan) => {
        return [plan.partition, new PartitionFill(plan, audit.keysOf(plan.partition) === 0, options)];
      }),
    );
    this.#full = new Set(this.#ledger.read(this.#begun).filter((partition) => this.#fills.has(partition)));
    this.#active.clear();
    this.#waiting = [...this.#fills.values()].filter(({ plan }) => !this.#full.has(plan.partition));
  }

  /** Who owns nothing yet, and never did, has no evidence of anything (mechanisms: Purging tombstones). */
  #assertKnowsNothing({ partition, isOwner }: FillPlan): void {
    const { store, self } = this.#options;
    const isFormer = this.#topology.former.some((entry) => entry.partition === partition && entry.node === self);
    const { counter } = store.audit.floorOf(partition);
    assert(isOwner || isFormer || counter === 0, `partition ${partition} has a floor before it is filled`);
  }

  #advance(fill: PartitionFill, nowMs: number): void {
    const { reachable, store } = this.#options;
    if (fill.isTaken || fill.isAsking || fill.dueMs > nowMs) return;
    if (!this.#budget.allows(nowMs)) return;
    // What is taken passes the memory bound, like repair: it only restores what was acknowledged.
    if (store.room(recordBytes(0, 0), RecordKind.tombstone) !== 'ok') return;
    if (fill.advance(nowMs, reachable)) return;
    // No source can be asked: others have their turn.
    this.#active.delete(fill);
    this.#waiting.push(fill);
  }

  /** Partitions that are taken are logged as full, and count once that is on the device. */
  #count(): void {
    const { lamport, store } = this.#options;
    const taken = [...this.#active].filter((fill) => fill.isTaken);
    if (taken.length === 0 || this.#isWriting) return;
    if (!lamport.leased) {
      lamport.extend();
      return;
    }
    const sound = taken.filter((fill) => this.#isSound(fill));
    const { partitions } = this.#topology;
    if (sound.length === 0 || store.room(recordBytes(32, partitions), RecordKind.tombstone) !== 'ok') return;
    const begun = this.#begun;
    const filled = sound.map(({ plan }) => plan.partition);
    this.#isWriting = true;
    for (const fill of sound) this.#active.delete(fill);
    this.#ledger.write(begun, [...this.#full, ...filled], partitions, () => {
      this.#isWriting = false;
      if (begun !== this.#begun) return;
      this.#filled.value += filled.length;
      for (const partition of filled) this.#full.add(partition);
    });
  }

  /** A newcomer that lost keys to damage meanwhile compares once more, and then knows what became of them. */
  #isSound(fill: PartitionFill): boolean {
    const { plan, lost } = fill;
    if (lost.size === 0 || plan.isOwner) return true;
    if ([...lost].some((hash) => !fill.lostBefore.has(hash))) {
      fill.verifyAgain(lost);
      return false;
    }
    const { audit } = this.#options.store;
    for (const key of audit.lostIn(plan.partition)) audit.settleLost(key);
    return true;
  }

  /** A partition that was full and lost a key to damage is none any more. */
  #lookForLosses(): void {
    for (const partition of this.#full) {
      const fill = this.#fills.get(partition);
      if (fill === undefined) continue;
      const { lost } = fill;
      if ([...lost].every((hash) => fill.lostBefore.has(hash))) continue;
      this.#full.delete(partition);
      fill.verifyAgain(lost);
      this.#waiting.push(fill);
    }
  }

  #onTaken(view: DataView, start: number, end: number): void {
    this.#bytes.value += end - start;
    this.#budget.spend(end - start);
    let isOwn = false;
    for (let at = start; at < end; at += paddedRecordBytes(lengthOf(recordKindLength(view, at)))) {
      isOwn ||= recordNode(view, at) === this.#options.self;
    }
    if (isOwn) this.#options.onReturned();
  }
}

import type { LamportClock } from '../../model/lamport-clock.js';
import { EXPIRED_PURGE_AFTER_MS, PURGE_INTERVAL_MS, PURGE_KEYS_PER_TICK } from '../../model/limits.js';
import type { Store } from '../../storage/store.js';
import type { AuditCounters } from './audit-counters.js';
import type { PeerAudit } from './peer-audit.js';

export interface PurgerOptions {
  readonly store: Store;
  readonly lamport: LamportClock;
  readonly counters: AuditCounters;
  /** By partition that this node owns: the members that own it beside this node. */
  readonly others: ReadonlyMap<number, readonly number[]>;
  /** By member number. */
  readonly peers: readonly (PeerAudit | undefined)[];
}

/**
 * Lets go of tombstones and expired values (mechanisms: Purging tombstones). The argument, in full in
 * docs/decisions/purging-on-own-evidence.md:
 *
 * - Only on this node's own evidence: it compared equal with every other owner, in this epoch and over durable records,
 *   each at a moment after it held what is erased. Then no owner holds anything older of those keys.
 * - Each owner's clock was past the floor at that moment, and every version it had coordinated below was in its log: so
 *   this node holds, or knows to be deleted, every version at or below the floor. That is what makes it safe to
 *   answer for an absent key with the floor, and to refuse what comes at or below it; nothing that anybody
 *   acknowledged is refused.
 * - It never follows another's floor, and never drops a version because it lies below one.
 */
export class Purger {
  readonly #options: PurgerOptions;
  /** Partitions for which new evidence came. */
  readonly #due: Set<number> = new Set();
  /** By partition: when it last was rid of something, or had nothing to be rid of. */
  readonly #cleanMs: Map<number, number> = new Map();
  readonly #triedMs: Map<number, number> = new Map();
  #lookMs = 0;

  constructor(options: PurgerOptions) {
    this.#options = options;
  }

  /** New evidence about a partition. */
  onEqual(partition: number): void {
    if (this.#options.store.audit.mortalOf(partition) !== 0) this.#due.add(partition);
  }

  /** Purges some of what is due. `wallMs` is the wall clock, for deadlines alone. */
  tick(nowMs: number, wallMs: number): void {
    const { store } = this.#options;
    if (nowMs >= this.#lookMs) this.#look(nowMs);
    let walked = 0;
    for (const partition of this.#due) {
      if (nowMs - (this.#triedMs.get(partition) ?? Number.NEGATIVE_INFINITY) < PURGE_INTERVAL_MS) continue;
      if (walked !== 0 && walked + store.audit.keysOf(partition) > PURGE_KEYS_PER_TICK) return;
      walked += store.audit.keysOf(partition);
      this.#due.delete(partition);
      this.#triedMs.set(partition, nowMs);
      this.#purge(partition, nowMs, wallMs);
    }
  }

  /** How long the partition that waits longest has not been rid of anything, in milliseconds. */
  oldestMs(nowMs: number): number {
    let oldest = 0;
    for (const cleanMs of this.#cleanMs.values()) oldest = Math.max(oldest, nowMs - cleanMs);
    return oldest;
  }

  /** Partitions with something to purge for which there is no evidence about a member yet. */
  blockedBy(member: number): number {
    const { store, others, peers } = this.#options;
    let blocked = 0;
    for (const [partition, members] of others) {
      if (!members.includes(member) || store.audit.mortalOf(partition) === 0) continue;
      if (peers[member]?.canCompare !== true || peers[member].evidence.of(partition) === 0) blocked++;
    }
    return blocked;
  }

  /** Notes which partitions have nothing to be rid of; those that nobody else owns need no evidence. */
  #look(nowMs: number): void {
    const { store, others } = this.#options;
    this.#lookMs = nowMs + PURGE_INTERVAL_MS;
    for (const [partition, members] of others) {
      if (store.audit.mortalOf(partition) === 0 || !this.#cleanMs.has(partition)) this.#cleanMs.set(partition, nowMs);
      else if (members.length === 0) this.#due.add(partition);
    }
  }

  #purge(partition: number, nowMs: number, wallMs: number): void {
    const { store, lamport, counters, others, peers } = this.#options;
    let evidenceLsn = store.syncedLsn;
    let clock = lamport.current;
    for (const member of others.get(partition) ?? []) {
      evidenceLsn = Math.min(evidenceLsn, peers[member]?.evidence.of(partition) ?? 0);
      clock = Math.min(clock, peers[member]?.peerCounter ?? 0);
    }
    if (evidenceLsn === 0) return;
    const purged = store.audit.purge(partition, evidenceLsn, wallMs - EXPIRED_PURGE_AFTER_MS, clock);
    if (purged === 0) return;
    counters.purged.value += purged;
    this.#cleanMs.set(partition, nowMs);
  }
}

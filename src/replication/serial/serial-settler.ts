import type { PeerLink } from '../../membership/peer-link.js';
import {
  SERIAL_SETTLE_AFTER_MS,
  SERIAL_SETTLE_KEYS_PER_TICK,
  SERIAL_SETTLE_SLOTS_PER_TICK,
} from '../../model/limits.js';
import type { UnsettledKey } from '../../storage/serial-walk.js';
import type { Durability, Store } from '../../storage/store.js';
import type { ReplicaSets } from '../../topology/replica-sets.js';
import type { SerialCoordinator } from './serial-coordinator.js';
import { serialOperation } from './serial-operation.js';

export interface SerialSettlerOptions {
  readonly self: number;
  readonly store: Store;
  readonly durability: Durability;
  readonly sets: ReplicaSets;
  readonly coordinator: SerialCoordinator;
  /** By member number. */
  readonly links: readonly (PeerLink | undefined)[];
  readonly reachable: (member: number) => boolean;
}

/** A round that settles a key is given up after this long; the next walk comes by again. */
const SETTLE_TIMEOUT_MS = 2000;

/**
 * Sees to serial keys that nobody asks about: what has expired is deleted by a round, what a proposer left undecided is
 * decided, and deletions grow small. The preferred replica of a key does it.
 */
export class SerialSettler {
  readonly #options: SerialSettlerOptions;
  #found: UnsettledKey[] = [];
  /** Where the log ended at `#markMs`, and at the mark before: what stands below that one is old. */
  #markMs = 0;
  #markLsn = 0;
  #oldLsn = 0;

  constructor(options: SerialSettlerOptions) {
    this.#options = options;
    this.#markLsn = options.store.lastLsn;
  }

  tick(nowMs: number, wallMs: number): void {
    const { store, durability } = this.#options;
    if (durability === 'none') return;
    if (this.#markMs === 0) this.#markMs = nowMs;
    if (nowMs - this.#markMs >= SERIAL_SETTLE_AFTER_MS) {
      this.#oldLsn = this.#markLsn;
      this.#markLsn = store.lastLsn;
      this.#markMs = nowMs;
    }
    if (this.#found.length === 0) {
      this.#found = store.serialWalk.step(SERIAL_SETTLE_SLOTS_PER_TICK, wallMs, this.#oldLsn);
    }
    for (const { key, hash, forgets } of this.#found.splice(0, SERIAL_SETTLE_KEYS_PER_TICK)) {
      if (!this.#isPreferred(hash) || this.#options.coordinator.isBusy(key)) continue;
      const deadlineMs = nowMs + SETTLE_TIMEOUT_MS;
      const operation = serialOperation({ kind: 'settle', forgets }, undefined, 0, 0, deadlineMs, undefined, false);
      this.#options.coordinator.add(operation, key, hash);
    }
  }

  #isPreferred(hash: number): boolean {
    const { self, sets, links, reachable } = this.#options;
    if (!sets.ofHash(hash).coordinates) return false;
    const preference = sets.preferenceOfHash(hash);
    return preference.find((member) => member === self || (reachable(member) && links[member]?.isUp === true)) === self;
  }
}

import { Feature, Opcode, PRESSURE_BYTES, writePressure } from '@memdb/protocol';
import type { PeerLink } from '../membership/peer-link.js';
import {
  EVICTION_CEILING_MAX_PART,
  EVICTION_CEILING_MIN_PART,
  EVICTION_CEILING_START_PART,
  EVICTION_EASY_PART,
  EVICTION_KEYS_PER_STEP_MAX,
  EVICTION_PRESSED_PART,
  EVICTION_SLOTS_PER_STEP,
  EVICTION_TIME_CONSTANT_MS,
  EVICTION_URGENT_PART,
  EVICTION_URGENT_TIME_CONSTANT_MS,
  entriesSlack,
} from '../model/limits.js';
import { RecordKind, recordBytes } from '../model/record.js';
import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Timer, Timers } from '../ports/timers.js';
import type { Turn } from '../ports/turn.js';
import type { Store } from '../storage/store.js';
import type { ReplicaSets } from '../topology/replica-sets.js';
import { hasFeatures } from './forwarder.js';
import type { PeerStream } from './peer-stream.js';

/** Bounds above which the least recently used keys are let go; 0: none. */
export interface EvictionLimits {
  readonly memoryBytesMax: number;
  readonly entriesMax: number;
}

export interface EvictorOptions {
  readonly self: number;
  readonly limits: EvictionLimits;
  readonly sets: ReplicaSets;
  readonly store: Store;
  readonly turn: Turn;
  readonly timers: Timers;
  readonly telemetry: Telemetry;
  /** By member number. */
  readonly streams: readonly (PeerStream | undefined)[];
  readonly links: readonly (PeerLink | undefined)[];
  readonly reachable: (member: number) => boolean;
}

/** How long a step that did not suffice waits for the next, so that everything else has its turn. */
const STEP_PAUSE_MS = 1;
/** After a longer pause the evictor begins anew. */
const ELAPSED_MS_MAX = 20;
/** What a peer said of its pressure holds so long: ten times the interval at which it says so. */
const PRESSURE_KEPT_MS = 200;
/** What a partition that is passed over costs, in slots. */
const PARTITION_SLOTS = 16;
/** How far the ceiling follows in one tick: towards less by this part of what is too much, towards more by this part of all. */
const LOWERED_PART = 0.05;
const RAISED_PART = 0.001;

/**
 * Lets the least recently used plain keys go when the node holds more than it should (semantics: Deletes, expiry,
 * eviction). Each key is evicted by its first live owner, for all of them.
 *
 * An eviction is a tombstone **with the stamp of the value that it evicts**, and at equal stamps the tombstone is the
 * newer version. So it replaces exactly the value that the evictor saw, on every owner and in every merge, and never
 * anything newer, whether the evictor knew of it or not: docs/decisions/eviction-at-the-stamp-it-saw.md.
 *
 * The owners tell each other how much is too much for them, and each does its part of the greatest excess. If everybody
 * went by its own excess, the fullest node would evict for all, and only keys of which it is the first owner.
 *
 * How much may be held follows from what compaction makes of it: `#ceiling` bounds the newest versions and the index,
 * and is lowered while the memory in use stays too near to its bound.
 */
export class Evictor {
  readonly #options: EvictorOptions;
  readonly #evictions: Counter;
  #ceiling: number;
  /** Part of this node's keys that it evicts itself: the other owners see the same excess and do their part. */
  #share = 0;
  /** Keys that may be evicted by now. */
  #allowance = 0;
  /** By member number: keys beyond its bounds, and when it said so. */
  readonly #pressures: Map<number, { readonly keys: number; readonly saidMs: number }> = new Map();
  #saidPressure = false;
  #steppedMs = 0;
  #partition = 0;
  #timer: Timer | undefined;

  constructor(options: EvictorOptions) {
    this.#options = options;
    const { telemetry, limits } = options;
    this.#ceiling = limits.memoryBytesMax * EVICTION_CEILING_START_PART;
    this.#evictions = telemetry.counter('evictions_total', 'Keys that this node let go for want of memory.');
    this.onLiveness();
    if (limits.memoryBytesMax === 0) return;
    telemetry.gauge('eviction_ceiling_bytes', 'What may be held before keys are evicted.', () => this.#ceiling);
  }

  stop(): void {
    if (this.#timer !== undefined) this.#options.timers.stop(this.#timer);
    this.#timer = undefined;
  }

  /** A member became reachable or suspect. */
  onLiveness(): void {
    const { sets } = this.#options;
    const partitions = Array.from({ length: sets.partitions }, (_, partition) => partition);
    const held = partitions.filter((partition) => sets.ofPartition(partition).selfIndex !== -1);
    this.#share = held.length === 0 ? 0 : held.filter((partition) => this.#isMine(partition)).length / held.length;
  }

  /** A member holds so many keys beyond its bounds. */
  onPressure(member: number, keys: number): void {
    if (keys === 0) this.#pressures.delete(member);
    else this.#pressures.set(member, { keys, saidMs: this.#options.turn.nowMs });
  }

  /** Every few milliseconds: adapts the ceiling, and tells the others how things stand. */
  tick(): void {
    const { limits, store } = this.#options;
    const max = limits.memoryBytesMax;
    const tooMuch = store.accountedBytes - max * EVICTION_PRESSED_PART;
    if (tooMuch > 0) {
      this.#ceiling = Math.max(max * EVICTION_CEILING_MIN_PART, this.#ceiling - tooMuch * LOWERED_PART);
    } else if (store.accountedBytes < max * EVICTION_EASY_PART) {
      this.#ceiling = Math.min(max * EVICTION_CEILING_MAX_PART, this.#ceiling + max * RAISED_PART);
    }
    this.#tell();
    if (this.#timer === undefined) this.#step();
  }

  #tell(): void {
    const { links, self, turn } = this.#options;
    const excess = Math.max(0, this.#excess());
    if (excess === 0 && !this.#saidPressure) return;
    this.#saidPressure = excess > 0;
    for (const link of links) {
      if (link?.isUp !== true || !hasFeatures(link, Feature.ttl)) continue;
      const at = link.begin(Opcode.memoryPressure, 0, 0, 0, PRESSURE_BYTES);
      writePressure(link.out.view, at, self, excess);
    }
    const { nowMs } = turn;
    for (const [member, { saidMs }] of this.#pressures) {
      if (nowMs - saidMs > PRESSURE_KEPT_MS) this.#pressures.delete(member);
    }
  }

  /** Evicts some of what is too much; another step follows soon while anything is. */
  #step(): void {
    const excess = this.#greatestExcess();
    if (excess <= 0) {
      this.#allowance = 0;
      return;
    }
    const { store, sets, turn, timers } = this.#options;
    this.#timer = timers.start(STEP_PAUSE_MS, () => {
      this.#timer = undefined;
      this.#step();
    });
    const elapsedMs = Math.min(ELAPSED_MS_MAX, turn.nowMs - this.#steppedMs);
    this.#steppedMs = turn.nowMs;
    const timeConstantMs = this.#isUrgent() ? EVICTION_URGENT_TIME_CONSTANT_MS : EVICTION_TIME_CONSTANT_MS;
    const due = this.#allowance + (excess * this.#share * elapsedMs) / timeConstantMs;
    this.#allowance = Math.min(due, excess, EVICTION_KEYS_PER_STEP_MAX);
    let left = Math.floor(this.#allowance);
    this.#allowance -= left;
    const { candidates } = store;
    let slots = EVICTION_SLOTS_PER_STEP;
    while (left > 0 && slots > 0) {
      const before = candidates.slot;
      const mine = this.#isMine(this.#partition) && this.#isPressed(this.#partition);
      if (mine && candidates.next(this.#partition, slots)) {
        if (!this.#evict()) break;
        left--;
      }
      slots -= candidates.slot - before;
      if (mine && !candidates.isAtEnd(this.#partition)) continue;
      slots -= PARTITION_SLOTS;
      this.#partition = (this.#partition + 1) % sets.partitions;
      candidates.slot = 0;
    }
  }

  /** Whether writes are about to be refused. */
  #isUrgent(): boolean {
    const { limits, store } = this.#options;
    const { memoryBytesMax, entriesMax } = limits;
    if (memoryBytesMax !== 0 && store.accountedBytes > memoryBytesMax * EVICTION_URGENT_PART) return true;
    return entriesMax !== 0 && store.candidates.keys > entriesMax + entriesSlack(entriesMax) / 2;
  }

  /** The greatest excess of any node, this one included. */
  #greatestExcess(): number {
    let greatest = this.#excess();
    for (const { keys } of this.#pressures.values()) greatest = Math.max(greatest, keys);
    return greatest;
  }

  /** Whether any owner of the partition holds too much. */
  #isPressed(partition: number): boolean {
    if (this.#excess() > 0) return true;
    return this.#options.sets.preference(partition).some((member) => this.#pressures.has(member));
  }

  /** Keys that would have to go here. */
  #excess(): number {
    const { limits, store } = this.#options;
    const { candidates } = store;
    const entries = limits.entriesMax === 0 ? 0 : candidates.keys - limits.entriesMax;
    if (limits.memoryBytesMax === 0) return entries;
    const bytes = candidates.heldBytes - this.#ceiling;
    return bytes <= 0 ? entries : Math.max(entries, Math.ceil(bytes / candidates.versionBytes));
  }

  /** Whether this node is the first owner of the partition that can be reached. */
  #isMine(partition: number): boolean {
    const { sets, self, reachable } = this.#options;
    for (const member of sets.preference(partition)) {
      if (member === self) return true;
      if (reachable(member)) return false;
    }
    return false;
  }

  /** Evicts the candidate, on all owners. False when there is no room for the tombstone. */
  #evict(): boolean {
    const { store, sets, streams, self } = this.#options;
    const { segment, hash, keyStart, keyLength, counter, node, lsn } = store.candidates;
    // What is not durable yet may still be waited for: it is new, and the hand comes by again.
    if (segment === undefined || lsn > store.durableLsn) return true;
    if (store.room(recordBytes(keyLength, 0), RecordKind.tombstone) !== 'ok') return false;
    const { bytes } = segment;
    const own = store.append(
      RecordKind.tombstone,
      counter,
      node,
      hash,
      bytes,
      keyStart,
      keyLength,
      bytes,
      keyStart,
      0,
      0,
    );
    this.#evictions.value++;
    const { appended } = store;
    for (const member of sets.ofHash(hash).members) {
      if (member !== self) streams[member]?.enqueue(appended.segment, appended.offset, appended.bytes, own);
    }
    return true;
  }
}

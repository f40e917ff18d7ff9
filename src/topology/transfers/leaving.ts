import type { WireTopology } from '@memdb/protocol';
import { HANDOVERS_MAX } from '../../model/limits.js';
import { RecordKind, recordBytes } from '../../model/record.js';
import type { Counter, Telemetry } from '../../ports/telemetry.js';
import { rowOf } from '../epoch-roles.js';
import { Handover, type HandoverOptions } from './handover.js';
import { formerPartitions, leavingsBefore } from './transfer-plan.js';

export interface LeavingOptions extends HandoverOptions {
  readonly self: number;
  readonly telemetry: Telemetry;
}

/** Room for the record of a drop. */
const DROP_BYTES: number = recordBytes(32, 8);

/**
 * What this node holds of partitions that it does not own: what it owned once is handed over, then dropped; what was
 * taken for a change that came to nothing is dropped at once (mechanisms: Epochs, Purging tombstones).
 *
 * Invariant: what an owner holds, now or after the pending change, is never dropped.
 */
export class Leaving {
  readonly #options: LeavingOptions;
  readonly #dropped: Counter;
  #topology: WireTopology;
  /** In the order in which they have their turn. */
  readonly #handovers: Set<Handover> = new Set();
  /** Partitions whose contents are being dropped; the log says so already. */
  readonly #dropping: Set<number> = new Set();
  /** Called once when nothing is being dropped any more. */
  #onClean: (() => void) | undefined;

  constructor(options: LeavingOptions, topology: WireTopology, filling: number) {
    this.#options = options;
    this.#topology = topology;
    const { telemetry } = options;
    this.#dropped = telemetry.counter('transfer_partitions_dropped_total', 'Partitions that were dropped here.');
    telemetry.gauge(
      'transfer_partitions_leaving',
      'Partitions that were owned here and are still to be handed over.',
      () => {
        return this.holdings.length;
      },
    );
    this.onEpoch(topology, filling);
  }

  /** Partitions that this node owned and has not handed over, or not dropped on its device yet. */
  get holdings(): number[] {
    const { self } = this.#options;
    const former = this.#topology.former.filter(({ partition, node }) => node === self && !this.#isClean(partition));
    return former.map(({ partition }) => partition);
  }

  /** `filling` is the change for which this node fills partitions. */
  onEpoch(topology: WireTopology, filling: number): void {
    this.#topology = topology;
    const { owners, replicas } = topology;
    this.#handovers.clear();
    for (const partition of formerPartitions(topology, this.#options.self)) {
      this.#handovers.add(new Handover(partition, [...rowOf(owners, replicas, partition)], this.#options));
    }
    this.#dropLeavings(topology, filling);
  }

  /**
   * Whether the node may enter an epoch: nothing is here that it would take for what it holds as an owner then. If not,
   * that is being dropped, and `onClean` is called when it is gone.
   */
  isPrepared(next: WireTopology, filling: number, onClean: () => void): boolean {
    this.#onClean = undefined;
    if (this.#dropLeavings(next, filling)) return true;
    this.#onClean = onClean;
    return false;
  }

  step(nowMs: number): void {
    for (const handover of [...this.#handovers].slice(0, HANDOVERS_MAX)) {
      handover.advance(nowMs);
      if (handover.isAsking) continue;
      this.#handovers.delete(handover);
      const { partition, isDone } = handover;
      if (!isDone || !(this.#isClean(partition) || this.#drop(partition))) this.#handovers.add(handover);
    }
  }

  /** True when there are none. */
  #dropLeavings(topology: WireTopology, filling: number): boolean {
    const leavings = leavingsBefore(topology, this.#options.self, filling);
    const held = leavings.filter((partition) => !this.#isClean(partition));
    for (const partition of held) this.#drop(partition);
    return held.length === 0;
  }

  #isClean(partition: number): boolean {
    const { audit } = this.#options.store;
    const { counter, cutoffMs } = audit.floorOf(partition);
    return audit.keysOf(partition) === 0 && counter === 0 && cutoffMs === 0 && !this.#dropping.has(partition);
  }

  /** False when there is no room to say so in the log. */
  #drop(partition: number): boolean {
    const { store } = this.#options;
    if (this.#dropping.has(partition)) return true;
    if (store.room(DROP_BYTES, RecordKind.tombstone) !== 'ok') return false;
    this.#dropping.add(partition);
    this.#dropped.value++;
    store.drop(partition, () => {
      store.syncNow(() => {
        this.#dropping.delete(partition);
        if (this.#dropping.size > 0) return;
        const onClean = this.#onClean;
        this.#onClean = undefined;
        onClean?.();
      });
    });
    return true;
  }
}

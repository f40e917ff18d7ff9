import { BodyReader, readCounter, type WireTopology, writeCounter } from '@memdb/protocol';
import type { Store } from '../storage/store.js';
import { viewOf } from '../storage/view-of.js';
import { rowOf } from './epoch-roles.js';

const META = 'owned-since';
/** u32 partition, u16 node, u64 LSN. */
const ENTRY_BYTES = 14;

interface Entry {
  readonly partition: number;
  readonly node: number;
  readonly lsn: number;
}

/**
 * From where on in this node's log an owner is to be sent what this node coordinates. What came before a node became an
 * owner reaches it with the data that is transferred, and must not reach it from the log as well: a deletion of it may be
 * purged on all owners that there were, and would not hide it there.
 *
 * Owners that are not named own their partition for as long as the log goes back.
 */
export class OwnedSince {
  readonly #store: Store;
  /** By node, then by partition. */
  readonly #lsns: Map<number, Map<number, number>> = new Map();

  constructor(store: Store) {
    this.#store = store;
    const kept = store.meta(META);
    if (kept === undefined) return;
    const reader = new BodyReader(META, kept, viewOf(kept), 0, kept.length);
    while (reader.at < reader.end) {
      const partition = reader.u32('partition');
      const node = reader.u16('node');
      this.#set({ partition, node, lsn: readCounter(viewOf(kept), reader.skip(8, 'LSN')) });
    }
  }

  /** Records up to here are not for that owner. Hot while a peer catches up. */
  of(node: number, partition: number): number {
    return this.#lsns.get(node)?.get(partition) ?? 0;
  }

  /**
   * An epoch is about to be logged, where the log ends at `lsn`: who owns a partition then, and does not in the epoch in
   * force, owns it from there on. `cursorOf` is up to where a peer has everything: what lies below is told no more.
   */
  onLogging(
    current: WireTopology,
    next: WireTopology,
    self: number,
    lsn: number,
    cursorOf: (node: number) => number,
  ): void {
    for (const [node, lsns] of this.#lsns) {
      for (const [partition, since] of lsns) if (since <= cursorOf(node)) lsns.delete(partition);
    }
    const gained: Entry[] = [];
    for (let partition = 0; partition < next.partitions; partition++) {
      const owners = ownersIn(current, partition);
      for (const node of ownersIn(next, partition))
        if (!owners.has(node) && node !== self) gained.push({ partition, node, lsn });
    }
    for (const entry of gained) this.#set(entry);
    if (gained.length > 0) this.#save();
  }

  /** The epoch is in force: what was begun before and is to be counted by its owners begins at `lowest`. */
  lower(lowest: number): void {
    for (const lsns of this.#lsns.values()) {
      for (const [partition, lsn] of lsns) if (lsn >= lowest) lsns.set(partition, lowest - 1);
    }
  }

  #set({ partition, node, lsn }: Entry): void {
    const lsns = this.#lsns.get(node) ?? new Map<number, number>();
    this.#lsns.set(node, lsns);
    lsns.set(partition, lsn);
  }

  #save(): void {
    const entries = [...this.#lsns].flatMap(([node, lsns]) =>
      [...lsns].map(([partition, lsn]) => ({ partition, node, lsn })),
    );
    const bytes = new Uint8Array(entries.length * ENTRY_BYTES);
    const view = viewOf(bytes);
    for (const [index, { partition, node, lsn }] of entries.entries()) {
      view.setUint32(index * ENTRY_BYTES, partition, true);
      view.setUint16(index * ENTRY_BYTES + 4, node, true);
      writeCounter(view, index * ENTRY_BYTES + 6, lsn);
    }
    this.#store.putMeta(META, bytes);
  }
}

/** Who owns a partition now, or will after a pending change. */
function ownersIn({ owners, replicas, pending }: WireTopology, partition: number): Set<number> {
  const nodes = new Set(rowOf(owners, replicas, partition));
  if (pending !== undefined) for (const node of rowOf(pending.owners, pending.replicas, partition)) nodes.add(node);
  return nodes;
}

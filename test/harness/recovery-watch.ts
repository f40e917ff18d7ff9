import { keyHash, partitionOfHash } from '@memdb/protocol';
import { RecordKind } from '../../src/model/record.js';
import type { Node } from '../../src/node.js';
import type { BrokenPromises } from './broken-promise.js';
import { orderOf, type SeenStamp, stampText } from './history.js';

interface Remembered {
  readonly versions: ReadonlyMap<string, SeenStamp>;
  /** Of the keys that it did not hold: the floors that it answered with. */
  readonly absent: ReadonlyMap<string, SeenStamp>;
  /** The highest counter that the node stamped a version with, durable or not. */
  readonly stamped: number;
}

/**
 * What a node claims to be durable is there after the next start, whatever happened in between (semantics: Durability);
 * what it had purged does not come back, which is why compaction carries purged tombstones on (mechanisms: Purging
 * tombstones, ×); and it never stamps at or below anything it may have stamped (semantics: Versions). Looked at when a
 * process ends and when the next one has recovered.
 */
export class RecoveryWatch {
  readonly #keys: readonly string[];
  readonly #forgets: boolean;
  readonly #broken: BrokenPromises;
  readonly #remembered: Map<string, Remembered> = new Map();

  /** `forgets`: only what is synced lasts, whatever may be spoken of (mode `interval`). */
  constructor(keys: readonly string[], forgets: boolean, broken: BrokenPromises) {
    this.#keys = keys;
    this.#forgets = forgets;
    this.#broken = broken;
  }

  /** The disk of a node is empty from now on: it comes back as another one. */
  forget(name: string): void {
    this.#remembered.delete(name);
  }

  /** The process ends now. */
  onEnd(name: string, node: Node): void {
    const { store } = node;
    if (store === undefined) return;
    const versions = new Map<string, SeenStamp>();
    const absent = new Map<string, SeenStamp>();
    for (const key of this.#keys) {
      const held = versionOf(node, key);
      if (held === undefined || isDropped(node)) continue;
      if (!isHeld(node)) absent.set(key, held);
      else if (this.#forgets ? store.found.lsn <= store.syncedLsn : store.found.durable) versions.set(key, held);
    }
    let stamped = this.#remembered.get(name)?.stamped ?? 0;
    const cursor = store.logCursor(0);
    while (cursor.next()) if (cursor.node === node.number) stamped = Math.max(stamped, cursor.counter);
    this.#remembered.set(name, { versions, absent, stamped });
  }

  /** The next process has recovered what it found. */
  onStart(name: string, node: Node): void {
    const remembered = this.#remembered.get(name);
    if (remembered === undefined) return;
    for (const [key, stamp] of remembered.versions) {
      const held = versionOf(node, key);
      if (held === undefined || orderOf(held, stamp) < 0) {
        const found = held === undefined ? 'nothing' : `@${stampText(held)}`;
        this.#broken.add(`${name} had @${stampText(stamp)} durably and recovered ${found}`, key);
      }
    }
    for (const [key, floor] of remembered.absent) {
      const held = versionOf(node, key);
      // The record of a floor may be lost, and what had expired is then back until it is purged again.
      if (held === undefined || !isHeld(node) || orderOf(held, floor) > 0) continue;
      const { kind, expiresAtMs } = node.store?.found ?? {};
      if (kind !== RecordKind.value || expiresAtMs !== 0) continue;
      this.#broken.add(`${name} had purged up to @${stampText(floor)} and recovered @${stampText(held)}`, key);
    }
    const current = node.lamport?.current ?? 0;
    if (current < remembered.stamped) {
      this.#broken.add(`${name} goes on from counter ${current} although it had stamped ${remembered.stamped}`);
    }
  }
}

/** Whether the last lookup found what was dropped with its partition, and is still being forgotten. */
function isDropped({ store, replication }: Node): boolean {
  if (store === undefined || replication === undefined) return false;
  const { keyStart, keyLength, bytes, view, lsn } = store.found;
  if (lsn === 0) return false;
  const { partitions, hashSeed } = store.placement;
  return lsn <= store.droppedLsn(partitionOfHash(keyHash(bytes, view, keyStart, keyLength, hashSeed), partitions));
}

/** Whether the last lookup found a record. */
function isHeld({ store }: Node): boolean {
  return store !== undefined && store.found.lsn > 0;
}

/** The stamp of a key, or the floor that an absent one answers with. */
function versionOf({ store }: Node, key: string): SeenStamp | undefined {
  if (store === undefined) return undefined;
  const bytes = Buffer.from(key);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  store.found.lsn = 0;
  store.lookup(keyHash(bytes, view, 0, bytes.length, store.placement.hashSeed), bytes, view, 0, bytes.length);
  const { counter, node } = store.found;
  return { counter, node };
}

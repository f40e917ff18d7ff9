import {
  compareStamps,
  keyHash,
  type ReplicaPage,
  type ScanEntry,
  ScanReach,
  scanPosition,
  type WireStamp,
} from '@memdb/protocol';

/** Where the pages that were merged end: everything up to here has been seen on all of them. */
export type MergedReach =
  | { readonly kind: 'end' }
  | { readonly kind: 'place'; readonly position: number; readonly after: Uint8Array };

/** The order of scans: the position, then the bytes of the key. */
interface Bound {
  /** 2^32 behind the last key of the partition. */
  readonly position: number;
  readonly after: Uint8Array;
}

const TWO_32 = 4294967296;
const NO_STAMP: WireStamp = { counter: 0, node: 0 };
const NO_BYTES = new Uint8Array(0);

/**
 * Merges the pages of a majority of owners that begin at one place: calls `present` with every key whose newest
 * version among them is a value, in order, and returns how far that can be said.
 *
 * Only what lies within reach of **all** pages is judged: beyond the shortest one a replica has not been heard, and
 * its tombstone, or the only copy of a key on this majority, might be there. What is left out comes with the next
 * page, which begins where this one ends.
 */
export function mergePages(
  pages: readonly ReplicaPage[],
  hashSeed: number,
  present: (key: Uint8Array) => void,
): MergedReach {
  const cursors = pages.map((page) => new PageCursor(page, hashSeed));
  const limit = cursors.map((cursor) => cursor.bound()).reduce((low, bound) => (order(bound, low) < 0 ? bound : low));
  for (;;) {
    let lowest: PageCursor | undefined;
    for (const cursor of cursors) {
      if (!cursor.isAtEnd && (lowest === undefined || order(cursor, lowest) < 0)) lowest = cursor;
    }
    if (lowest === undefined || !isWithin(lowest, limit)) break;
    const { after: key, position } = lowest;
    let newest: ScanEntry = lowest.entry;
    let floor = NO_STAMP;
    for (const cursor of cursors) {
      if (cursor.isAtEnd || cursor.position !== position || Buffer.compare(cursor.after, key) !== 0) {
        if (isNewer(cursor.floor, floor)) floor = cursor.floor;
        continue;
      }
      if (replaces(cursor.entry, newest)) newest = cursor.entry;
      cursor.move();
    }
    // At or below the floor of a replica that lacks it, a value was read before its deletion came there and was purged.
    if (!newest.absent && (newest.serial || isNewer(newest.stamp, floor))) present(key);
  }
  if (limit.position === TWO_32) return { kind: 'end' };
  return { kind: 'place', ...limit };
}

class PageCursor {
  readonly #page: ReplicaPage;
  readonly #hashSeed: number;
  /** Of the memory that the keys lie in: one buffer for all of a page. */
  #bytes: Uint8Array = NO_BYTES;
  #view: DataView = new DataView(NO_BYTES.buffer);
  #index = 0;
  position = 0;
  after: Uint8Array = NO_BYTES;

  constructor(page: ReplicaPage, hashSeed: number) {
    this.#page = page;
    this.#hashSeed = hashSeed;
    this.#read();
  }

  get isAtEnd(): boolean {
    return this.#index === this.#page.entries.length;
  }

  get floor(): WireStamp {
    return this.#page.floor;
  }

  get entry(): ScanEntry {
    return this.#page.entries[this.#index];
  }

  move(): void {
    this.#index++;
    this.#read();
  }

  /** How far the page reaches. */
  bound(): Bound {
    const { reach, position, entries } = this.#page;
    if (reach === ScanReach.end) return { position: TWO_32, after: NO_BYTES };
    if (reach === ScanReach.position) return { position, after: NO_BYTES };
    const { key } = entries[entries.length - 1];
    return { position: this.#positionOf(key), after: key };
  }

  #read(): void {
    if (this.isAtEnd) return;
    this.after = this.entry.key;
    this.position = this.#positionOf(this.after);
  }

  #positionOf(key: Uint8Array): number {
    if (key.buffer !== this.#bytes.buffer) {
      this.#bytes = new Uint8Array(key.buffer);
      this.#view = new DataView(key.buffer);
    }
    return scanPosition(keyHash(this.#bytes, this.#view, key.byteOffset, key.length, this.#hashSeed));
  }
}

function order(left: Bound, right: Bound): number {
  return left.position - right.position || Buffer.compare(left.after, right.after);
}

/** A key is within a bound that names its position only when that bound names it, or one behind it, too. */
function isWithin(key: Bound, limit: Bound): boolean {
  return order(key, limit) <= 0;
}

/** Newer, or at one stamp an eviction that has not come to the other replica yet (model/version-order.ts). */
function replaces(entry: ScanEntry, other: ScanEntry): boolean {
  const { stamp, absent, serial } = entry;
  if (serial !== other.serial) return serial;
  if (isNewer(stamp, other.stamp)) return true;
  return (
    absent && !other.absent && compareStamps(stamp.counter, stamp.node, other.stamp.counter, other.stamp.node) === 0
  );
}

function isNewer(left: WireStamp, right: WireStamp): boolean {
  return compareStamps(left.counter, left.node, right.counter, right.node) > 0;
}

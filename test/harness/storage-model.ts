import { bytesOf, type StorageWorld, viewOf } from './storage-world.js';

export interface Logged {
  readonly lsn: number;
  readonly key: string;
  /** Undefined: deleted. */
  readonly value: string | undefined;
  readonly counter: number;
}

/** The slow, obvious store: a list of everything that was appended, whatever compaction did to the real log. */
export class StorageModel {
  #log: Logged[] = [];

  add(logged: Logged): void {
    this.#log.push(logged);
  }

  /** The newest version of each key. */
  newest(): Map<string, Logged> {
    const newest = new Map<string, Logged>();
    for (const logged of this.#log) {
      const held = newest.get(logged.key);
      if (held === undefined || logged.counter > held.counter) newest.set(logged.key, logged);
    }
    return newest;
  }

  /** A crash: what came after this LSN is gone. */
  cut(lastLsn: number): void {
    this.#log = this.#log.filter(({ lsn }) => lsn <= lastLsn);
  }

  /** Throws when the store does not hold exactly the newest versions. */
  check(world: StorageWorld): void {
    for (const [key, { value, counter }] of this.newest()) {
      const actual = world.get(key);
      if (actual !== value)
        throw new Error(`${key}@${counter} is ${actual?.slice(0, 20)}, expected ${value?.slice(0, 20)}`);
    }
  }

  /**
   * Throws when a cursor from `afterLsn` misses a version that is the newest of its key, shows one that never was, or
   * goes back. What something newer replaced may be missing.
   */
  checkCursor(world: StorageWorld, afterLsn: number): void {
    const byLsn = new Map(this.#log.map((logged) => [logged.lsn, logged] as const));
    const missing = new Map(
      [...this.newest().values()].filter(({ lsn }) => lsn > afterLsn).map((one) => [one.lsn, one]),
    );
    const cursor = world.store.logCursor(afterLsn);
    let last = afterLsn;
    while (cursor.next()) {
      if (cursor.lsn <= last) throw new Error(`LSN ${cursor.lsn} follows ${last}`);
      last = cursor.lsn;
      const logged = byLsn.get(cursor.lsn);
      const { bytes } = cursor.segment;
      const key = Buffer.from(bytes.subarray(cursor.keyStart, cursor.keyStart + cursor.keyLength)).toString();
      if (logged?.key !== key || logged.counter !== cursor.counter) {
        throw new Error(`LSN ${cursor.lsn} is ${key}@${cursor.counter}, expected ${logged?.key}@${logged?.counter}`);
      }
      missing.delete(cursor.lsn);
    }
    for (const { lsn, key } of missing.values()) throw new Error(`the cursor missed ${key} at LSN ${lsn}`);
  }
}

/** Purges the tombstone of a key, as the audit does once every owner has it durably. */
export function purge(world: StorageWorld, key: string): boolean {
  if (!world.find(key) || !world.store.found.durable) return false;
  const bytes = bytesOf(key);
  return world.store.audit.erase(world.hashOf(key), viewOf(bytes), 0, bytes.length);
}

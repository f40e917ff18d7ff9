import { compareStamps, readCounter, stampCounter, stampNode, writeCounter, writeStamp } from '@memdb/protocol';
import { kindOf, RecordKind, recordCounter, recordExpiresAtMs, recordKindLength, recordNode } from '../model/record.js';

/**
 * How far a partition is purged (mechanisms: Purging tombstones): tombstones with a stamp at or below it are erased, and
 * values that expired at or before `cutoffMs` (Unix time) with such a stamp.
 */
export interface Floor {
  readonly counter: number;
  readonly node: number;
  readonly cutoffMs: number;
}

export const NO_FLOOR: Floor = { counter: 0, node: 0, cutoffMs: 0 };

const PREFIX = 'floor/';
/** A stamp, u64 cutoff, u64 LSN. */
const FLOOR_META_BYTES = 28;

/** A floor as the log keeps it. */
export interface KeptFloor extends Floor {
  /**
   * Only what has an LSN up to here was purged: a tombstone with an older stamp may come later, as evictions do, and some
   * owner may not have it.
   */
  readonly lsn: number;
}

/** The floors of all partitions. They only rise. */
export class Floors {
  /** By partition. Read on every miss and insertion: hot. */
  counters: Float64Array = new Float64Array(0);
  nodes: Uint16Array = new Uint16Array(0);
  cutoffs: Float64Array = new Float64Array(0);
  /** No floor has a higher counter: what is above it needs no look at its partition. */
  highestCounter = 0;

  reset(partitions: number): void {
    this.counters = new Float64Array(partitions);
    this.nodes = new Uint16Array(partitions);
    this.cutoffs = new Float64Array(partitions);
    this.highestCounter = 0;
  }

  of(partition: number): Floor {
    return {
      counter: this.counters[partition],
      node: this.nodes[partition],
      cutoffMs: this.cutoffs[partition],
    };
  }

  /** The caller keeps the meta record; a floor never falls. */
  raise(partition: number, floor: Floor): void {
    const own = compareStamps(floor.counter, floor.node, this.counters[partition], this.nodes[partition]);
    if (own < 0 || floor.cutoffMs < this.cutoffs[partition]) throw new Error(`floor of partition ${partition} falls`);
    this.counters[partition] = floor.counter;
    this.highestCounter = Math.max(this.highestCounter, floor.counter);
    this.nodes[partition] = floor.node;
    this.cutoffs[partition] = floor.cutoffMs;
  }

  /** The partition was dropped, and its floor with it. */
  forget(partition: number): void {
    this.counters[partition] = 0;
    this.nodes[partition] = 0;
    this.cutoffs[partition] = 0;
  }

  /** Whether the stamp is at or below the partition's floor. Hot. */
  covers(partition: number, counter: number, node: number): boolean {
    const floor = this.counters[partition];
    return counter < floor || (counter === floor && node <= this.nodes[partition]);
  }
}

/** Whether a floor lets go of the version at `view[offset]`: a tombstone, or a value whose deadline has passed. */
export function isRecordPurgedBy(floor: Floor, view: DataView, offset: number): boolean {
  if (compareStamps(recordCounter(view, offset), recordNode(view, offset), floor.counter, floor.node) > 0) return false;
  const kind = kindOf(recordKindLength(view, offset));
  if (kind === RecordKind.tombstone) return true;
  if (kind === RecordKind.serial) return false;
  const expiresAtMs = recordExpiresAtMs(view, offset);
  return expiresAtMs !== 0 && expiresAtMs <= floor.cutoffMs;
}

/** Name of the meta record that holds a partition's floor. */
export function floorMetaName(partition: number): string {
  return `${PREFIX}${partition}`;
}

/** The partition that a meta record of this name speaks of; undefined when it holds no floor. */
export function partitionOfFloorMeta(name: string): number | undefined {
  return name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : undefined;
}

export function encodeFloor(floor: KeptFloor): Uint8Array {
  const bytes = new Uint8Array(FLOOR_META_BYTES);
  const view = new DataView(bytes.buffer);
  writeStamp(view, 0, floor.counter, floor.node);
  writeCounter(view, 12, floor.cutoffMs);
  writeCounter(view, 20, floor.lsn);
  return bytes;
}

export function decodeFloor(bytes: Uint8Array): KeptFloor {
  if (bytes.length !== FLOOR_META_BYTES) throw new Error(`a floor of ${bytes.length} bytes is not understood`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    counter: stampCounter(view, 0),
    node: stampNode(view, 0),
    cutoffMs: readCounter(view, 12),
    lsn: readCounter(view, 20),
  };
}

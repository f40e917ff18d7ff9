import { keyHash, NO_BALLOT, SerialContent, serialContent } from '@memdb/protocol';
import {
  kindOf,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordCounter,
  recordKeyLength,
  recordKindLength,
  recordLsnLow,
} from '../model/record.js';
import { serialBodyAt, valueExpiresAtMs } from '../model/serial-record.js';
import type { Catalog } from './catalog.js';
import type { IndexWindow } from './key-index.js';

const TWO_32 = 4294967296;
/** What a partition without serial keys costs, in slots. */
const PARTITION_SLOTS = 16;

/** A serial key that somebody has to see to. */
export interface UnsettledKey {
  readonly key: Uint8Array;
  readonly hash: number;
  /** It is a deletion whose operations may be forgotten. */
  readonly forgets: boolean;
}

/**
 * Finds the serial keys that a round should see to, a slice of the index at a time: values that have expired and, once they
 * are old, bare promises whose proposer has gone, and deletions that still remember operations.
 */
export class SerialWalk implements IndexWindow {
  readonly #catalog: Catalog;
  /** Times that the walk came to its end. */
  rounds = 0;
  #partition = 0;
  #from = 0;
  #wallMs = 0;
  #oldLsn = 0;
  #found: UnsettledKey[] = [];

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** Looks at about `slots` slots; what has an LSN up to `oldLsn` is old. */
  step(slots: number, wallMs: number, oldLsn: number): UnsettledKey[] {
    const { index, versions } = this.#catalog;
    this.#wallMs = wallMs;
    this.#oldLsn = oldLsn;
    this.#found = [];
    for (let left = slots; left > 0; ) {
      if (this.#partition >= index.partitions) {
        this.#partition = 0;
        this.rounds++;
        break;
      }
      if (versions.serial[this.#partition] === 0) {
        this.#next();
        left -= PARTITION_SLOTS;
        continue;
      }
      const most = Math.min(left, index.slotsOf(this.#partition));
      this.#from = index.window(this.#partition, this.#from, most, this);
      left -= most;
      if (this.#from === TWO_32) this.#next();
    }
    return this.#found;
  }

  add(_mixed: number, location: number): void {
    const { segments, hashSeed } = this.#catalog;
    const segment = segments.segmentAt(location);
    const offset = segments.offsetAt(location);
    const { bytes, view } = segment;
    if (kindOf(recordKindLength(view, offset)) !== RecordKind.serial) return;
    const expiresAtMs = valueExpiresAtMs(view, offset);
    const isOld = segment.lsnOf(recordLsnLow(view, offset)) <= this.#oldLsn;
    const body = serialBodyAt(view, offset);
    const isBare = recordCounter(view, offset) === NO_BALLOT.counter;
    const forgets = serialContent(view, body) !== SerialContent.value && view.getUint8(body + 2) !== 0;
    const isExpired = expiresAtMs !== 0 && expiresAtMs <= this.#wallMs && !isBare;
    if (!isExpired && !(isOld && (isBare || forgets))) return;
    const keyStart = offset + RECORD_HEADER_BYTES;
    const key = bytes.slice(keyStart, keyStart + recordKeyLength(view, offset));
    const hash = keyHash(bytes, view, keyStart, key.length, hashSeed);
    this.#found.push({ key, hash, forgets: isOld && forgets });
  }

  #next(): void {
    this.#partition++;
    this.#from = 0;
  }
}

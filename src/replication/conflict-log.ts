import { CONFLICT_VALUE_BYTES_MAX, CONFLICTS_KEPT, CONFLICTS_PER_SECOND_MAX } from '../model/limits.js';
import { RecordKind } from '../model/record.js';
import type { Turn } from '../ports/turn.js';

/** One of the two versions of a conflict. */
export interface ConflictVersion {
  readonly counter: number;
  readonly node: number;
  /** Undefined for a deletion. The first bytes alone, of a long one. */
  readonly value: Uint8Array | undefined;
  readonly valueBytes: number;
}

/** A version that was replaced by a write that had not seen it. */
export interface Conflict {
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly key: Uint8Array;
  readonly winner: ConflictVersion;
  readonly loser: ConflictVersion;
}

/** A version as it stands in some buffer. */
export interface VersionBytes {
  readonly counter: number;
  readonly node: number;
  readonly kind: number;
  readonly bytes: Uint8Array;
  readonly valueStart: number;
  readonly valueLength: number;
}

/**
 * The latest conflicts that this node saw as a coordinator (semantics: Versions): a ring, filled no faster than a set rate.
 * What it does not take is counted all the same.
 */
export class ConflictLog {
  readonly #turn: Turn;
  readonly #kept: (Conflict | undefined)[] = new Array(CONFLICTS_KEPT).fill(undefined);
  #next = 0;
  #windowMs = 0;
  #inWindow = 0;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** Whether the next one would be kept. Hot where every write is a conflict. */
  takesMore(): boolean {
    const { nowMs } = this.#turn;
    if (nowMs - this.#windowMs >= 1000) {
      this.#windowMs = nowMs;
      this.#inWindow = 0;
    }
    return this.#inWindow < CONFLICTS_PER_SECOND_MAX;
  }

  /** Copies what it keeps. The key is `bytes[start, +length)`. */
  note(bytes: Uint8Array, start: number, length: number, winner: VersionBytes, loser: VersionBytes): void {
    this.#inWindow++;
    this.#kept[this.#next] = {
      atMs: this.#turn.wallMs,
      key: Uint8Array.prototype.slice.call(bytes, start, start + length),
      winner: copyOf(winner),
      loser: copyOf(loser),
    };
    this.#next = (this.#next + 1) % CONFLICTS_KEPT;
  }

  /** The newest first. */
  list(): readonly Conflict[] {
    const inOrder = [...this.#kept.slice(this.#next), ...this.#kept.slice(0, this.#next)];
    return inOrder.filter((conflict) => conflict !== undefined).reverse();
  }
}

function copyOf({ counter, node, kind, bytes, valueStart, valueLength }: VersionBytes): ConflictVersion {
  if (kind === RecordKind.tombstone) return { counter, node, value: undefined, valueBytes: 0 };
  const end = valueStart + Math.min(valueLength, CONFLICT_VALUE_BYTES_MAX);
  return { counter, node, value: Uint8Array.prototype.slice.call(bytes, valueStart, end), valueBytes: valueLength };
}

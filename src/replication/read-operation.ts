import { compareStamps, Opcode, REPLICAS_MAX, VersionKind } from '@memdb/protocol';
import { RecordKind } from '../model/record.js';
import { compareVersions } from '../model/version-order.js';
import { isEnough, type Quorum, quorumOf, quorumOfReplies } from '../topology/quorum.js';
import type { ReplicaSet } from '../topology/replica-sets.js';
import type { ReplyTarget } from './replies.js';

/** Owners now and after a pending change. */
const MEMBERS_MAX: number = 2 * REPLICAS_MAX;

/** What a read is waiting for. */
export type ReadPhase = 'free' | 'gather' | 'write-back';

/** One replica's answer, kept for `quorumGet` only. */
export interface ReplicaAnswer {
  readonly node: number;
  readonly kind: number;
  readonly counter: number;
  readonly stampNode: number;
  readonly value: Uint8Array | undefined;
  /** Of the value; 0 when it never expires. */
  readonly expiresAtMs: number;
}

/** A buffer that keeps its memory between operations unless one was large. */
class Scratch {
  bytes: Uint8Array = new Uint8Array(64);
  view: DataView = new DataView(this.bytes.buffer);
  length = 0;

  set(from: Uint8Array, start: number, length: number): void {
    if (length > this.bytes.length) {
      this.bytes = new Uint8Array(Math.max(length, this.bytes.length * 2));
      this.view = new DataView(this.bytes.buffer);
    }
    this.bytes.set(from.subarray(start, start + length));
    this.length = length;
  }

  release(): void {
    this.length = 0;
    if (this.bytes.length <= SCRATCH_KEPT_BYTES) return;
    this.bytes = new Uint8Array(64);
    this.view = new DataView(this.bytes.buffer);
  }
}

/** A scratch buffer larger than this is given back: 65,536 slots × 4 KiB is the most that idle slots hold. */
const SCRATCH_KEPT_BYTES = 4096;

/**
 * The state of one quorum read. Slots are reused: nothing is allocated per read. Replicas are named by their position
 * in the replica set, sets of them by bits.
 */
export class ReadOperation {
  readonly slot: number;
  /** Grows with each use of the slot, so that a late answer to an earlier read is told apart. */
  use = 0;
  phase: ReadPhase = 'free';
  target: ReplyTarget | undefined;
  set: ReplicaSet | undefined;
  opcode = 0;
  correlation = 0;
  /** Consistency, or the replies that a `quorumGet` waits for. */
  selector = 0;
  quorum: Quorum = { owners: 0, next: 0 };
  startedMs = 0;
  deadlineMs = 0;
  hash = 0;
  asked = 0;
  answered = 0;
  failed = 0;
  /** Replicas that hold the newest version seen so far. */
  holders = 0;
  repairing = 0;
  counter = 0;
  node = 0;
  kind: number = VersionKind.never;
  /** Replicas that hold nothing, and by replica the floor that each answered with. */
  absent = 0;
  /** The newest version is a value that a replica purged: it had expired there. */
  #purged = false;
  readonly #floorCounters: Float64Array = new Float64Array(MEMBERS_MAX);
  readonly #floorNodes: Uint16Array = new Uint16Array(MEMBERS_MAX);
  /** Deadline of the newest version, Unix milliseconds; 0 when it never expires. */
  expiresAtMs = 0;
  /** The version that the coordinator itself held when it asked. */
  localCounter = 0;
  localNode = 0;
  localKind: number = RecordKind.value;
  readonly key: Scratch = new Scratch();
  readonly value: Scratch = new Scratch();
  answers: ReplicaAnswer[] | undefined;

  constructor(slot: number) {
    this.slot = slot;
  }

  begin(target: ReplyTarget, opcode: number, correlation: number, selector: number): void {
    this.target = target;
    this.opcode = opcode;
    this.correlation = correlation;
    this.selector = selector;
  }

  /** Nobody was asked yet, or another epoch is in force and all are asked anew: earlier answers do not count. */
  ask(set: ReplicaSet): void {
    this.use = (this.use + 1) & 0xffff;
    this.phase = 'gather';
    const isQuorumGet = this.opcode === Opcode.quorumGet;
    this.quorum = isQuorumGet ? quorumOfReplies(set, this.selector) : quorumOf(set, this.selector);
    this.set = set;
    this.asked = 0;
    this.answered = 0;
    this.failed = 0;
    this.holders = 0;
    this.repairing = 0;
    this.counter = 0;
    this.node = 0;
    this.kind = VersionKind.never;
    this.absent = 0;
    this.expiresAtMs = 0;
    this.#purged = false;
    this.localCounter = 0;
    this.localNode = 0;
    this.localKind = RecordKind.value;
    this.answers = isQuorumGet ? [] : undefined;
    this.value.length = 0;
  }

  /** Whether these members (bits) are as many as the read waits for. */
  isEnough(members: number): boolean {
    return this.set !== undefined && isEnough(this.set, members, this.quorum);
  }

  /** A replica's version, expired or not: the coordinator judges at the end. `kind` is value, tombstone or never; the newest one seen is kept. */
  vote(
    member: number,
    kind: number,
    counter: number,
    node: number,
    bytes: Uint8Array,
    start: number,
    length: number,
    expiresAtMs: number,
  ): void {
    const bit = 1 << member;
    this.answered |= bit;
    if (kind === VersionKind.never) {
      this.absent |= bit;
      this.#floorCounters[member] = counter;
      this.#floorNodes[member] = node;
    } else {
      // A floor that was all there was so far is no version of this key.
      const order =
        this.kind === VersionKind.never
          ? 1
          : compareVersions(counter, node, recordKindOf(kind), this.counter, this.node, recordKindOf(this.kind));
      if (order > 0) {
        this.counter = counter;
        this.node = node;
        this.kind = kind;
        this.expiresAtMs = expiresAtMs;
        this.#purged = false;
        this.holders = bit;
        this.value.set(bytes, start, length);
      } else if (order === 0) this.holders |= bit;
    }
    if (this.absent !== 0) this.#weighFloors();
    this.answers?.push({
      node: this.set?.members[member] ?? 0,
      kind,
      counter,
      stampNode: node,
      value: kind === VersionKind.value ? bytes.slice(start, start + length) : undefined,
      expiresAtMs,
    });
  }

  /**
   * What replicas without the key say by their floors: everything at or below is deleted, and they hold what is newer
   * than a tombstone down there. A value at or below a floor does not count: it came from a disk or a connection
   * that slept through its deletion.
   */
  #weighFloors(): void {
    let top = 0;
    let topNode = 0;
    for (let member = 0; 1 << member <= this.absent; member++) {
      if ((this.absent & (1 << member)) === 0) continue;
      const counter = this.#floorCounters[member];
      const node = this.#floorNodes[member];
      if (compareStamps(counter, node, top, topNode) > 0) {
        top = counter;
        topNode = node;
      }
    }
    if (this.kind === VersionKind.never) {
      this.counter = top;
      this.node = topNode;
      this.holders = this.absent;
      return;
    }
    const above = compareStamps(top, topNode, this.counter, this.node);
    if (above === 0 && this.expiresAtMs !== 0) {
      // It is this very version that was purged: it is over, and goes on being what it is where it still stands.
      this.#purged = true;
    } else if (this.kind === VersionKind.value && above >= 0) {
      this.kind = VersionKind.tombstone;
      this.counter = top;
      this.node = topNode;
      this.expiresAtMs = 0;
      this.value.length = 0;
      this.holders = 0;
    }
    for (let member = 0; 1 << member <= this.absent; member++) {
      const bit = 1 << member;
      if ((this.absent & bit) === 0) continue;
      const order = compareStamps(this.#floorCounters[member], this.#floorNodes[member], this.counter, this.node);
      if (order >= 0) this.holders |= bit;
    }
  }

  /** Whether the newest version is none that a replica would have to hold: deleted, purged or never written. */
  get isGone(): boolean {
    return this.kind !== VersionKind.value || this.#purged;
  }

  /** Whether the newest version is a value at the coordinator's wall clock `wallMs`. */
  hasValue(wallMs: number): boolean {
    return this.kind === VersionKind.value && !this.#purged && (this.expiresAtMs === 0 || this.expiresAtMs > wallMs);
  }

  /** Whether a replica with such a version, a record of `kind`, holds the newest one seen, or one that is newer. */
  isReachedBy(counter: number, node: number, kind: number): boolean {
    return compareVersions(counter, node, kind, this.counter, this.node, recordKindOf(this.kind)) >= 0;
  }

  /** A replica holds just what the coordinator held when it asked: whether that still is the newest one seen. */
  isLocal(counter: number, node: number): boolean {
    return this.counter === counter && this.node === node && recordKindOf(this.kind) === this.localKind;
  }

  release(): void {
    this.phase = 'free';
    this.target = undefined;
    this.set = undefined;
    this.answers = undefined;
    this.key.release();
    this.value.release();
  }
}

/** As which kind of record a version stands in the log; absence without a record counts as a deletion. */
export function recordKindOf(versionKind: number): number {
  return versionKind === VersionKind.value ? RecordKind.value : RecordKind.tombstone;
}

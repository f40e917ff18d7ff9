import {
  COUNTER_LIST_HEADER_BYTES,
  COUNTER_VALUE_BYTES,
  CounterEntryList,
  counterListBytes,
  Feature,
  Flag,
  FRAME_HEADER_BYTES,
  frameCorrelation,
  frameEpoch,
  frameFlags,
  Opcode,
  readCounterEntries,
  writeCounterList,
} from '@memdb/protocol';
import { CounterSum } from '../../counters/counter-sum.js';
import type { PeerLink } from '../../membership/peer-link.js';
import { COUNTER_READS_MAX, READ_HEDGE_MS } from '../../model/limits.js';
import { RecordKind } from '../../model/record.js';
import type { Counter, Telemetry } from '../../ports/telemetry.js';
import type { Turn } from '../../ports/turn.js';
import type { Store } from '../../storage/store.js';
import { viewOf } from '../../storage/view-of.js';
import type { ReplicaSet, ReplicaSets } from '../../topology/replica-sets.js';
import { hasFeatures } from '../forwarder.js';
import type { HeldReplies } from '../held-replies.js';
import { DISK_BEHIND, READ_TIMEOUT, READ_UNAVAILABLE, TOO_MANY_READS } from '../read-errors.js';
import { KEY_LOST, type Replies, type ReplyError, type ReplyTarget } from '../replies.js';
import { unavailable } from '../write-errors.js';
import { OUT_OF_RANGE } from './counter-errors.js';
import { CounterRead } from './counter-read.js';

export interface CounterReadsOptions {
  readonly self: number;
  readonly store: Store;
  readonly sets: ReplicaSets;
  readonly replies: Replies;
  readonly held: HeldReplies;
  readonly turn: Turn;
  readonly telemetry: Telemetry;
  /** By member number. */
  readonly links: readonly (PeerLink | undefined)[];
  readonly reachable: (member: number) => boolean;
  /** Entries of this node came back to it: they stand at the end of the log. */
  readonly onReturned: () => void;
}

/**
 * Reads counters. At quorum a majority is asked, what they hold is merged, and where no majority holds an entry as it was
 * merged, those that were asked are given what they lack before the value is answered: so no read sees less than one that
 * ended before it (mechanisms: Counters).
 *
 * Invariant: every entry that an answer at quorum counts is durable on a majority of the owners, or a newer state of it is.
 */
export class CounterReads {
  readonly #options: CounterReadsOptions;
  readonly #slots: CounterRead[] = [];
  readonly #free: CounterRead[] = [];
  /** Reads that wait for the own log. */
  readonly #waits: { readonly read: CounterRead; readonly use: number; readonly lsn: number }[] = [];
  readonly #entries: CounterEntryList = new CounterEntryList();
  readonly #sum: CounterSum = new CounterSum();
  readonly #writeBacks: Counter;

  constructor(options: CounterReadsOptions) {
    this.#options = options;
    this.#writeBacks = options.telemetry.counter(
      'counters_written_back_total',
      'Reads of counters that gave replicas entries which they lacked.',
    );
  }

  /** Quorum reads that are not answered yet. */
  get pending(): number {
    return this.#slots.length - this.#free.length;
  }

  /** The value as this replica holds it. */
  readHere(
    target: ReplyTarget,
    correlation: number,
    deadlineMs: number,
    hash: number,
    view: DataView,
    nameStart: number,
    nameLength: number,
  ): void {
    const { store, replies, held } = this.#options;
    this.#entries.clear();
    store.entries.collect(hash, view, nameStart, nameLength, this.#entries);
    this.#sum.of(this.#entries);
    if (store.entries.isLost(hash)) replies.error(target, Opcode.counterGet, correlation, KEY_LOST);
    else if (!this.#sum.isInRange) replies.error(target, Opcode.counterGet, correlation, OUT_OF_RANGE);
    else if (store.entries.lastLsn <= store.durableLsn) {
      const at = replies.begin(target, Opcode.counterGet, 0, correlation, COUNTER_VALUE_BYTES);
      this.#sum.write(target.out.view, at);
    } else if (held.full) replies.error(target, Opcode.counterGet, correlation, DISK_BEHIND);
    else {
      const { lastLsn } = store;
      const at = held.begin(lastLsn, deadlineMs, target, Opcode.counterGet, 0, correlation, COUNTER_VALUE_BYTES);
      this.#sum.write(held.out.view, at);
    }
  }

  /** The value at quorum or at all. */
  read(
    target: ReplyTarget,
    correlation: number,
    level: number,
    deadlineMs: number,
    hash: number,
    bytes: Uint8Array,
    nameStart: number,
    nameLength: number,
  ): void {
    const read = this.#free.pop() ?? this.#newSlot();
    if (read === undefined) {
      this.#options.replies.error(target, Opcode.counterGet, correlation, TOO_MANY_READS);
      return;
    }
    read.target = target;
    read.correlation = correlation;
    read.level = level;
    read.startedMs = this.#options.turn.nowMs;
    read.deadlineMs = deadlineMs;
    read.hash = hash;
    read.name = bytes.slice(nameStart, nameStart + nameLength);
    this.#start(read);
  }

  /** Another epoch is in force: what was read under the old one does not count, and all is asked again. */
  onEpoch(): void {
    for (const read of this.#slots) if (read.set !== undefined) this.#start(read);
  }

  /** The own log is on the device up to `lsn`. */
  onSynced(lsn: number): void {
    let count = 0;
    while (count < this.#waits.length && this.#waits[count].lsn <= lsn) count++;
    if (count === 0) return;
    for (const { read, use } of this.#waits.splice(0, count)) {
      if (read.use !== use || read.set === undefined) continue;
      const bit = 1 << read.set.selfIndex;
      if (read.phase === 'gather') this.#vote(read, read.own, bit);
      else read.complete |= bit;
      this.#advance(read);
    }
  }

  /** The reply to a counterEntries. Throws ProtocolError when it is malformed. */
  onEntries(link: PeerLink, view: DataView, start: number, end: number): void {
    const read = this.#named(view, start);
    const member = read?.set?.members.indexOf(link.number) ?? -1;
    if (read === undefined || member === -1 || (read.answered & (1 << member)) !== 0) return;
    if (frameEpoch(view, start) !== this.#options.sets.epoch) read.asked &= ~(1 << member);
    else if ((frameFlags(view, start) & Flag.error) !== 0) this.#failMember(read, member);
    else {
      readCounterEntries(view, start + FRAME_HEADER_BYTES, end, this.#entries);
      if (read.phase === 'gather') this.#vote(read, this.#entries, 1 << member);
      else read.answered |= 1 << member;
      this.#advance(read);
    }
  }

  /** The reply to a counterMerge: the replica holds all that it was sent, durably. */
  onMerged(link: PeerLink, view: DataView, start: number): void {
    const read = this.#named(view, start);
    const member = read?.set?.members.indexOf(link.number) ?? -1;
    if (read?.phase !== 'write-back' || member === -1) return;
    if (frameEpoch(view, start) !== this.#options.sets.epoch) read.repairing &= ~(1 << member);
    else if ((frameFlags(view, start) & Flag.error) !== 0) this.#failMember(read, member);
    else {
      read.complete |= 1 << member;
      this.#advance(read);
    }
  }

  /** A link went down, or its peer became suspect: whoever waits for it asks somebody else. */
  onLost(member: number): void {
    for (const read of this.#slots) {
      const index = read.set?.members.indexOf(member) ?? -1;
      if (index === -1 || (read.asked & (1 << index)) === 0) continue;
      const done = read.phase === 'gather' ? read.answered : read.complete;
      if ((done & (1 << index)) === 0) this.#failMember(read, index);
    }
  }

  /** Answers reads past their deadline, and asks more replicas for those that wait long. */
  sweep(nowMs: number): void {
    for (const read of this.#slots) {
      if (read.set === undefined) continue;
      if (read.deadlineMs <= nowMs) this.#fail(read, READ_TIMEOUT);
      else if (nowMs - read.startedMs > READ_HEDGE_MS) this.#askMore(read);
    }
  }

  #newSlot(): CounterRead | undefined {
    if (this.#slots.length === COUNTER_READS_MAX) return undefined;
    const read = new CounterRead(this.#slots.length);
    this.#slots.push(read);
    return read;
  }

  #named(view: DataView, start: number): CounterRead | undefined {
    const correlation = frameCorrelation(view, start);
    const read = this.#slots[correlation & 0xffff];
    return read?.use === correlation >>> 16 && read.set !== undefined ? read : undefined;
  }

  /** Asks the owners of the epoch in force. */
  #start(read: CounterRead): void {
    const { store, sets, self, reachable } = this.#options;
    const set = sets.ofHash(read.hash);
    read.ask(set);
    const alive = set.members.reduce((bits, member, at) => bits | (reachable(member) ? 1 << at : 0), 0);
    if (!read.isEnough(alive)) {
      this.#fail(read, unavailable(alive, read.quorum, set));
      return;
    }
    if (set.selfIndex !== -1) read.asked |= 1 << set.selfIndex;
    for (const member of sets.preferenceOfHash(read.hash)) {
      if (read.isEnough(read.asked)) break;
      if (member !== self && reachable(member)) this.#ask(read, set.members.indexOf(member));
    }
    // Those who are owners once the pending change is committed.
    for (const [at, member] of set.members.entries()) {
      if (read.isEnough(read.asked)) break;
      if ((read.asked & (1 << at)) === 0 && reachable(member)) this.#ask(read, at);
    }
    if (set.selfIndex === -1) return;
    const bit = 1 << set.selfIndex;
    store.entries.collect(read.hash, viewOf(read.name), 0, read.name.length, read.own);
    if (store.entries.isLost(read.hash)) this.#failMember(read, set.selfIndex);
    else if (store.entries.lastLsn > store.syncedLsn) this.#await(read);
    else {
      this.#vote(read, read.own, bit);
      this.#advance(read);
    }
  }

  #ask(read: CounterRead, member: number): boolean {
    const link = read.set === undefined ? undefined : this.#options.links[read.set.members[member]];
    if (link?.isUp !== true || !hasFeatures(link, Feature.counters)) return false;
    read.asked |= 1 << member;
    const { name } = read;
    const bodyBytes = COUNTER_LIST_HEADER_BYTES + name.length;
    const at = link.begin(Opcode.counterEntries, 0, read.correlationAtPeers, this.#remainingMs(read), bodyBytes);
    link.out.view.setUint32(at, name.length << 16, true);
    link.out.bytes.set(name, at + COUNTER_LIST_HEADER_BYTES);
    return true;
  }

  #await(read: CounterRead): void {
    const { store } = this.#options;
    this.#waits.push({ read, use: read.use, lsn: store.lastLsn });
    // In the other modes every sync is announced.
    if (store.durability === 'interval') store.whenSynced(() => this.onSynced(store.syncedLsn));
  }

  #vote(read: CounterRead, entries: CounterEntryList, bit: number): void {
    read.answered |= bit;
    read.merged.add(entries, bit);
  }

  #advance(read: CounterRead): void {
    if (read.phase === 'gather' && read.isEnough(read.answered)) {
      if (read.isHeldByEnough) {
        this.#finish(read);
        return;
      }
      read.phase = 'write-back';
      const { set } = read;
      if (set === undefined) return;
      for (const at of set.members.keys()) {
        if ((read.answered & (1 << at)) !== 0 && read.merged.isHeldBy(1 << at)) read.complete |= 1 << at;
      }
      this.#writeBacks.value++;
      this.#writeBack(read, set, read.answered);
    }
    if (read.phase === 'write-back' && read.isEnough(read.complete)) this.#finish(read);
  }

  /** Gives these replicas (bits) what they lack. */
  #writeBack(read: CounterRead, set: ReplicaSet, members: number): void {
    for (const [at, member] of set.members.entries()) {
      const bit = 1 << at;
      if ((members & bit) === 0 || ((read.complete | read.repairing) & bit) !== 0) continue;
      const lacked = this.#entries;
      read.merged.lackedBy(bit, lacked);
      if (at === set.selfIndex) this.#mergeHere(read, lacked, bit);
      else this.#send(read, member, lacked, bit);
    }
  }

  #send(read: CounterRead, member: number, lacked: CounterEntryList, bit: number): void {
    const link = this.#options.links[member];
    if (link?.isUp !== true || !hasFeatures(link, Feature.counters)) return;
    read.asked |= bit;
    read.repairing |= bit;
    const { name } = read;
    const bodyBytes = counterListBytes(lacked, name.length);
    const at = link.begin(Opcode.counterMerge, 0, read.correlationAtPeers, this.#remainingMs(read), bodyBytes);
    writeCounterList(link.out.bytes, link.out.view, at, lacked, name, 0, name.length);
  }

  #mergeHere(read: CounterRead, lacked: CounterEntryList, bit: number): void {
    const { store, turn } = this.#options;
    read.repairing |= bit;
    if (!mergeInto(store, read.hash, read.name, 0, read.name.length, lacked, this.#options.onReturned)) {
      read.failed |= bit;
      return;
    }
    if (store.lastLsn <= store.syncedLsn) read.complete |= bit;
    else {
      this.#await(read);
      turn.wake();
    }
  }

  #askMore(read: CounterRead): void {
    const { set } = read;
    if (set === undefined) return;
    if (read.phase === 'write-back') this.#writeBack(read, set, (1 << set.members.length) - 1);
    else for (const at of set.members.keys()) if ((read.asked & (1 << at)) === 0) this.#ask(read, at);
    this.#advance(read);
  }

  #failMember(read: CounterRead, member: number): void {
    read.failed |= 1 << member;
    const { set } = read;
    if (set === undefined) return;
    this.#askMore(read);
    if (read.set !== set) return;
    const done = read.phase === 'gather' ? read.answered : read.complete;
    const possible = (set.owners | set.next) & ~(read.failed & ~done);
    if (!read.isEnough(possible)) this.#fail(read, READ_UNAVAILABLE);
  }

  #finish(read: CounterRead): void {
    const { target, correlation } = read;
    const { replies } = this.#options;
    this.#sum.of(read.merged.list);
    this.#release(read);
    if (target === undefined) return;
    if (!this.#sum.isInRange) replies.error(target, Opcode.counterGet, correlation, OUT_OF_RANGE);
    else if (target.closed) target.inflight--;
    else {
      const at = replies.begin(target, Opcode.counterGet, 0, correlation, COUNTER_VALUE_BYTES);
      this.#sum.write(target.out.view, at);
    }
  }

  #fail(read: CounterRead, error: ReplyError): void {
    const { target, correlation } = read;
    this.#release(read);
    if (target !== undefined) this.#options.replies.error(target, Opcode.counterGet, correlation, error);
  }

  #release(read: CounterRead): void {
    read.release();
    read.use = (read.use + 1) & 0xffff;
    this.#free.push(read);
  }

  #remainingMs({ deadlineMs }: CounterRead): number {
    return Math.max(1, Math.ceil(deadlineMs - this.#options.turn.nowMs));
  }
}

/** Keeps those of the entries that are newer than what is held here; false, and nothing stored, when there is no room. */
export function mergeInto(
  store: Store,
  hash: number,
  bytes: Uint8Array,
  nameStart: number,
  nameLength: number,
  entries: CounterEntryList,
  onReturned: () => void,
): boolean {
  // What was acknowledged elsewhere passes the memory limit, as a repair does.
  const size = store.entries.bytesOf(nameLength);
  for (let index = 0; index < entries.count; index++) {
    if (store.room(size, RecordKind.tombstone) !== 'ok') return false;
    const kept = store.entries.merge(hash, bytes, nameStart, nameLength, entries, index);
    if (kept && entries.node(index) === store.entries.self) onReturned();
  }
  return true;
}

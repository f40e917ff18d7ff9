import {
  appendScanKey,
  Consistency,
  decodeErrorBody,
  decodeReplicaPage,
  decodeScanRequest,
  encodeScanReply,
  encodeScanRequest,
  Flag,
  FRAME_HEADER_BYTES,
  frameCorrelation,
  frameEpoch,
  frameFlags,
  Opcode,
  OutgoingBuffer,
  type ReplicaPage,
  type ScanPlace,
} from '@memdb/protocol';
import type { PeerLink } from '../membership/peer-link.js';
import { READ_HEDGE_MS, SCAN_PAGE_BYTES, SCAN_PARTITIONS_MAX, SCANS_MAX } from '../model/limits.js';
import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Turn } from '../ports/turn.js';
import type { Store } from '../storage/store.js';
import { isEnough, quorumOf } from '../topology/quorum.js';
import type { ReplicaSet, ReplicaSets } from '../topology/replica-sets.js';
import type { HeldReplies } from './held-replies.js';
import { mergePages } from './merge-pages.js';
import { PARTITION_LOST, type Replies, type ReplyError, type ReplyTarget } from './replies.js';
import type { ScanPages } from './scan-pages.js';
import { unavailable } from './write-errors.js';

export interface ScanCoordinatorOptions {
  readonly self: number;
  readonly hashSeed: number;
  readonly store: Store;
  readonly sets: ReplicaSets;
  readonly replies: Replies;
  readonly held: HeldReplies;
  readonly turn: Turn;
  readonly telemetry: Telemetry;
  readonly pages: ScanPages;
  /** By member number. */
  readonly links: readonly (PeerLink | undefined)[];
  readonly reachable: (member: number) => boolean;
}

/** One client's page under way. */
interface Scan {
  readonly slot: number;
  readonly target: ReplyTarget;
  readonly correlation: number;
  readonly deadlineMs: number;
  readonly prefix: Uint8Array;
  readonly keys: OutgoingBuffer;
  /** Where the pages that are being asked for begin. */
  place: ScanPlace;
  count: number;
  partitions: number;
  /** The highest LSN of this node that the reply speaks of. */
  lsn: number;
  /** Names the question under way: answers to an earlier one are told apart. */
  question: number;
  askedMs: number;
  readonly asked: Set<number>;
  readonly pages: Map<number, ReplicaPage>;
  /** Owners that will not answer this question. */
  readonly refused: Set<number>;
  refusal: ReplyError | undefined;
}

const NO_BYTES = new Uint8Array(0);
const SLOT_BITS = 4;

/**
 * Drives scans: asks a majority of a partition's owners for the keys behind one place, merges their pages, and answers
 * with the keys and the place where the next page begins. Nothing of a scan is kept between two pages, so a client
 * may go on at any node.
 *
 * Why a key that is there throughout is returned: when the scan comes to it, a version of it has been acknowledged at
 * quorum, so a majority of owners hold that or a newer one. The majority asked here meets it in one replica at least,
 * within reach of whose page the key is before the place moves past it (`mergePages`), and whatever is newer is a value
 * as well, since nobody deletes it. Places are hashes: growth of an index, compaction and a restart move no key across
 * one. A key whose deletion was acknowledged before the page was asked for is left out, by the same intersection.
 */
export class ScanCoordinator {
  readonly #options: ScanCoordinatorOptions;
  readonly #scans: (Scan | undefined)[] = new Array(SCANS_MAX).fill(undefined);
  readonly #answered: Counter;
  #question = 0;
  #active = 0;

  constructor(options: ScanCoordinatorOptions) {
    this.#options = options;
    this.#answered = options.telemetry.counter('scan_pages_total', 'Pages of scans answered to clients.');
  }

  /** Pages that are not answered yet. */
  get pending(): number {
    return this.#active;
  }

  /** A client's request for the next page: the body is `bytes[start, end)`. Throws `ProtocolError`. */
  start(
    target: ReplyTarget,
    correlation: number,
    deadlineMs: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
  ): void {
    const { place, prefix } = decodeScanRequest(bytes, view, start, end);
    const slot = this.#scans.indexOf(undefined);
    if (slot === -1 || place.partition >= this.#options.sets.partitions) {
      this.#options.replies.error(target, Opcode.scan, correlation, slot === -1 ? TOO_MANY : NO_PARTITION);
      return;
    }
    const scan: Scan = {
      slot,
      target,
      correlation,
      deadlineMs,
      prefix,
      keys: new OutgoingBuffer(),
      place,
      count: 0,
      partitions: 0,
      lsn: 0,
      question: 0,
      askedMs: 0,
      asked: new Set(),
      pages: new Map(),
      refused: new Set(),
      refusal: undefined,
    };
    this.#scans[slot] = scan;
    this.#active++;
    this.#ask(scan);
  }

  /** A replica's page, or its refusal. */
  onPage(link: PeerLink, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const correlation = frameCorrelation(view, start);
    const scan = this.#scans[correlation & (2 ** SLOT_BITS - 1)];
    if (scan?.question !== correlation || !scan.asked.has(link.number)) return;
    if (frameEpoch(view, start) !== this.#options.sets.epoch) {
      // One side is behind, and about to learn: it is asked again then.
      scan.asked.delete(link.number);
      return;
    }
    if ((frameFlags(view, start) & Flag.error) !== 0) {
      const { code } = decodeErrorBody(bytes, view, start + FRAME_HEADER_BYTES, end);
      this.#failed(scan, link.number, code === PARTITION_LOST.code ? PARTITION_LOST : REFUSED);
    } else this.#page(scan, link.number, decodeReplicaPage(bytes, view, start + FRAME_HEADER_BYTES, end));
  }

  /** The link to a member went down. */
  onLost(member: number): void {
    for (const scan of this.#scans) {
      if (scan?.asked.has(member) === true && !scan.pages.has(member)) this.#failed(scan, member, undefined);
    }
  }

  /** Asks further owners where one is slow, and ends what is late. */
  sweep(nowMs: number): void {
    for (const scan of this.#scans) {
      if (scan === undefined) continue;
      if (scan.target.closed) this.#refuse(scan, LATE);
      else if (scan.deadlineMs <= nowMs) {
        // What was found so far is as good as a full page.
        if (scan.partitions > 0) this.#answer(scan, scan.place);
        else this.#refuse(scan, LATE);
      } else if (nowMs - scan.askedMs > READ_HEDGE_MS) this.#askMore(scan, false);
    }
  }

  #ask(scan: Scan): void {
    this.#question = (this.#question + 1) % 2 ** (32 - SLOT_BITS);
    scan.question = ((this.#question << SLOT_BITS) | scan.slot) >>> 0;
    scan.askedMs = this.#options.turn.nowMs;
    scan.asked.clear();
    scan.pages.clear();
    scan.refused.clear();
    scan.refusal = undefined;
    const { question } = scan;
    this.#askMore(scan, true);
    // The own page may have come at once, and the scan have moved on.
    if (scan.question !== question || this.#scans[scan.slot] !== scan || this.#isEnough(scan, scan.asked)) return;
    this.#refuse(scan, this.#options.pages.full ? REFUSED : this.#unavailable(scan, scan.asked));
  }

  /** Another epoch is in force: every question is asked again, of the owners that it names. */
  onEpoch(): void {
    for (const scan of this.#scans) if (scan !== undefined) this.#ask(scan);
  }

  /** Asks owners until those asked are enough, or all there are. */
  #askMore(scan: Scan, stopsWhenEnough: boolean): void {
    const { self, sets, pages } = this.#options;
    const set = this.#set(scan);
    const isOwn = set.selfIndex !== -1 && this.#isOpen(scan, self) && !pages.full;
    // The owners now come first, in the order in which they are preferred; then those of a pending change.
    for (const member of new Set([...sets.preference(scan.place.partition), ...set.members])) {
      const asked = isOwn ? [...scan.asked, self] : scan.asked;
      if (stopsWhenEnough && this.#isEnough(scan, asked)) break;
      if (member !== self && this.#isOpen(scan, member)) this.#askMember(scan, member);
    }
    if (isOwn) this.#askSelf(scan);
  }

  /** Whether these owners of the scan's partition are a quorum. */
  #isEnough(scan: Scan, members: Iterable<number>): boolean {
    const set = this.#set(scan);
    return isEnough(set, bitsOf(set, members), quorumOf(set, Consistency.quorum));
  }

  #unavailable(scan: Scan, members: Iterable<number>): ReplyError {
    const set = this.#set(scan);
    return unavailable(bitsOf(set, members), quorumOf(set, Consistency.quorum), set);
  }

  #askMember(scan: Scan, member: number): void {
    const { links, reachable, turn } = this.#options;
    const link = links[member];
    if (link?.isUp !== true || !reachable(member)) return;
    scan.asked.add(member);
    const remainingMs = Math.max(1, Math.ceil(scan.deadlineMs - turn.nowMs));
    const body = encodeScanRequest(scan.place, scan.prefix);
    const at = link.begin(Opcode.scan, Flag.forwarded, scan.question, remainingMs, body.length);
    link.out.bytes.set(body, at);
  }

  #askSelf(scan: Scan): void {
    const { self, pages } = this.#options;
    scan.asked.add(self);
    const { question } = scan;
    const isCurrent = (): boolean => this.#scans[scan.slot] === scan && scan.question === question;
    const onPage = (body: Uint8Array, lsn: number): void => {
      if (!isCurrent()) return;
      scan.lsn = Math.max(scan.lsn, lsn);
      this.#page(scan, self, decodeReplicaPage(body, new DataView(body.buffer), 0, body.length));
    };
    pages.make(scan.place, scan.prefix, onPage, () => {
      if (isCurrent()) this.#failed(scan, self, PARTITION_LOST);
    });
  }

  #page(scan: Scan, member: number, page: ReplicaPage): void {
    scan.pages.set(member, page);
    if (!this.#isEnough(scan, scan.pages.keys())) return;
    const { hashSeed, sets } = this.#options;
    const reach = mergePages([...scan.pages.values()], hashSeed, (key) => {
      appendScanKey(scan.keys, key);
      scan.count++;
    });
    const { partition } = scan.place;
    if (reach.kind === 'place') {
      this.#answer(scan, { partition, position: reach.position, after: reach.after });
      return;
    }
    if (partition + 1 === sets.partitions) {
      this.#answer(scan, undefined);
      return;
    }
    scan.place = { partition: partition + 1, position: 0, after: NO_BYTES };
    scan.partitions++;
    if (scan.keys.end >= SCAN_PAGE_BYTES / 2 || scan.partitions === SCAN_PARTITIONS_MAX) this.#answer(scan, scan.place);
    else this.#ask(scan);
  }

  /** An owner that was asked will not answer: another one is asked instead. */
  #failed(scan: Scan, member: number, refusal: ReplyError | undefined): void {
    scan.refusal = refusal ?? scan.refusal;
    if (refusal !== undefined) scan.refused.add(member);
    scan.asked.delete(member);
    const sound = [...scan.asked];
    const { links, reachable, self } = this.#options;
    const other = this.#set(scan).members.find(
      (candidate) =>
        candidate !== member &&
        candidate !== self &&
        this.#isOpen(scan, candidate) &&
        links[candidate]?.isUp === true &&
        reachable(candidate),
    );
    if (other !== undefined) this.#askMember(scan, other);
    else if (!this.#isEnough(scan, sound)) this.#refuse(scan, scan.refusal ?? this.#unavailable(scan, sound));
  }

  /** Whether the owner may be asked: it was not, and did not refuse. */
  #isOpen(scan: Scan, member: number): boolean {
    return !scan.asked.has(member) && !scan.refused.has(member);
  }

  #answer(scan: Scan, next: ScanPlace | undefined): void {
    const { store, replies, held } = this.#options;
    const { target, correlation, deadlineMs, keys } = scan;
    this.#drop(scan);
    this.#answered.value++;
    const body = encodeScanReply(next, scan.count, keys.bytes.subarray(0, keys.end));
    if (target.closed || scan.lsn <= store.durableLsn) {
      replies.body(target, Opcode.scan, 0, correlation, body);
      return;
    }
    // A key, or its deletion, that is not durable yet may not be spoken of (semantics: Durability).
    const at = held.begin(store.lastLsn, deadlineMs, target, Opcode.scan, 0, correlation, body.length);
    held.out.bytes.set(body, at);
  }

  #refuse(scan: Scan, error: ReplyError): void {
    this.#drop(scan);
    this.#options.replies.error(scan.target, Opcode.scan, scan.correlation, error);
  }

  #drop(scan: Scan): void {
    this.#scans[scan.slot] = undefined;
    this.#active--;
  }

  #set(scan: Scan): ReplicaSet {
    return this.#options.sets.ofPartition(scan.place.partition);
  }
}

/** Members of a set as bits; who is none does not count. */
function bitsOf(set: ReplicaSet, members: Iterable<number>): number {
  let bits = 0;
  for (const member of members) if (set.members.includes(member)) bits |= 1 << set.members.indexOf(member);
  return bits;
}

const TOO_MANY: ReplyError = {
  code: 'overloaded',
  outcome: 'not-applied',
  message: `this node drives ${SCANS_MAX} scans already; try again in a moment, or let fewer scans run at once`,
};
const REFUSED: ReplyError = {
  code: 'overloaded',
  outcome: 'not-applied',
  message: 'too few replicas have room for another scan now; try again in a moment, or let fewer scans run at once',
};
const LATE: ReplyError = {
  code: 'timeout',
  outcome: 'not-applied',
  message: 'too few replicas gave their keys before the deadline; try again with more time',
};
const NO_PARTITION: ReplyError = {
  code: 'bad-request',
  outcome: 'not-applied',
  message: 'the scan names a partition that this cluster does not have; it was begun in another cluster',
};

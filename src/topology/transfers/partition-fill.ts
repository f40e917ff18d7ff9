import {
  decodeAuditTable,
  decodeTransferList,
  decodeTransferPage,
  encodeAuditFetch,
  encodeAuditTableRequest,
  encodeTransferListRequest,
  encodeTransferPageRequest,
  Opcode,
  type TransferPlace,
  type TransferVersion,
  type WireFloor,
} from '@memdb/protocol';
import { AUDIT_FETCH_MAX, TRANSFER_LOOKS_MAX, TRANSFER_PAGE_BYTES, TRANSFER_WAIT_MS } from '../../model/limits.js';
import { NO_FLOOR } from '../../storage/floors.js';
import { ingestRecords } from '../../storage/ingest-records.js';
import { missingVersions } from '../../storage/missing-versions.js';
import type { Store } from '../../storage/store.js';
import { AUDIT_TABLE_WORDS } from '../../storage/version-table.js';
import type { PeerAnswer, PeerAsks } from './peer-asks.js';
import type { FillPlan } from './transfer-plan.js';

export interface FillOptions {
  readonly store: Store;
  readonly asks: PeerAsks;
  /** Bytes of records came, among them perhaps some that this node had coordinated. */
  readonly onTaken: (bytes: Uint8Array, view: DataView, start: number, end: number) => void;
}

/** What is asked next of a source. */
type Step =
  | { readonly kind: 'compare' }
  | { readonly kind: 'page' }
  | { readonly kind: 'list'; readonly low: number; readonly high: number; readonly position: number }
  /** Versions that it listed and that are lacking here; then on with the list, if there is more of it. */
  | { readonly kind: 'fetch'; readonly lacking: readonly TransferVersion[]; readonly then: Step | undefined }
  /** They were fetched and did not come: newer ones took their places there, and are on their way here. */
  | { readonly kind: 'wait'; readonly lacking: readonly TransferVersion[]; readonly then: Step | undefined };

/**
 * Fills one partition from owners that are in the pending epoch, one after the other, until it holds the state of a
 * majority of them (mechanisms: Epochs). Bulk comes in pages, from whichever source; whether a source's state is held is
 * told by comparing: where the tables differ the source lists what it has, and counts once all of it is held here, in
 * that version or a newer one. So writes that go on meanwhile do not keep it from an end: they reach this node by
 * themselves, in quorums of both sets of owners.
 *
 * Invariant: `verified` names owners of whose state at one moment in the pending epoch nothing is lacking here.
 */
export class PartitionFill {
  readonly plan: FillPlan;
  /** Sources whose state is held here. */
  readonly verified: Set<number> = new Set();
  /** Hashes of keys that were lost here to damage before what is verified was compared. */
  lostBefore: ReadonlySet<number> = new Set();
  /** Nothing is asked before. */
  dueMs = 0;
  readonly #options: FillOptions;
  readonly #failedMs: Map<number, number> = new Map();
  /** Where the next page begins; undefined: there is no bulk to be taken any more. */
  #bulk: TransferPlace | undefined;
  #source = 0;
  #step: Step = { kind: 'compare' };
  /** As the source told it with its table. */
  #sourceFloor: WireFloor = NO_FLOOR;
  #isAsking = false;
  #looks = 0;

  /** `isEmpty`: nothing of the partition is held here but what came since. */
  constructor(plan: FillPlan, isEmpty: boolean, options: FillOptions) {
    this.plan = plan;
    this.#options = options;
    if (isEmpty) this.#bulk = { partition: plan.partition, position: 0, after: new Uint8Array(0) };
  }

  /** Whether the state of a majority of the owners is held here: that of this node is, if it is one and lost nothing. */
  get isTaken(): boolean {
    const own = this.plan.isOwner && this.lost.size === 0 ? 1 : 0;
    return this.verified.size + own >= this.plan.needed;
  }

  /** Hashes of keys of the partition that were lost here to damage. */
  get lost(): Set<number> {
    return new Set(this.#options.store.audit.lostIn(this.plan.partition).map(({ hash }) => hash));
  }

  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** Another epoch of the same change: questions were forgotten, what was taken counts. */
  onEpoch(): void {
    this.#isAsking = false;
    this.#restart();
  }

  /** Keys were lost since: what was verified is verified once more. */
  verifyAgain(lost: ReadonlySet<number>): void {
    this.lostBefore = lost;
    this.verified.clear();
    this.#restart();
  }

  /** Asks a source the next question. False when there is none that could be asked now. */
  advance(nowMs: number, reachable: (member: number) => boolean): boolean {
    if (this.#source === 0 || !reachable(this.#source)) {
      this.#source = this.#choose(nowMs, reachable);
      this.#restart();
    }
    if (this.#source === 0) return false;
    this.#ask(this.#step, nowMs);
    return true;
  }

  #choose(nowMs: number, reachable: (member: number) => boolean): number {
    const { sources, partition } = this.plan;
    for (let turn = 0; turn < sources.length; turn++) {
      // Different partitions begin with different owners.
      const source = sources[(partition + turn) % sources.length];
      const failedMs = this.#failedMs.get(source) ?? Number.NEGATIVE_INFINITY;
      if (!this.verified.has(source) && reachable(source) && nowMs - failedMs >= TRANSFER_WAIT_MS) return source;
    }
    return 0;
  }

  #ask(step: Step, nowMs: number): void {
    const { store } = this.#options;
    const { partition } = this.plan;
    const floor = store.audit.floorOf(partition);
    switch (step.kind) {
      case 'compare':
        this.#send(Opcode.auditTable, encodeAuditTableRequest(partition, floor), nowMs, (answer) =>
          this.#onTable(answer, nowMs),
        );
        return;
      case 'page':
        if (this.#bulk === undefined) this.#restart();
        else {
          this.#send(Opcode.transferPage, encodeTransferPageRequest(this.#bulk), nowMs, (answer) =>
            this.#onPage(answer, nowMs),
          );
        }
        return;
      case 'list': {
        const { low, high, position } = step;
        const request = { partition, floor, position, bucketsLow: low, bucketsHigh: high };
        this.#send(Opcode.transferList, encodeTransferListRequest(request), nowMs, (answer) =>
          this.#onList(answer, low, high, nowMs),
        );
        return;
      }
      case 'fetch': {
        const wanted = firstOf(step.lacking);
        this.#send(Opcode.auditFetch, encodeAuditFetch(partition, wanted), nowMs, (answer) =>
          this.#onFetched(answer, step.lacking, wanted, step.then, nowMs),
        );
        return;
      }
      case 'wait': {
        const lacking = this.#lackingOf(step.lacking);
        if (lacking.length === 0) this.#goOn(step.then, nowMs);
        // The source may have given it up for one that never comes here.
        else if (++this.#looks > TRANSFER_LOOKS_MAX) this.#restart();
        else this.dueMs = nowMs + TRANSFER_WAIT_MS;
      }
    }
  }

  #send(opcode: number, body: Uint8Array, nowMs: number, done: (answer: PeerAnswer) => void): void {
    const source = this.#source;
    this.#isAsking = this.#options.asks.ask(source, opcode, body, nowMs, (answer) => {
      this.#isAsking = false;
      if (answer !== undefined) done(answer);
      else this.#fail(source, nowMs);
    });
    if (!this.#isAsking) this.#fail(source, nowMs);
  }

  /** Another source has its turn. */
  #fail(source: number, nowMs: number): void {
    this.#failedMs.set(source, nowMs);
    this.#source = 0;
    this.dueMs = nowMs + TRANSFER_WAIT_MS / 4;
  }

  #restart(): void {
    this.#step = { kind: 'compare' };
    this.#looks = 0;
  }

  #onTable({ view, start, end }: PeerAnswer, nowMs: number): void {
    const { audit } = this.#options.store;
    const theirs = decodeAuditTable(view, start, end, AUDIT_TABLE_WORDS);
    this.#sourceFloor = theirs.floor;
    const own = audit.tableOf(this.plan.partition, theirs.floor);
    let low = 0;
    let high = 0;
    for (let at = 0; at < own.length; at += 2) {
      if (own[at] === theirs.table[at] && own[at + 1] === theirs.table[at + 1]) continue;
      const bucket = at / 2;
      if (bucket < 32) low |= 1 << bucket;
      else high |= 1 << (bucket - 32);
    }
    if (low === 0 && high === 0) this.#onHeld(nowMs);
    else if (this.#bulk !== undefined) this.#step = { kind: 'page' };
    else this.#step = { kind: 'list', low: low >>> 0, high: high >>> 0, position: 0 };
  }

  #onPage({ bytes, view, start, end }: PeerAnswer, nowMs: number): void {
    const page = decodeTransferPage(bytes, view, start, end);
    if (!this.#ingest(bytes, view, page.recordsStart, end, nowMs)) return;
    this.#bulk = page.next;
    if (page.next === undefined) this.#restart();
  }

  #onList({ bytes, view, start, end }: PeerAnswer, low: number, high: number, nowMs: number): void {
    const { versions, next } = decodeTransferList(bytes, view, start, end);
    const then: Step | undefined = next === undefined ? undefined : { kind: 'list', low, high, position: next };
    const lacking = this.#lackingOf(versions);
    if (lacking.length === 0) this.#goOn(then, nowMs);
    else this.#step = { kind: 'fetch', lacking, then };
  }

  #onFetched(
    { bytes, view, start, end }: PeerAnswer,
    lacking: readonly TransferVersion[],
    wanted: readonly TransferVersion[],
    then: Step | undefined,
    nowMs: number,
  ): void {
    if (!this.#ingest(bytes, view, start, end, nowMs)) return;
    const rest = [...this.#lackingOf(wanted), ...lacking.slice(wanted.length)];
    const came = end > start;
    if (rest.length === 0) this.#goOn(then, nowMs);
    else if (came) this.#step = { kind: 'fetch', lacking: rest, then };
    else this.#step = { kind: 'wait', lacking: rest, then };
  }

  #goOn(then: Step | undefined, nowMs: number): void {
    if (then === undefined) this.#onHeld(nowMs);
    else this.#step = then;
  }

  /** Nothing of what the source holds is lacking here. A new owner knows what it knows from now on. */
  #onHeld(nowMs: number): void {
    const { isOwner, partition } = this.plan;
    if (isOwner || this.#options.store.audit.adoptFloor(partition, this.#sourceFloor)) {
      this.verified.add(this.#source);
      this.#source = 0;
    } else this.dueMs = nowMs + TRANSFER_WAIT_MS;
    this.#restart();
  }

  /** False when there is no room: the same is asked again. */
  #ingest(bytes: Uint8Array, view: DataView, start: number, end: number, nowMs: number): boolean {
    if (!ingestRecords(this.#options.store, bytes, view, start, end, true)) {
      this.dueMs = nowMs + TRANSFER_WAIT_MS;
      return false;
    }
    this.#options.onTaken(bytes, view, start, end);
    return true;
  }

  /** Which of these versions are neither held here nor superseded. */
  #lackingOf(versions: readonly TransferVersion[]): TransferVersion[] {
    const { audit } = this.#options.store;
    const { partition } = this.plan;
    const own = audit.likeThose(partition, versions);
    const { lost } = this;
    return missingVersions(own, versions, audit.floorOf(partition), (hash) => lost.has(hash));
  }
}

/** As many as one answer holds. */
function firstOf(lacking: readonly TransferVersion[]): readonly TransferVersion[] {
  let bytes = 0;
  let count = 0;
  while (count < lacking.length && count < AUDIT_FETCH_MAX && bytes < TRANSFER_PAGE_BYTES)
    bytes += lacking[count++].bytes;
  return lacking.slice(0, count);
}

import {
  AUDIT_LIST_MAX,
  AUDIT_PARTITIONS_MAX,
  type AuditRoot,
  type AuditVersion,
  decodeAuditDiffering,
  decodeAuditList,
  decodeAuditTable,
  encodeAuditFetch,
  encodeAuditListRequest,
  encodeAuditRoots,
  encodeAuditTableRequest,
  Feature,
  Flag,
  FRAME_HEADER_BYTES,
  frameCorrelation,
  frameCounter,
  frameFlags,
  frameOpcode,
  Opcode,
} from '@memdb/protocol';
import type { PeerLink } from '../../membership/peer-link.js';
import {
  AUDIT_ANSWER_MS,
  AUDIT_CYCLE_MS,
  AUDIT_FETCH_MAX,
  AUDIT_FOCUS_MAX,
  AUDIT_LOOKS_MAX,
  AUDIT_RECHECK_MS,
  AUDIT_TABLES_PER_TICK,
  AUDIT_TICK_MS,
} from '../../model/limits.js';
import { ingestRecords } from '../../storage/ingest-records.js';
import { missingVersions } from '../../storage/missing-versions.js';
import type { Store } from '../../storage/store.js';
import { AUDIT_TABLE_WORDS } from '../../storage/version-table.js';
import type { AuditCounters } from './audit-counters.js';
import { Evidence } from './evidence.js';
import { Focus } from './focus.js';

export interface PeerAuditOptions {
  readonly store: Store;
  readonly counters: AuditCounters;
  /** Partitions that this node and the peer both own. */
  readonly shared: readonly number[];
  readonly partitions: number;
  /** Partitions were found equal, and there is evidence of it. */
  readonly onEqual: (partition: number) => void;
  /** Versions were appended; `returned` when some are this node's own, lost in a crash. */
  readonly onFetched: (returned: boolean) => void;
  readonly self: number;
}

/** Roots that were asked for. */
interface RootsAsked {
  readonly correlation: number;
  readonly partitions: readonly number[];
  /** Where the own log ended when the own roots were taken. */
  readonly lsn: number;
  readonly voids: number;
  readonly askedMs: number;
}

/**
 * Compares this node's partitions with one peer's, round and round, and fetches what it lacks. Both sides do so: each
 * fetches for itself, so that nothing is pushed onto a replica that is busy or full.
 *
 * A partition whose roots differ comes into focus: its table is compared after a moment, and once more, since writes on
 * their way make short-lived differences; what still differs is listed, and the newer records are fetched. Repair
 * needs no care about timing: the newest stamp wins whatever arrives first.
 */
export class PeerAudit {
  readonly evidence: Evidence;
  /** The highest counter that the peer has shown with an answer. */
  peerCounter = 0;
  readonly #options: PeerAuditOptions;
  readonly #focuses: Map<number, Focus> = new Map();
  #link: PeerLink | undefined;
  #roots: RootsAsked | undefined;
  #next = 0;
  #nextMs = 0;

  constructor(options: PeerAuditOptions) {
    this.#options = options;
    this.evidence = new Evidence(options.partitions);
  }

  /** Partitions that were found to differ and are being looked into. */
  get differing(): number {
    return this.#focuses.size;
  }

  /** Whether the peer is connected and knows how to compare. */
  get canCompare(): boolean {
    return this.#link !== undefined;
  }

  open(link: PeerLink): void {
    this.close();
    const { state } = link;
    if (state.kind === 'up' && (state.peer.features & Feature.audit) !== 0) this.#link = link;
  }

  close(): void {
    this.#link = undefined;
    this.#roots = undefined;
    this.#focuses.clear();
  }

  /** Takes the next steps that are due. */
  tick(nowMs: number): void {
    const link = this.#link;
    if (link === undefined || this.#options.shared.length === 0) return;
    if (this.#roots !== undefined && nowMs - this.#roots.askedMs > AUDIT_ANSWER_MS) this.#roots = undefined;
    if (this.#roots === undefined && nowMs >= this.#nextMs) this.#askRoots(link, nowMs);
    let tables = 0;
    for (const focus of this.#focuses.values()) {
      if (focus.correlation !== 0) {
        if (nowMs - focus.askedMs > AUDIT_ANSWER_MS) this.#focuses.delete(focus.partition);
      } else if (nowMs >= focus.dueMs && tables++ < AUDIT_TABLES_PER_TICK) this.#askTable(link, focus, nowMs);
    }
  }

  /** An answer of the peer. Throws `ProtocolError` when it is malformed. */
  onReply(bytes: Uint8Array, view: DataView, start: number, end: number, nowMs: number): void {
    const body = start + FRAME_HEADER_BYTES;
    const correlation = frameCorrelation(view, start);
    const failed = (frameFlags(view, start) & Flag.error) !== 0;
    const opcode = frameOpcode(view, start);
    if (opcode === Opcode.auditRoots) {
      const roots = this.#roots;
      if (roots?.correlation !== correlation) return;
      this.#roots = undefined;
      if (!failed) this.#onRoots(roots, decodeAuditDiffering(view, body, end), frameCounter(view, start), nowMs);
      return;
    }
    const focus = this.#focusOf(correlation);
    const link = this.#link;
    if (focus === undefined || link === undefined) return;
    focus.correlation = 0;
    if (failed) {
      this.#focuses.delete(focus.partition);
      return;
    }
    if (opcode === Opcode.auditTable) this.#onTable(link, focus, view, start, end, nowMs);
    else if (opcode === Opcode.auditList) this.#onList(link, focus, view, body, end, nowMs);
    else this.#onFetched(link, focus, bytes, view, body, end, nowMs);
  }

  #askRoots(link: PeerLink, nowMs: number): void {
    const { shared, store, counters } = this.#options;
    const { audit } = store;
    const partitions = shared.slice(this.#next, this.#next + AUDIT_PARTITIONS_MAX);
    this.#next += partitions.length;
    if (this.#next === shared.length) {
      this.#next = 0;
      counters.cycles.value++;
    }
    const batches = Math.ceil(shared.length / AUDIT_PARTITIONS_MAX);
    this.#nextMs = nowMs + Math.max(AUDIT_TICK_MS, AUDIT_CYCLE_MS / batches);
    const roots = partitions.map((partition): AuditRoot => {
      return { partition, floor: audit.floorOf(partition), ...audit.rootOf(partition) };
    });
    const correlation = this.#send(link, Opcode.auditRoots, encodeAuditRoots(roots));
    this.#roots = { correlation, partitions, lsn: store.lastLsn, voids: this.evidence.voids, askedMs: nowMs };
  }

  #onRoots(roots: RootsAsked, differing: readonly number[], peerCounter: number, nowMs: number): void {
    const different = new Set(differing);
    const equal = roots.partitions.filter((partition) => !different.has(partition));
    if (roots.voids === this.evidence.voids) this.#noteEqual(equal, roots.lsn, peerCounter);
    for (const partition of differing) {
      if (this.#focuses.size >= AUDIT_FOCUS_MAX) return;
      if (!roots.partitions.includes(partition) || this.#focuses.has(partition)) continue;
      this.#focuses.set(partition, new Focus(partition, nowMs + AUDIT_RECHECK_MS));
    }
  }

  /** Equal at the peer, durably; it is evidence once the own side is durable too. */
  #noteEqual(partitions: readonly number[], lsn: number, peerCounter: number): void {
    const { store, onEqual } = this.#options;
    this.peerCounter = Math.max(this.peerCounter, peerCounter);
    const { voids } = this.evidence;
    store.whenSynced(() => {
      if (voids !== this.evidence.voids) return;
      for (const partition of partitions) {
        this.evidence.note(partition, lsn);
        onEqual(partition);
      }
    });
  }

  #askTable(link: PeerLink, focus: Focus, nowMs: number): void {
    const floor = this.#options.store.audit.floorOf(focus.partition);
    focus.askedMs = nowMs;
    focus.correlation = this.#send(link, Opcode.auditTable, encodeAuditTableRequest(focus.partition, floor));
  }

  #onTable(link: PeerLink, focus: Focus, view: DataView, start: number, end: number, nowMs: number): void {
    const { store, counters } = this.#options;
    const theirs = decodeAuditTable(view, start + FRAME_HEADER_BYTES, end, AUDIT_TABLE_WORDS);
    const { partition } = focus;
    const differing = focus.compare(store.audit.tableOf(partition, theirs.floor), theirs.table);
    if (differing === 0) {
      this.#focuses.delete(partition);
      const lsn = Math.min(store.lastLsn, store.audit.comparableLsn);
      this.#noteEqual([partition], lsn, frameCounter(view, start));
      return;
    }
    counters.differingBuckets.value += differing;
    if (focus.buckets.length === 0) focus.dueMs = nowMs + AUDIT_RECHECK_MS;
    else this.#askList(link, focus, nowMs);
  }

  #askList(link: PeerLink, focus: Focus, nowMs: number): void {
    const bucket = focus.buckets.pop();
    if (bucket === undefined) {
      // Nothing to fetch: the peer lacks something, and sees to it itself.
      if (focus.fetched && focus.looks < AUDIT_LOOKS_MAX) focus.lookAgain(nowMs + AUDIT_TICK_MS);
      else this.#focuses.delete(focus.partition);
      return;
    }
    focus.askedMs = nowMs;
    const floor = this.#options.store.audit.floorOf(focus.partition);
    focus.correlation = this.#send(link, Opcode.auditList, encodeAuditListRequest(focus.partition, floor, bucket));
  }

  #onList(link: PeerLink, focus: Focus, view: DataView, body: number, end: number, nowMs: number): void {
    const { audit } = this.#options.store;
    const { versions, bucket } = decodeAuditList(view, body, end);
    const own = audit.list(focus.partition, bucket, AUDIT_LIST_MAX);
    const lost = new Set(audit.lostIn(focus.partition).map(({ hash }) => hash));
    focus.missing = missingVersions(own, versions, audit.floorOf(focus.partition), (hash) => lost.has(hash));
    this.#fetch(link, focus, nowMs);
  }

  #fetch(link: PeerLink, focus: Focus, nowMs: number): void {
    const wanted: AuditVersion[] = focus.missing.splice(0, AUDIT_FETCH_MAX);
    focus.returning = wanted.some(({ node }) => node === this.#options.self);
    if (wanted.length === 0) {
      this.#askList(link, focus, nowMs);
      return;
    }
    focus.askedMs = nowMs;
    focus.correlation = this.#send(link, Opcode.auditFetch, encodeAuditFetch(focus.partition, wanted));
  }

  #onFetched(
    link: PeerLink,
    focus: Focus,
    bytes: Uint8Array,
    view: DataView,
    body: number,
    end: number,
    nowMs: number,
  ): void {
    const { store, counters } = this.#options;
    const before = store.lastLsn;
    // No room: the partition stays different, and the next cycle tries again.
    const stored = ingestRecords(store, bytes, view, body, end);
    counters.repaired.value += store.lastLsn - before;
    focus.fetched ||= store.lastLsn !== before;
    if (store.lastLsn !== before) this.#options.onFetched(focus.returning);
    if (stored) this.#fetch(link, focus, nowMs);
    else this.#focuses.delete(focus.partition);
  }

  #focusOf(correlation: number): Focus | undefined {
    for (const focus of this.#focuses.values()) if (focus.correlation === correlation) return focus;
    return undefined;
  }

  #send(link: PeerLink, opcode: number, body: Uint8Array): number {
    const correlation = link.nextCorrelation();
    const at = link.begin(opcode, 0, correlation, 0, body.length);
    link.out.bytes.set(body, at);
    return correlation;
  }
}

import {
  type AuditVersion,
  decodeAuditList,
  decodeAuditTable,
  encodeAuditListRequest,
  encodeAuditTableRequest,
  Opcode,
  VERSION_EXPIRES,
  VERSION_HEADER_BYTES,
  writeStamp,
} from '@memdb/protocol';
import { HANDOVER_REPAIRS_MAX, TRANSFER_WAIT_MS } from '../../model/limits.js';
import {
  kindOf,
  lengthOf,
  RECORD_HEADER_BYTES,
  recordCounter,
  recordExpiresAtMs,
  recordKeyLength,
  recordKindLength,
  recordNode,
} from '../../model/record.js';
import { missingVersions } from '../../storage/missing-versions.js';
import type { Segment } from '../../storage/segment.js';
import type { Store } from '../../storage/store.js';
import { AUDIT_TABLE_WORDS } from '../../storage/version-table.js';
import type { PeerAnswer, PeerAsks } from './peer-asks.js';

export interface HandoverOptions {
  readonly store: Store;
  readonly asks: PeerAsks;
  /** Up to where in the own log a member has acknowledged all that this node coordinated for it. */
  readonly cursorOf: (member: number) => number;
  /** Whether a write to a key of the partition is not answered yet, that this node coordinated as an owner. */
  readonly isPending: (partition: number) => boolean;
}

/** What is looked at next of an owner. */
type Step =
  | { readonly kind: 'stream' }
  | { readonly kind: 'compare' }
  | { readonly kind: 'list'; readonly buckets: readonly number[] }
  | { readonly kind: 'send'; readonly lacking: readonly AuditVersion[]; readonly buckets: readonly number[] };

/**
 * Hands one partition over that this node owned: to each of its owners, one after the other. First its cursor for that
 * owner has to pass all that was coordinated here; then it compares, since what it holds may have come from somebody who
 * has gone, or be older than the owner: where tables differ the owner lists what it has, and is sent what it lacks.
 *
 * Invariant: `isDone` means that every owner holds, durably, all that this node holds of the partition, or newer.
 */
export class Handover {
  readonly partition: number;
  readonly #options: HandoverOptions;
  /** Owners that may lack something. */
  readonly #owners: number[];
  #step: Step = { kind: 'stream' };
  /** Where the log ended when nothing that was coordinated here was pending any more; 0: not yet. */
  #mark = 0;
  #underway = 0;
  #failed = false;
  /** Nothing is asked before. */
  #dueMs = 0;

  constructor(partition: number, owners: readonly number[], options: HandoverOptions) {
    this.partition = partition;
    this.#owners = [...owners];
    this.#options = options;
  }

  get isDone(): boolean {
    return this.#owners.length === 0;
  }

  get isAsking(): boolean {
    return this.#underway > 0;
  }

  /** Takes the next steps, up to a question or to the moment from which on there is more to be done. */
  advance(nowMs: number): void {
    const { store, isPending } = this.#options;
    if (this.#mark === 0) {
      if (isPending(this.partition)) return;
      this.#mark = store.lastLsn;
    }
    while (!this.isDone && !this.isAsking && nowMs >= this.#dueMs) this.#advance(this.#owners[0], nowMs);
  }

  #advance(owner: number, nowMs: number): void {
    const { store, cursorOf } = this.#options;
    const { partition } = this;
    const floor = store.audit.floorOf(partition);
    switch (this.#step.kind) {
      case 'stream':
        if (cursorOf(owner) >= this.#mark) this.#step = { kind: 'compare' };
        else this.#failed = true;
        break;
      case 'compare':
        this.#ask(owner, Opcode.auditTable, encodeAuditTableRequest(partition, floor), nowMs, (answer) =>
          this.#onTable(answer),
        );
        break;
      case 'list': {
        const [bucket, ...buckets] = this.#step.buckets;
        if (bucket === undefined) this.#onHeld();
        else {
          this.#ask(owner, Opcode.auditList, encodeAuditListRequest(partition, floor, bucket), nowMs, (answer) =>
            this.#onList(answer, bucket, buckets),
          );
        }
        break;
      }
      case 'send':
        this.#send(owner, this.#step.lacking, this.#step.buckets, nowMs);
    }
    this.#settle(nowMs);
  }

  #settle(nowMs: number): void {
    if (this.#failed && this.#underway === 0) this.#rotate(nowMs);
  }

  #ask(owner: number, opcode: number, body: Uint8Array, nowMs: number, done: (answer: PeerAnswer) => void): void {
    const asked = this.#options.asks.ask(owner, opcode, body, nowMs, (answer) => {
      this.#underway--;
      if (answer === undefined) this.#failed = true;
      else done(answer);
      this.#settle(nowMs);
    });
    if (asked) this.#underway++;
    else this.#failed = true;
  }

  /** This owner cannot take it now: the next one has its turn, and this one another look later. */
  #rotate(nowMs: number): void {
    const owner = this.#owners.shift();
    if (owner !== undefined) this.#owners.push(owner);
    this.#step = { kind: 'stream' };
    this.#failed = false;
    this.#dueMs = nowMs + TRANSFER_WAIT_MS;
  }

  #onTable({ view, start, end }: PeerAnswer): void {
    const theirs = decodeAuditTable(view, start, end, AUDIT_TABLE_WORDS);
    const own = this.#options.store.audit.tableOf(this.partition, theirs.floor);
    const buckets: number[] = [];
    for (let at = 0; at < own.length; at += 2) {
      if (own[at] !== theirs.table[at] || own[at + 1] !== theirs.table[at + 1]) buckets.push(at / 2);
    }
    this.#step = { kind: 'list', buckets };
  }

  #onList({ view, start, end }: PeerAnswer, bucket: number, buckets: readonly number[]): void {
    const { audit } = this.#options.store;
    const theirs = decodeAuditList(view, start, end);
    const own = audit.list(this.partition, bucket, Number.POSITIVE_INFINITY);
    const lacking = missingVersions(theirs.versions, own, theirs.floor, () => false);
    this.#step = lacking.length === 0 ? { kind: 'list', buckets } : { kind: 'send', lacking, buckets };
  }

  /** Sends the first of what an owner lacks; it answers each once that, or something newer, is durable there. */
  #send(owner: number, lacking: readonly AuditVersion[], buckets: readonly number[], nowMs: number): void {
    const rest = lacking.slice(HANDOVER_REPAIRS_MAX);
    this.#step = rest.length === 0 ? { kind: 'list', buckets } : { kind: 'send', lacking: rest, buckets };
    this.#options.store.audit.find(this.partition, lacking.slice(0, HANDOVER_REPAIRS_MAX), (segment, offset) => {
      this.#ask(owner, Opcode.repair, repairOf(segment, offset), nowMs, () => {});
      return true;
    });
  }

  #onHeld(): void {
    this.#owners.shift();
    this.#step = { kind: 'stream' };
  }
}

/** The body of a repair: a record has key, deadline and value in just the order in which a repair has them. */
function repairOf({ bytes, view }: Segment, offset: number): Uint8Array {
  const kindLength = recordKindLength(view, offset);
  const rest = bytes.subarray(offset + RECORD_HEADER_BYTES, offset + lengthOf(kindLength));
  const body = new Uint8Array(VERSION_HEADER_BYTES + rest.length);
  const out = new DataView(body.buffer);
  const options = recordExpiresAtMs(view, offset) === 0 ? 0 : VERSION_EXPIRES;
  out.setUint32(0, kindOf(kindLength) | (options << 8) | (recordKeyLength(view, offset) << 16), true);
  writeStamp(out, 4, recordCounter(view, offset), recordNode(view, offset));
  body.set(rest, VERSION_HEADER_BYTES);
  return body;
}

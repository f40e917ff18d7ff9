import {
  AUDIT_LIST_MAX,
  decodeAuditFetch,
  decodeAuditListRequest,
  decodeAuditRoots,
  decodeAuditTableRequest,
  encodeAuditDiffering,
  encodeAuditList,
  encodeAuditTable,
  Opcode,
  OutgoingBuffer,
  ProtocolError,
} from '@memdb/protocol';
import { AUDIT_ANSWERS_HELD_MAX, STREAM_RUN_BYTES_MAX } from '../../model/limits.js';
import { appendMoved } from '../../storage/moved-record.js';
import type { Store } from '../../storage/store.js';
import { AUDIT_BUCKETS } from '../../storage/version-table.js';
import type { Replies, ReplyTarget } from '../replies.js';

/**
 * Answers what other replicas ask in order to compare: roots, tables, lists, records (mechanisms: Audit).
 *
 * Invariant: an answer speaks of nothing that is not on the device by the time it leaves, whatever the durability is:
 * tombstones are purged on the strength of it.
 */
export class AuditReplica {
  readonly #store: Store;
  readonly #replies: Replies;
  /** Answers that wait for the log. */
  #held = 0;

  constructor(store: Store, replies: Replies) {
    this.#store = store;
    this.#replies = replies;
  }

  /** A request whose body is `[body, end)`. Throws `ProtocolError` when it is malformed. */
  onRequest(target: ReplyTarget, opcode: number, correlation: number, view: DataView, body: number, end: number): void {
    if (this.#held >= AUDIT_ANSWERS_HELD_MAX) {
      const message = 'too many answers to comparisons wait for the disk of this node';
      this.#replies.error(target, opcode, correlation, { code: 'overloaded', outcome: 'not-applied', message });
      return;
    }
    switch (opcode) {
      case Opcode.auditRoots: {
        const roots = decodeAuditRoots(view, body, end);
        const differing = roots.filter(({ partition, floor, first, second }) => {
          this.#check(partition, body);
          const { audit } = this.#store;
          const own = audit.floorOf(partition);
          // With different floors the tables say nothing before what they let go of is left out: a longer look.
          if (own.counter !== floor.counter || own.node !== floor.node || own.cutoffMs !== floor.cutoffMs) return true;
          const root = audit.rootOf(partition);
          return root.first !== first || root.second !== second;
        });
        const answer = encodeAuditDiffering(differing.map(({ partition }) => partition));
        this.#answerSynced(target, opcode, correlation, answer);
        return;
      }
      case Opcode.auditTable: {
        const { partition, floor } = decodeAuditTableRequest(view, body, end);
        this.#check(partition, body);
        const { audit } = this.#store;
        const table = audit.tableOf(partition, floor);
        const answer = encodeAuditTable({ partition, floor: audit.floorOf(partition), table });
        this.#answerSynced(target, opcode, correlation, answer);
        return;
      }
      case Opcode.auditList: {
        const { partition, bucket } = decodeAuditListRequest(view, body, end);
        this.#check(partition, body);
        if (bucket >= AUDIT_BUCKETS) throw new ProtocolError('bad-request', body, `auditList of bucket ${bucket}`);
        const { audit } = this.#store;
        const versions = audit.list(partition, bucket, AUDIT_LIST_MAX);
        const answer = encodeAuditList({ partition, floor: audit.floorOf(partition), bucket, versions });
        this.#answerSynced(target, opcode, correlation, answer);
        return;
      }
      default: {
        const { partition, versions } = decodeAuditFetch(view, body, end);
        this.#check(partition, body);
        const run = new OutgoingBuffer();
        this.#store.audit.find(partition, versions, (segment, offset, bytes) => {
          appendMoved(run, segment, offset, bytes);
          return run.end < STREAM_RUN_BYTES_MAX;
        });
        this.#answerSynced(target, Opcode.auditFetch, correlation, run.bytes.subarray(0, run.end));
      }
    }
  }

  #check(partition: number, at: number): void {
    if (partition < this.#store.placement.partitions) return;
    throw new ProtocolError('bad-request', at, `there is no partition ${partition}`);
  }

  #answerSynced(target: ReplyTarget, opcode: number, correlation: number, answer: Uint8Array): void {
    this.#held++;
    this.#store.whenSynced(() => {
      this.#held--;
      this.#replies.body(target, opcode, 0, correlation, answer);
    });
  }
}

import {
  decodeChunkRequest,
  decodeSessionRequest,
  encodeSnapshot,
  Opcode,
  ProtocolError,
  type WireSnapshot,
} from '@memdb/protocol';
import type { Replies, ReplyError, ReplyTarget } from '../replication/replies.js';
import { TARGET_SATURATED } from '../replication/replies.js';
import { segmentCapacity } from '../storage/segment-header.js';
import type { SnapshotSession, SnapshotSessions } from '../storage/snapshot-sessions.js';

/** Answers what a backup asks: a snapshot of this node's log, its chunks, and that it is done with it. */
export class BackupRequests {
  readonly #sessions: SnapshotSessions;
  readonly #replies: Replies;
  readonly #node: string;

  /** `node` is the UUID of this node. */
  constructor(sessions: SnapshotSessions, replies: Replies, node: string) {
    this.#sessions = sessions;
    this.#replies = replies;
    this.#node = node;
  }

  /** The body is `bytes[start, end)`. Throws `ProtocolError` when it is malformed. */
  onRequest(
    target: ReplyTarget,
    opcode: number,
    correlation: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
  ): void {
    switch (opcode) {
      case Opcode.backupOpen:
        if (start !== end) throw new ProtocolError('bad-request', start, 'backupOpen has no body');
        this.#open(target, correlation);
        return;
      case Opcode.backupRead: {
        const { session, id, generation, offset, length } = decodeChunkRequest(bytes, view, start, end);
        const chunk = this.#sessions.read(session, id, generation, offset, length);
        if (chunk === undefined) this.#replies.error(target, opcode, correlation, NO_SESSION);
        else if (target.saturated) this.#replies.error(target, opcode, correlation, TARGET_SATURATED);
        else this.#replies.body(target, opcode, 0, correlation, chunk);
        return;
      }
      default:
        this.#sessions.close(decodeSessionRequest(bytes, view, start, end));
        this.#replies.body(target, opcode, 0, correlation, NO_BYTES);
    }
  }

  #open(target: ReplyTarget, correlation: number): void {
    if (this.#sessions.full) {
      this.#replies.error(target, Opcode.backupOpen, correlation, TOO_MANY);
      return;
    }
    this.#sessions.open((session) => {
      if (session === undefined) this.#replies.error(target, Opcode.backupOpen, correlation, BUSY);
      else this.#replies.body(target, Opcode.backupOpen, 0, correlation, encodeSnapshot(this.#describe(session)));
    });
  }

  #describe({ id, lastLsn, segments }: SnapshotSession): WireSnapshot {
    return {
      session: id,
      node: this.#node,
      lastLsn,
      segments: segments.map(({ segment, bytes }) => ({
        id: segment.id,
        generation: segment.generation,
        firstLsn: segment.firstLsn,
        bytes,
        capacity: segmentCapacity(segment.view),
      })),
    };
  }
}

const NO_BYTES = new Uint8Array(0);
const TOO_MANY: ReplyError = {
  code: 'overloaded',
  outcome: 'not-applied',
  message: 'this node serves as many backups as it can already; wait until one of them has ended',
};
const BUSY: ReplyError = {
  code: 'overloaded',
  outcome: 'not-applied',
  message: 'the log of this node did not come to rest within two seconds; try again in a moment',
};
const NO_SESSION: ReplyError = {
  code: 'bad-request',
  outcome: 'not-applied',
  message: 'this node does not hold that snapshot any more (it restarted, or nothing was asked for 30 s); open another',
};

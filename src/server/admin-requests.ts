import { decodeKill, FRAME_HEADER_BYTES, frameCorrelation, frameOpcode, Opcode, ProtocolError } from '@memdb/protocol';
import type { HostProcess } from '../ports/host-process.js';
import type { Telemetry } from '../ports/telemetry.js';
import type { Timers } from '../ports/timers.js';
import type { ConflictLog, ConflictVersion } from '../replication/conflict-log.js';
import type { Replies } from '../replication/replies.js';
import { NO_PROCESS, notThisNode, unknownOpcode } from './request-errors.js';
import type { Session } from './session.js';

export interface AdminRequestsOptions {
  readonly replies: Replies;
  readonly timers: Timers;
  readonly telemetry: Telemetry;
  /** UUID of this node. */
  readonly node: string;
  /** Undefined where the node does not own its process (tests). */
  readonly process: HostProcess | undefined;
  /** Undefined before the node belongs to a cluster. */
  readonly conflicts: () => ConflictLog | undefined;
}

/** Whether only administrators may send this. */
export function isAdminOpcode(opcode: number): boolean {
  return opcode >= Opcode.kill && opcode < Opcode.kill + 8;
}

/** What administrators ask of this very node (PROTOCOL.md, "Administration"). */
export class AdminRequests {
  readonly #options: AdminRequestsOptions;

  constructor(options: AdminRequestsOptions) {
    this.#options = options;
  }

  /** One request frame of an administrator with an admin opcode. Throws `ProtocolError` when it is malformed. */
  onRequest(session: Session, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const { replies } = this.#options;
    const opcode = frameOpcode(view, start);
    const correlation = frameCorrelation(view, start);
    session.inflight++;
    const body = start + FRAME_HEADER_BYTES;
    switch (opcode) {
      case Opcode.kill:
        this.#kill(session, correlation, bytes, view, body, end);
        return;
      case Opcode.metrics:
        if (body !== end) throw new ProtocolError('bad-request', body, 'metrics has no body');
        this.#metrics(session, correlation);
        return;
      case Opcode.conflicts:
        if (body !== end) throw new ProtocolError('bad-request', body, 'conflicts has no body');
        this.#conflicts(session, correlation);
        return;
      default:
        replies.error(session, opcode, correlation, unknownOpcode(opcode));
    }
  }

  #metrics(session: Session, correlation: number): void {
    const { replies, process } = this.#options;
    if (process === undefined) replies.error(session, Opcode.metrics, correlation, NO_PROCESS);
    else replies.body(session, Opcode.metrics, 0, correlation, Buffer.from(JSON.stringify(process.metrics())));
  }

  #conflicts(session: Session, correlation: number): void {
    const list = this.#options.conflicts()?.list() ?? [];
    const version = ({ value, ...stamp }: ConflictVersion): object => ({ ...stamp, value: base64(value) });
    const conflicts = list.map(({ atMs, key, winner, loser }) => ({
      atMs,
      key: base64(key),
      winner: version(winner),
      loser: version(loser),
    }));
    const text = JSON.stringify({ conflicts });
    this.#options.replies.body(session, Opcode.conflicts, 0, correlation, Buffer.from(text));
  }

  #kill(session: Session, correlation: number, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const { replies, timers, telemetry, process, node } = this.#options;
    const kill = decodeKill(bytes, view, start, end);
    if (kill.node !== node || process === undefined) {
      const error = process === undefined ? NO_PROCESS : notThisNode(kill.node, node);
      replies.error(session, Opcode.kill, correlation, error);
      return;
    }
    const message = kill.isGraceful ? 'an administrator asked the node to end' : 'an administrator killed the node';
    telemetry.log('warn', 'killed', { message, graceful: kill.isGraceful });
    replies.body(session, Opcode.kill, 0, correlation, NO_BYTES);
    // The answer leaves at the end of this turn; what was not answered by then never is.
    timers.start(0, () => (kill.isGraceful ? process.drain() : process.kill()));
  }
}

const NO_BYTES: Uint8Array = new Uint8Array(0);

function base64(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('base64');
}

import { decodeRequest, Opcode, Role, type WireRequest } from '@memdb/protocol';
import type { Replies, ReplyError, ReplyTarget } from '../replication/replies.js';
import type { Changes } from '../topology/changes/changes.js';
import { NOT_FOUNDED } from './request-errors.js';
import { Session } from './session.js';

export interface ChangeRequestsOptions {
  readonly replies: Replies;
  /** Undefined until this node belongs to a cluster. */
  readonly changes: () => Changes | undefined;
  /** Number of the member with that UUID; 0 for a stranger. */
  readonly numberOf: (uuid: string) => number;
  /** What a change would move, for people and tools. Throws `RangeError` with a sentence when it is refused. */
  readonly preview: (request: WireRequest) => object;
}

/**
 * Requests for changes of the cluster. A node asks for itself to join, and passes on what members were asked; all else
 * needs the key of an administrator.
 */
export class ChangeRequests {
  readonly #options: ChangeRequestsOptions;

  constructor(options: ChangeRequestsOptions) {
    this.#options = options;
  }

  /** An epochChange or epochPreview; it is counted already. Throws `ProtocolError` when it is malformed. */
  onRequest(
    target: ReplyTarget,
    opcode: number,
    correlation: number,
    bytes: Uint8Array,
    view: DataView,
    body: number,
    end: number,
  ): void {
    const { replies, changes } = this.#options;
    const request = decodeRequest(bytes, view, body, end);
    const refuse = (error: ReplyError): void => replies.error(target, opcode, correlation, error);
    const room = changes();
    if (room === undefined) {
      refuse(NOT_FOUNDED);
      return;
    }
    const asker = askerOf(target, this.#options.numberOf);
    if (!mayAsk(asker, opcode, request)) {
      refuse(NOT_PERMITTED);
      return;
    }
    if (opcode === Opcode.epochChange) {
      const refusal = room.ask(request, asker.kind === 'member');
      if (refusal === undefined) replies.body(target, opcode, 0, correlation, new Uint8Array(0));
      else refuse(refused(refusal));
      return;
    }
    try {
      replies.body(target, opcode, 0, correlation, Buffer.from(JSON.stringify(this.#options.preview(request))));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      refuse(refused(error.message));
    }
  }
}

type Asker =
  | { readonly kind: 'administrator' | 'member' | 'nobody' }
  /** A node that is no member. */
  | { readonly kind: 'stranger'; readonly uuid: string };

function askerOf(target: ReplyTarget, numberOf: (uuid: string) => number): Asker {
  if (!(target instanceof Session) || target.state.kind !== 'open') return { kind: 'nobody' };
  const { role, identity } = target.state.peer;
  if (role === Role.admin) return { kind: 'administrator' };
  if (role !== Role.node) return { kind: 'nobody' };
  return numberOf(identity) === 0 ? { kind: 'stranger', uuid: identity } : { kind: 'member' };
}

function mayAsk(asker: Asker, opcode: number, request: WireRequest): boolean {
  switch (asker.kind) {
    case 'administrator':
      return opcode === Opcode.epochPreview || request.kind !== 'join';
    case 'member':
      return opcode === Opcode.epochChange;
    case 'stranger':
      return opcode === Opcode.epochChange && request.kind === 'join' && request.record.uuid === asker.uuid;
    case 'nobody':
      return false;
  }
}

function refused(message: string): ReplyError {
  return { code: 'bad-request', outcome: 'not-applied', message };
}

const NOT_PERMITTED: ReplyError = {
  code: 'not-permitted',
  outcome: 'not-applied',
  message: 'changes of the cluster need a key of role "admin"; a node joins by itself',
};

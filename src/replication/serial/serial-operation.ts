import { Opcode, type OperationId, type SerialRequest, type WireStamp } from '@memdb/protocol';
import type { ReplyTarget } from '../replies.js';

/** What is asked of a serial key. */
export type SerialTask =
  | { readonly kind: 'read' }
  | { readonly kind: 'write'; readonly value: Uint8Array | undefined; readonly expiresAtMs: number }
  | {
      readonly kind: 'cas';
      readonly expected: Uint8Array | undefined;
      readonly next: Uint8Array | undefined;
      readonly expiresAtMs: number;
    }
  /** What became of the operation with that id; if it had no effect so far, it never will. */
  | { readonly kind: 'resolve'; readonly of: OperationId }
  /** The node's own: makes what is undecided decided, what has expired deleted, and what is deleted small. */
  | { readonly kind: 'settle'; readonly forgets: boolean };

/** One operation on its way; it is answered through `target` exactly once. */
export interface SerialOperation {
  readonly task: SerialTask;
  readonly target: ReplyTarget | undefined;
  readonly opcode: number;
  readonly correlation: number;
  readonly deadlineMs: number;
  /** Undefined until it is applied, for what its coordinator names itself. */
  id: OperationId | undefined;
  /** An earlier copy of it may have had its effect. */
  isRepeated: boolean;
  /** An Accept that carries its effect has left: from then on its outcome may be unknown. */
  isSent: boolean;
}

/** What a round made of an operation. */
export type SerialResult =
  | { readonly kind: 'done'; readonly stamp: WireStamp; readonly value: Uint8Array | undefined }
  | {
      readonly kind: 'compared';
      readonly applied: boolean;
      readonly stamp: WireStamp;
      readonly actual: Uint8Array | undefined;
    }
  | { readonly kind: 'resolved'; readonly resolution: number; readonly stamp: WireStamp }
  /** It was resolved as not applied before this copy of it came. */
  | { readonly kind: 'cancelled' }
  /** The state has forgotten whether it was applied. */
  | { readonly kind: 'forgotten' };

/** Whether it may change the key. */
export function isSerialWrite({ task }: SerialOperation): boolean {
  return task.kind === 'write' || task.kind === 'cas';
}

export function serialOperation(
  task: SerialTask,
  target: ReplyTarget | undefined,
  opcode: number,
  correlation: number,
  deadlineMs: number,
  id: OperationId | undefined,
  isRepeated: boolean,
): SerialOperation {
  return { task, target, opcode, correlation, deadlineMs, id, isRepeated, isSent: false };
}

/** What a request asks for; the coordinator has fixed the deadline of its value. */
export function serialTask(opcode: number, request: SerialRequest, expiresAtMs: number): SerialTask {
  const { id, value, expected } = request;
  switch (opcode) {
    case Opcode.cas:
      return { kind: 'cas', expected, next: value, expiresAtMs };
    case Opcode.set:
    case Opcode.delete:
      return { kind: 'write', value, expiresAtMs };
    case Opcode.resolve:
      if (id === undefined) throw new Error('a resolve names no operation');
      return { kind: 'resolve', of: id };
    default:
      return { kind: 'read' };
  }
}

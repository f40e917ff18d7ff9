import type { ErrorCodeName } from '@memdb/protocol';

/** Where a request of another node is answered. */
export interface Answer {
  body(opcode: number, correlation: number, bytes: Uint8Array): void;
  refuse(opcode: number, correlation: number, code: ErrorCodeName, message: string): void;
}

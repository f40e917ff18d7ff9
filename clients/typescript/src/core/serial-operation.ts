import {
  type CasReply,
  clientOperationId,
  decodeCasReply,
  decodeResolveReply,
  encodeSerialRequest,
  Feature,
  keyHash,
  MemDbError,
  Opcode,
  type OperationId,
  Resolution,
  type ResolveReply,
  readOperationId,
  type SerialRequest,
  writeOperationId,
} from '@memdb/protocol';
import type { Key, Value } from '../options.js';
import { badArgument } from './failures.js';
import type { Random } from './ports.js';
import type { Session } from './session.js';
import type { SpecialRequest } from './special-request.js';

/** What became of an operation whose outcome was unknown. */
export type Settlement = 'applied' | 'not-applied' | 'unknown';

/** What a serial operation asks, apart from its name. */
export interface SerialAsk {
  readonly opcode: Opcode;
  readonly key: Uint8Array;
  readonly expected?: Uint8Array | undefined;
  readonly value?: Uint8Array | undefined;
  readonly ttlMs: number;
}

/** How one copy is sent: the time it has, and how many owners to pass over. */
export type SendCopy = (request: SpecialRequest, timeoutMs: number) => Promise<unknown>;

const ID_BYTES = 16;
/** A copy that is not answered gives way to another after this part of the time, and at least after so long. */
const COPY_PART = 0.4;
const COPY_MS_MIN = 100;
/** Ids are made anew this often when the key has forgotten their like: each costs one round trip. */
const FRESH_IDS_MAX = 3;

/**
 * Names this client's serial operations, and sends each of them until it is answered: a copy at whatever node is the same
 * operation (semantics: Retries of serial operations are exact at any node).
 */
export class SerialOperations {
  readonly #session: Session;
  readonly #nowMs: () => number;
  readonly #low: number;
  readonly #high: number;
  #sequence = 0;

  constructor(session: Session, random: Random, nowMs: () => number) {
    this.#session = session;
    this.#nowMs = nowMs;
    this.#low = random.uint32();
    this.#high = random.uint32();
  }

  /** Resolves with what `read` makes of the reply. Errors carry the operation's id. */
  async run<Result>(ask: SerialAsk, timeoutMs: number, send: SendCopy, read: SpecialRequest['read']): Promise<Result> {
    const endMs = this.#nowMs() + timeoutMs;
    let id = this.#nextId();
    let freshIds = 0;
    let isRepeated = false;
    for (let copy = 0; ; copy++) {
      const leftMs = Math.max(1, endMs - this.#nowMs());
      const copyMs = Math.min(leftMs, Math.max(COPY_MS_MIN, leftMs * COPY_PART));
      try {
        return (await send(requestOf(ask, id, isRepeated, copy, read), Math.ceil(copyMs))) as Result;
      } catch (error) {
        if (!(error instanceof MemDbError)) throw error;
        const isOver = endMs - this.#nowMs() < 1;
        if (error.code === 'operation-forgotten' && error.outcome === 'not-applied' && !isRepeated) {
          // Nobody heard of this id before, and it is older than what the key remembers: a newer one takes its place.
          if (isOver || ++freshIds > FRESH_IDS_MAX) throw error;
          id = this.#nextId();
          continue;
        }
        const isLost = error.outcome === 'unknown' && error.retryable;
        if (isLost) isRepeated = true;
        if (!isLost && !(isRepeated && error.retryable)) throw withId(error, isRepeated, id, ask.key);
        if (isOver || error.code === 'aborted') throw withId(error, isRepeated, id, ask.key);
      }
    }
  }

  #nextId(): OperationId {
    // Above all that was seen, so that what the key has forgotten is older; and never the same twice.
    this.#sequence = Math.max(this.#sequence, this.#session.counter) + 1;
    this.#session.observe(this.#sequence);
    return clientOperationId(this.#sequence, this.#low, this.#high);
  }
}

function requestOf(
  ask: SerialAsk,
  id: OperationId,
  isRepeated: boolean,
  copy: number,
  read: SpecialRequest['read'],
): SpecialRequest {
  const { opcode, key, expected, value, ttlMs } = ask;
  const request: SerialRequest = { key, ttlMs, id, isRepeated, expected, value };
  return {
    opcode,
    feature: Feature.serial,
    acts: true,
    body: encodeSerialRequest(request, opcode === Opcode.cas),
    pick: (routes, attempts) => routes.pick(hashOf(key, routes.hashSeed), copy + attempts),
    read,
  };
}

/** Asks what became of an operation. It changes nothing of the key, and may be sent again. */
export function resolveRequest(key: Uint8Array, id: OperationId): SpecialRequest {
  const request: SerialRequest = { key, ttlMs: 0, id, isRepeated: false, expected: undefined, value: undefined };
  return {
    opcode: Opcode.resolve,
    feature: Feature.serial,
    body: encodeSerialRequest(request, false),
    pick: (routes, attempts) => routes.pick(hashOf(key, routes.hashSeed), attempts),
    read: decodeResolveReply,
  };
}

export function settlementOf({ resolution }: ResolveReply): Settlement {
  if (resolution === Resolution.applied) return 'applied';
  return resolution === Resolution.notApplied ? 'not-applied' : 'unknown';
}

export function readCas(bytes: Uint8Array, view: DataView, start: number, end: number): CasReply {
  return decodeCasReply(bytes, view, start, end);
}

/** A set or delete answers with a stamp, which its caller does not see. */
export function readNothing(): null {
  return null;
}

/** The name of an operation as text: its id and its key, base64url. */
function operationText(id: OperationId, key: Uint8Array): string {
  const bytes = Buffer.alloc(ID_BYTES + key.length);
  writeOperationId(new DataView(bytes.buffer, bytes.byteOffset), 0, id);
  bytes.set(key, ID_BYTES);
  return bytes.toString('base64url');
}

/** Reads what `operationText` wrote. Throws MemDbError `bad-request`. */
export function parseOperation(text: string): { readonly id: OperationId; readonly key: Uint8Array } {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length <= ID_BYTES || bytes.toString('base64url') !== text) {
    throw badArgument('operationId must be the one that an error of a serial operation carries.');
  }
  const id = readOperationId(new DataView(bytes.buffer, bytes.byteOffset), 0);
  return { id, key: Uint8Array.from(bytes.subarray(ID_BYTES)) };
}

export function bytesOf(text: Key | Value): Uint8Array {
  return typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
}

function hashOf(key: Uint8Array, seed: number): number {
  return keyHash(key, new DataView(key.buffer, key.byteOffset, key.byteLength), 0, key.length, seed);
}

/** An earlier copy may have been applied: whatever the last one was answered, nobody knows. */
function withId(error: MemDbError, isRepeated: boolean, id: OperationId, key: Uint8Array): MemDbError {
  return new MemDbError(error.code, error.message, {
    outcome: isRepeated ? 'unknown' : error.outcome,
    retryable: error.retryable,
    node: error.node,
    cause: error.cause,
    operationId: operationText(id, key),
  });
}

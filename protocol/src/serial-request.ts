import { BodyReader } from './body-reader.js';
import { writeCounter } from './frame.js';
import { KEY_REQUEST_FIXED_BYTES, TTL_BYTES } from './limits.js';
import { Consistency, RequestOption } from './opcodes.js';
import { OPERATION_ID_BYTES, type OperationId, readOperationId, writeOperationId } from './operation-id.js';
import { STAMP_BYTES, type WireStamp, writeStamp } from './stamp.js';

/**
 * Bodies of serial operations (PROTOCOL.md, "Serial operations"): the layout of requests about one key, and behind the key
 * u64 ttlMs (option 1) · operation id (option 2, of what changes the key) · of cas u32 expected bytes and expected
 * (option 8: it must exist) · the value, or nothing.
 */
export interface SerialRequest {
  readonly key: Uint8Array;
  /** 0: it does not expire. */
  readonly ttlMs: number;
  /** Undefined for what only reads, and where the coordinator is to choose. */
  readonly id: OperationId | undefined;
  /** An earlier copy of this request may have arrived. */
  readonly isRepeated: boolean;
  /** Of cas: undefined when the key must not exist. */
  readonly expected: Uint8Array | undefined;
  /** Of set and cas; undefined: the key is deleted. */
  readonly value: Uint8Array | undefined;
}

const OPTIONS_KNOWN: number =
  RequestOption.ttl | RequestOption.operation | RequestOption.repeated | RequestOption.expected | RequestOption.deletes;

export function encodeSerialRequest(request: SerialRequest, isCas: boolean): Uint8Array {
  const { key, ttlMs, id, isRepeated, expected, value } = request;
  const options =
    (ttlMs === 0 ? 0 : RequestOption.ttl) |
    (id === undefined ? 0 : RequestOption.operation) |
    (isRepeated ? RequestOption.repeated : 0) |
    (isCas && expected !== undefined ? RequestOption.expected : 0) |
    (isCas && value === undefined ? RequestOption.deletes : 0);
  const expectedBytes = isCas ? 4 + (expected?.length ?? 0) : 0;
  const head = KEY_REQUEST_FIXED_BYTES + key.length;
  const bytes = new Uint8Array(
    head +
      (ttlMs === 0 ? 0 : TTL_BYTES) +
      (id === undefined ? 0 : OPERATION_ID_BYTES) +
      expectedBytes +
      (value?.length ?? 0),
  );
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Consistency.serial | (options << 8) | (key.length << 16), true);
  bytes.set(key, KEY_REQUEST_FIXED_BYTES);
  let at = head;
  if (ttlMs !== 0) {
    writeCounter(view, at, ttlMs);
    at += TTL_BYTES;
  }
  if (id !== undefined) {
    writeOperationId(view, at, id);
    at += OPERATION_ID_BYTES;
  }
  if (isCas) {
    view.setUint32(at, expected?.length ?? 0, true);
    bytes.set(expected ?? [], at + 4);
    at += expectedBytes;
  }
  bytes.set(value ?? [], at);
  return bytes;
}

/** Reads what `encodeSerialRequest` wrote; `isCas` and `hasValue` follow from the opcode. Throws ProtocolError. */
export function decodeSerialRequest(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  isCas: boolean,
  hasValue: boolean,
): SerialRequest {
  const body = new BodyReader('serial request', bytes, view, start, end);
  if (body.u8('consistency') !== Consistency.serial) body.fail('its consistency is not serial');
  const options = body.u8('options');
  if ((options & ~OPTIONS_KNOWN) !== 0) body.fail(`options ${options}`);
  const key = body.bytes(body.u16('key bytes'), 'key');
  const ttlMs = (options & RequestOption.ttl) === 0 ? 0 : body.u64('time to live');
  const hasId = (options & RequestOption.operation) !== 0;
  const id = hasId ? readId(body, view) : undefined;
  const expectedBytes = isCas ? body.u32('expected bytes') : 0;
  const mustExist = (options & RequestOption.expected) !== 0;
  if (!mustExist && expectedBytes !== 0) body.fail('an expected value of a key that must not exist');
  const expected = mustExist ? body.bytes(expectedBytes, 'expected') : undefined;
  const deletes = !hasValue || (options & RequestOption.deletes) !== 0;
  const value = deletes ? undefined : body.bytes(end - body.at, 'value');
  body.finish();
  return { key, ttlMs, id, isRepeated: (options & RequestOption.repeated) !== 0, expected, value };
}

function readId(body: BodyReader, view: DataView): OperationId {
  const id = readOperationId(view, body.skip(OPERATION_ID_BYTES, 'operation id'));
  if (id.sequence === 0 || id.sequence > Number.MAX_SAFE_INTEGER) body.fail(`operation id of sequence ${id.sequence}`);
  return id;
}

/** The reply to a cas: stamp · u8 1 applied · u8 1 there is an actual value · u16 zero · the actual value. */
export interface CasReply {
  readonly stamp: WireStamp;
  readonly applied: boolean;
  /** What the key held instead of what was expected; undefined when it had no value, and when the cas was applied. */
  readonly actual: Uint8Array | undefined;
}

export function encodeCasReply({ stamp, applied, actual }: CasReply): Uint8Array {
  const bytes = new Uint8Array(STAMP_BYTES + 4 + (actual?.length ?? 0));
  const view = new DataView(bytes.buffer);
  writeStamp(view, 0, stamp.counter, stamp.node);
  view.setUint8(STAMP_BYTES, applied ? 1 : 0);
  view.setUint8(STAMP_BYTES + 1, actual === undefined ? 0 : 1);
  bytes.set(actual ?? [], STAMP_BYTES + 4);
  return bytes;
}

export function decodeCasReply(bytes: Uint8Array, view: DataView, start: number, end: number): CasReply {
  const body = new BodyReader('reply to cas', bytes, view, start, end);
  const stamp = body.stamp();
  const applied = body.flag('applied');
  const hasActual = body.flag('actual');
  body.zeros(2);
  const actual = hasActual ? body.bytes(end - body.at, 'actual') : undefined;
  body.finish();
  return { stamp, applied, actual };
}

/** What became of an operation, as `resolve` answers it: u8 · 3 zero · stamp. */
export const Resolution = { applied: 1, notApplied: 2, unknown: 3 } as const;

export interface ResolveReply {
  readonly resolution: number;
  /** Of the version that the operation made; 0/0 where it made none. */
  readonly stamp: WireStamp;
}

export function encodeResolveReply({ resolution, stamp }: ResolveReply): Uint8Array {
  const bytes = new Uint8Array(4 + STAMP_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, resolution);
  writeStamp(view, 4, stamp.counter, stamp.node);
  return bytes;
}

export function decodeResolveReply(bytes: Uint8Array, view: DataView, start: number, end: number): ResolveReply {
  const body = new BodyReader('reply to resolve', bytes, view, start, end);
  const resolution = body.u8('resolution');
  if (resolution < Resolution.applied || resolution > Resolution.unknown) body.fail(`resolution ${resolution}`);
  body.zeros(3);
  const stamp = body.stamp();
  body.finish();
  return { resolution, stamp };
}

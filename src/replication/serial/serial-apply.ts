import {
  type AppliedOperation,
  isSameOperation,
  type OperationId,
  operationIdOfStamp,
  Resolution,
  SERIAL_OPERATIONS_MAX,
  SerialContent,
  type SerialState,
  SerialVerdict,
  type WireStamp,
} from '@memdb/protocol';
import type { SerialOperation, SerialResult } from './serial-operation.js';

const NO_VALUE = new Uint8Array(0);
const NO_STAMP: WireStamp = { counter: 0, node: 0 };

/**
 * What a round starts from: the state of the highest accepted ballot or, where nothing was accepted, the newest plain
 * version, whose stamp enters as the id of an operation that was applied (×: otherwise it is applied, overwritten, and
 * applied again). What has expired at `wallMs` is deleted by this very round.
 */
export function adopt(base: SerialState, wallMs: number, stamp: () => WireStamp): SerialState {
  let state = base;
  if (base.accepted.counter === 0) {
    const isVersion = base.content !== SerialContent.never;
    const operations: AppliedOperation[] = isVersion
      ? [{ id: operationIdOfStamp(base.stamp), stamp: base.stamp, verdict: SerialVerdict.applied }]
      : [];
    state = { ...base, forgotten: 0, operations };
  }
  if (state.expiresAtMs === 0 || state.expiresAtMs > wallMs) return state;
  return { ...state, content: SerialContent.tombstone, value: NO_VALUE, expiresAtMs: 0, stamp: stamp() };
}

/**
 * Applies operations one after the other, each exactly once: one whose id the state knows is answered from there. `stamp`
 * gives each version a stamp of its own. The results stand in the order of the operations.
 */
export function applyAll(
  base: SerialState,
  operations: readonly SerialOperation[],
  stamp: () => WireStamp,
): { readonly state: SerialState; readonly results: SerialResult[] } {
  let state = base;
  const results = operations.map((operation): SerialResult => {
    const applied = apply(state, operation, stamp);
    state = applied.state;
    return applied.result;
  });
  return { state, results };
}

interface Applied {
  readonly state: SerialState;
  readonly result: SerialResult;
}

function apply(state: SerialState, operation: SerialOperation, stamp: () => WireStamp): Applied {
  const { task } = operation;
  switch (task.kind) {
    case 'read':
      return { state, result: { kind: 'done', stamp: state.stamp, value: heldValue(state) } };
    case 'settle': {
      if (!task.forgets || state.content === SerialContent.value) return { state, result: resultOf(state) };
      const forgotten = state.operations.reduce((most, { id }) => Math.max(most, id.sequence), state.forgotten);
      return { state: { ...state, operations: [], forgotten }, result: resultOf(state) };
    }
    case 'resolve':
      return resolve(state, task.of);
    case 'write': {
      const known = find(state, operation);
      if (known !== undefined) return { state, result: known };
      const next = write(state, operation, task.value, task.expiresAtMs, stamp);
      return { state: next, result: resultOf(next) };
    }
    case 'cas': {
      const known = find(state, operation);
      if (known !== undefined) return { state, result: known };
      const actual = heldValue(state);
      if (!isEqual(actual, task.expected)) {
        const result = { kind: 'compared', applied: false, stamp: state.stamp, actual } as const;
        // Of a repeated copy it is kept, or an earlier one that is late would compare anew, and have an effect (×). Of a
        // first one nothing is: whoever asks again goes by the answer to that copy alone.
        if (operation.id === undefined || !operation.isRepeated) return { state, result };
        const entry = { id: operation.id, stamp: state.stamp, verdict: SerialVerdict.failed };
        return { state: remember(state, entry), result };
      }
      const next = write(state, operation, task.next, task.expiresAtMs, stamp);
      return { state: next, result: { kind: 'compared', applied: true, stamp: next.stamp, actual: undefined } };
    }
  }
}

/** The result of an operation that the state knows, or has forgotten; undefined: it is to be applied. */
function find(state: SerialState, { id, task }: SerialOperation): SerialResult | undefined {
  if (id === undefined) return undefined;
  const known = state.operations.find((applied) => isSameOperation(applied.id, id));
  if (known === undefined) return id.sequence <= state.forgotten ? { kind: 'forgotten' } : undefined;
  if (known.verdict === SerialVerdict.cancelled) return { kind: 'cancelled' };
  if (known.verdict === SerialVerdict.failed) {
    const actual = heldValue(state);
    // What it was compared with then is gone; what it is compared with now differs too, or it is only said to have failed.
    if (task.kind !== 'cas' || isEqual(actual, task.expected)) return { kind: 'cancelled' };
    return { kind: 'compared', applied: false, stamp: state.stamp, actual };
  }
  const { stamp } = known;
  return task.kind === 'cas'
    ? { kind: 'compared', applied: true, stamp, actual: undefined }
    : { kind: 'done', stamp, value: undefined };
}

function write(
  state: SerialState,
  operation: SerialOperation,
  value: Uint8Array | undefined,
  expiresAtMs: number,
  nextStamp: () => WireStamp,
): SerialState {
  const stamp = nextStamp();
  // Its coordinator names it, once: every further copy of it carries this id.
  operation.id ??= operationIdOfStamp(stamp);
  const content = value === undefined ? SerialContent.tombstone : SerialContent.value;
  const entry = { id: operation.id, stamp, verdict: SerialVerdict.applied };
  return remember({ ...state, content, stamp, value: value ?? NO_VALUE, expiresAtMs }, entry);
}

/** What was not applied so far is cancelled: a late copy of it finds that, so the answer stays true. */
function resolve(state: SerialState, id: OperationId): Applied {
  const known = state.operations.find((applied) => isSameOperation(applied.id, id));
  if (known !== undefined) {
    const resolution = known.verdict === SerialVerdict.applied ? Resolution.applied : Resolution.notApplied;
    return { state, result: { kind: 'resolved', resolution, stamp: known.stamp } };
  }
  if (id.sequence <= state.forgotten) {
    return { state, result: { kind: 'resolved', resolution: Resolution.unknown, stamp: NO_STAMP } };
  }
  const next = remember(state, { id, stamp: NO_STAMP, verdict: SerialVerdict.cancelled });
  return { state: next, result: { kind: 'resolved', resolution: Resolution.notApplied, stamp: NO_STAMP } };
}

/** Adds an operation; the oldest ones are forgotten, and how far is kept (×: guessing would apply one twice). */
function remember(state: SerialState, entry: AppliedOperation): SerialState {
  const operations = [...state.operations, entry];
  let { forgotten } = state;
  while (operations.length > SERIAL_OPERATIONS_MAX) {
    forgotten = Math.max(forgotten, operations.shift()?.id.sequence ?? 0);
  }
  return { ...state, operations, forgotten };
}

function resultOf(state: SerialState): SerialResult {
  return { kind: 'done', stamp: state.stamp, value: undefined };
}

/** The value of the key; undefined when it has none. */
function heldValue(state: SerialState): Uint8Array | undefined {
  return state.content === SerialContent.value ? state.value : undefined;
}

function isEqual(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return Buffer.compare(one, other) === 0;
}

/** The state in the form in which it is proposed: in `ballot`, with `next` promised along with it. */
export function proposalOf(
  state: SerialState,
  accepted: SerialState['accepted'],
  promised: SerialState['promised'],
): SerialState {
  const proposal = { ...state, accepted, promised, isVote: true };
  const { content, operations, forgotten } = state;
  const isSettled = content === SerialContent.tombstone && operations.length === 0 && forgotten !== 0;
  if (!isSettled || forgotten > accepted.counter) return proposal;
  // What is the ballot's own is not written down: a deleted key that nobody asks about takes 32 bytes and its name.
  return { ...proposal, forgotten: accepted.counter, stamp: { counter: accepted.counter, node: accepted.node } };
}

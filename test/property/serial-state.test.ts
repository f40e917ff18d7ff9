import {
  type AppliedOperation,
  decodeCasReply,
  decodeResolveReply,
  decodeSerialAccept,
  decodeSerialAnswer,
  decodeSerialPrepare,
  decodeSerialRead,
  decodeSerialRequest,
  decodeSerialState,
  encodeCasReply,
  encodeResolveReply,
  encodeSerialAccept,
  encodeSerialAnswer,
  encodeSerialPrepare,
  encodeSerialRead,
  encodeSerialRequest,
  encodeSerialState,
  isSerialState,
  NO_BALLOT,
  ProtocolError,
  SERIAL_OPERATIONS_MAX,
  SerialContent,
  type SerialState,
  serialContent,
  serialExpiresAtMs,
  serialIsVote,
  serialPromised,
  serialStamp,
  serialValueOffset,
} from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import { viewOf } from '../harness/protocol-frames.js';

const counter = fc.maxSafeNat();
const u16 = fc.nat(65_535);
const u32 = fc.nat(2 ** 32 - 1);
const ballot = fc.record({ counter: counter.map((value) => value || 1), node: u16, generation: u32 });
const stamp = fc.record({ counter, node: u16 });
const operation: fc.Arbitrary<AppliedOperation> = fc.record({
  id: fc.record({ sequence: counter, sessionLow: u32, sessionHigh: u32 }),
  stamp,
  verdict: fc.constantFrom(1, 2),
});

const states: fc.Arbitrary<SerialState> = fc
  .record({
    promised: ballot,
    accepted: fc.option(ballot, { nil: NO_BALLOT }),
    isVote: fc.boolean(),
    content: fc.constantFrom(SerialContent.never, SerialContent.value, SerialContent.tombstone),
    stamp,
    expiresAtMs: fc.oneof(fc.constant(0), counter),
    forgotten: fc.oneof(fc.constant(0), counter),
    operations: fc.array(operation, { maxLength: SERIAL_OPERATIONS_MAX }),
    value: fc.uint8Array(),
    // Often one of these equals the ballot, and is left out.
    same: fc.nat(7),
  })
  .map(({ same, ...state }): SerialState => {
    const { accepted } = state;
    const isValue = state.content === SerialContent.value;
    return {
      ...state,
      isVote: state.isVote && accepted.counter !== 0,
      promised: (same & 1) === 0 ? state.promised : accepted,
      stamp: (same & 2) === 0 ? state.stamp : { counter: accepted.counter, node: accepted.node },
      forgotten: (same & 4) === 0 ? state.forgotten : accepted.counter,
      expiresAtMs: isValue ? state.expiresAtMs : 0,
      value: isValue ? state.value : new Uint8Array(0),
    };
  });

test('a serial state is read back as it was written, whole and field by field', (t) => {
  fc.assert(
    fc.property(states, fc.nat(7), (state, before) => {
      const body = encodeSerialState(state);
      const bytes = new Uint8Array(before + body.length);
      bytes.set(body, before);
      const view = viewOf(bytes);
      const { accepted } = state;
      t.deepEqual(decodeSerialState(bytes, view, before, bytes.length, accepted.counter, accepted.node), state);
      t.is(serialContent(view, before), state.content);
      t.is(serialExpiresAtMs(view, before), state.expiresAtMs);
      t.is(serialIsVote(view, before), state.isVote);
      t.deepEqual(serialStamp(view, before, accepted.counter, accepted.node), state.stamp);
      t.deepEqual(serialPromised(view, before, accepted.counter, accepted.node), state.promised);
      t.is(before + serialValueOffset(view, before), bytes.length - state.value.length);
    }),
  );
});

test('a serial state that is cut in front of its value is refused', (t) => {
  fc.assert(
    fc.property(states, (state) => {
      const bytes = encodeSerialState(state);
      const { counter: accepted, node } = state.accepted;
      for (let end = 0; end < bytes.length - state.value.length; end++) {
        t.false(isSerialState(viewOf(bytes), 0, end, accepted));
        t.throws(() => decodeSerialState(bytes, viewOf(bytes), 0, end, accepted, node), { instanceOf: ProtocolError });
      }
    }),
    { numRuns: 50 },
  );
});

const key = fc.uint8Array({ minLength: 1, maxLength: 20 });
const id = fc.record({ sequence: counter.map((value) => value || 1), sessionLow: u32, sessionHigh: u32 });
const decided = states.filter(({ accepted }) => accepted.counter !== 0);

/** Read back at any place, whole; refused when it is cut anywhere in front of `tail` bytes that may be fewer. */
function roundTrips<T>(
  name: string,
  value: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array, view: DataView, start: number, end: number) => unknown,
  tail: (value: T) => number,
): void {
  test(`${name} is read back as it was written, and refused when it is cut`, (t) => {
    const property = fc.property(value, fc.nat(7), (written, before) => {
      const body = encode(written);
      const bytes = new Uint8Array(before + body.length);
      bytes.set(body, before);
      t.deepEqual(decode(bytes, viewOf(bytes), before, bytes.length), written);
      for (let end = before; end < bytes.length - tail(written); end++) {
        t.throws(() => decode(bytes, viewOf(bytes), before, end), { instanceOf: ProtocolError });
      }
    });
    fc.assert(property, { numRuns: 60 });
  });
}

const bytes = fc.uint8Array({ maxLength: 30 });
const request = { key, ttlMs: fc.oneof(fc.constant(0), counter), id: fc.option(id, { nil: undefined }) };

roundTrips(
  'cas',
  fc.record({
    ...request,
    isRepeated: fc.boolean(),
    expected: fc.option(bytes, { nil: undefined }),
    value: fc.option(bytes, { nil: undefined }),
  }),
  (value) => encodeSerialRequest(value, true),
  (buffer, view, start, end) => decodeSerialRequest(buffer, view, start, end, true, true),
  ({ value }) => value?.length ?? 0,
);
roundTrips(
  'a serial set',
  fc.record({ ...request, isRepeated: fc.boolean(), expected: fc.constant(undefined), value: bytes }),
  (value) => encodeSerialRequest(value, false),
  (buffer, view, start, end) => decodeSerialRequest(buffer, view, start, end, false, true),
  ({ value }) => value.length,
);
roundTrips(
  'the reply to cas',
  fc.record({ stamp, applied: fc.boolean(), actual: fc.option(bytes, { nil: undefined }) }),
  encodeCasReply,
  decodeCasReply,
  ({ actual }) => actual?.length ?? 0,
);
roundTrips(
  'the reply to resolve',
  fc.record({ resolution: fc.constantFrom(1, 2, 3), stamp }),
  encodeResolveReply,
  decodeResolveReply,
  () => 0,
);
roundTrips('serialRead', key, encodeSerialRead, decodeSerialRead, () => 0);
roundTrips('serialPrepare', fc.record({ ballot, key }), encodeSerialPrepare, decodeSerialPrepare, () => 0);
roundTrips(
  'serialAccept',
  fc.record({ key, proposal: decided }),
  encodeSerialAccept,
  decodeSerialAccept,
  ({ proposal }) => proposal.value.length,
);
roundTrips(
  'an answer of an acceptor',
  fc.oneof(
    fc.record({ kind: fc.constant('refused' as const), promised: ballot }),
    fc.record({ kind: fc.constant('state' as const), state: states }),
  ),
  encodeSerialAnswer,
  (buffer, view, start, end) => decodeSerialAnswer(buffer, view, start, end, true),
  (answer) => (answer.kind === 'state' ? answer.state.value.length : 0),
);

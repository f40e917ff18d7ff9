import {
  type BatchItem,
  Consistency,
  checkKeyRequest,
  checkQuorumGetRequest,
  checkSetRequest,
  checkStampReply,
  decodeBatchReply,
  decodeErrorBody,
  decodeGetManyRequest,
  decodeQuorumGetReply,
  decodeSetManyRequest,
  decodeTopology,
  frameCorrelation,
  frameCounter,
  frameDeadlineMs,
  frameEpoch,
  frameFlags,
  frameOpcode,
  keyRequestConsistency,
  keyRequestKeyLength,
  keyRequestKeyStart,
  MemDbError,
  Opcode,
  OutgoingBuffer,
  ProtocolError,
  parseUrl,
  replyStampCounter,
  replyStampNode,
  replyValueStart,
  setRequestTtlMs,
  setRequestValueStart,
  writeBatchReply,
  writeGetManyRequest,
  writeKeyRangeRequest,
  writeKeyRequest,
  writeQuorumGetReply,
  writeSetManyRequest,
  writeSetRangeRequest,
  writeSetRequest,
  writeValueReply,
} from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import { placed, viewOf, written } from '../harness/protocol-frames.js';

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const counter = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const nodeNumber = fc.integer({ min: 0, max: 65_535 });
const stamp = fc.record({ counter, node: nodeNumber });
const consistency = fc.constantFrom(...Object.values(Consistency));
const bytes = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 200, maxLength: 300 }));
/** Keys and values as users give them: bytes, or any string, lone surrogates included. */
const wire = fc.oneof(bytes, fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ maxLength: 20 }));
const asBytes = (value: Uint8Array | string): Uint8Array =>
  typeof value === 'string' ? new TextEncoder().encode(value) : value;
const error = fc
  .tuple(fc.constantFrom('timeout' as const, 'bad-request' as const), fc.string({ maxLength: 30 }))
  .map(([code, message]) => new MemDbError(code, message, { node: 7 }));

test('requests about one key read back as they were written, whether from strings, bytes or a range', (t) => {
  fc.assert(
    fc.property(
      wire,
      wire,
      u32,
      u32,
      counter,
      u32,
      consistency,
      fc.option(counter, { nil: 0 }),
      (key, value, correlation, deadline, at, epoch, level, ttlMs) => {
        const keyBytes = asBytes(key);
        const range = placed(keyBytes);
        const get = written((out) => writeKeyRequest(out, Opcode.get, correlation, deadline, at, epoch, level, key, 8));
        const set = written((out) =>
          writeSetRequest(out, correlation, deadline, at, epoch, level, key, value, 8, ttlMs),
        );
        t.deepEqual(
          written((out) =>
            writeKeyRangeRequest(
              out,
              Opcode.get,
              correlation,
              deadline,
              at,
              epoch,
              level,
              range.bytes,
              range.view,
              range.start,
              keyBytes.length,
              8,
            ),
          ),
          get,
        );
        t.deepEqual(
          written((out) =>
            writeSetRangeRequest(
              out,
              correlation,
              deadline,
              at,
              epoch,
              level,
              range.bytes,
              range.view,
              range.start,
              keyBytes.length,
              value,
              8,
              ttlMs,
            ),
          ),
          set,
        );
        for (const [opcode, frame] of [
          [Opcode.get, get],
          [Opcode.set, set],
        ] as const) {
          const { bytes, view, start, end } = placed(frame);
          if (opcode === Opcode.get) checkKeyRequest(view, start, end);
          else checkSetRequest(view, start, end);
          t.is(frameOpcode(view, start), opcode);
          t.is(frameFlags(view, start), 8);
          t.is(frameCorrelation(view, start), correlation);
          t.is(frameDeadlineMs(view, start), deadline);
          t.is(frameCounter(view, start), at);
          t.is(frameEpoch(view, start), epoch);
          t.is(keyRequestConsistency(view, start), level);
          const keyStart = keyRequestKeyStart(start);
          const keyEnd = keyStart + keyRequestKeyLength(view, start);
          t.deepEqual(bytes.slice(keyStart, keyEnd), keyBytes);
          if (opcode === Opcode.set) {
            t.deepEqual(bytes.slice(setRequestValueStart(view, start), end), asBytes(value));
            t.is(setRequestTtlMs(view, start), ttlMs);
          } else t.is(keyEnd, end);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('a value reply reads back as it was written', (t) => {
  fc.assert(
    fc.property(bytes, stamp, u32, (value, version, correlation) => {
      const source = placed(value);
      const frame = written((out) =>
        writeValueReply(
          out,
          correlation,
          1,
          2,
          version.counter,
          version.node,
          source.bytes,
          source.view,
          source.start,
          value.length,
        ),
      );
      const { bytes, view, start, end } = placed(frame);
      checkStampReply(view, start, end, false);
      t.is(replyStampCounter(view, start), version.counter);
      t.is(replyStampNode(view, start), version.node);
      t.deepEqual(bytes.slice(replyValueStart(start), end), value);
    }),
  );
});

test('batches read back as they were written', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(wire, wire), { maxLength: 20 }), consistency, (entries, level) => {
      const gets = placed(
        written((out) =>
          writeGetManyRequest(
            out,
            1,
            2,
            3,
            4,
            level,
            entries.map(([key]) => key),
          ),
        ),
      );
      const { keys, consistency: read } = decodeGetManyRequest(gets.bytes, gets.view, gets.start, gets.end);
      t.is(read, level);
      t.deepEqual(
        keys.map(({ keyStart, keyLength }) => gets.bytes.slice(keyStart, keyStart + keyLength)),
        entries.map(([key]) => asBytes(key)),
      );
      const sets = placed(written((out) => writeSetManyRequest(out, 1, 2, 3, 4, level, entries)));
      const decoded = decodeSetManyRequest(sets.bytes, sets.view, sets.start, sets.end);
      t.deepEqual(
        decoded.entries.map(({ keyStart, keyLength, valueStart, valueLength }) => [
          sets.bytes.slice(keyStart, keyStart + keyLength),
          sets.bytes.slice(valueStart, valueStart + valueLength),
        ]),
        entries.map(([key, value]) => [asBytes(key), asBytes(value)]),
      );
    }),
    { numRuns: 100 },
  );
});

/** What of an error travels, comparable. */
function plain(item: object): object {
  if (!('error' in item) || !(item.error instanceof MemDbError)) return item;
  const { code, outcome, retryable, node, message } = item.error;
  return { ...item, error: { code, outcome, retryable, node, message: message.replace(/\p{Cc}/gu, ' ') } };
}

test('batch replies read back as they were written', (t) => {
  const failed = error.map((failure) => ({ kind: 'error' as const, error: failure }));
  const absent = stamp.map((version) => ({ kind: 'absent' as const, stamp: version }));
  const value = fc
    .tuple(stamp, bytes)
    .map(([version, found]) => ({ kind: 'value' as const, stamp: version, bytes: found }));
  const stored = stamp.map((version) => ({ kind: 'stored' as const, stamp: version }));
  const check = (opcode: typeof Opcode.getMany | typeof Opcode.setMany, item: fc.Arbitrary<BatchItem>): void => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 20 }), (items) => {
        const { bytes, view, start, end } = placed(written((out) => writeBatchReply(out, opcode, 1, 2, 3, items)));
        t.deepEqual(decodeBatchReply(bytes, view, start, end, opcode).map(plain), items.map(plain));
      }),
      { numRuns: 100 },
    );
  };
  check(Opcode.getMany, fc.oneof(value, absent, failed));
  check(Opcode.setMany, fc.oneof(stored, absent, failed));
});

test('quorumGet replies read back as they were written', (t) => {
  const response = fc.oneof(
    nodeNumber.map((node) => ({ node, kind: 'same' as const })),
    fc.tuple(nodeNumber, stamp, bytes).map(([node, version, found]) => ({
      node,
      kind: 'value' as const,
      stamp: version,
      bytes: found,
    })),
    fc.tuple(nodeNumber, stamp).map(([node, version]) => ({ node, kind: 'absent' as const, stamp: version })),
    fc.tuple(nodeNumber, error).map(([node, failure]) => ({ node, kind: 'error' as const, error: failure })),
  );
  const reply = fc.record({
    agreed: fc.boolean(),
    stamp,
    value: fc.option(bytes, { nil: undefined }),
    responses: fc.array(response, { maxLength: 7 }),
  });
  fc.assert(
    fc.property(reply, (given) => {
      const { bytes, view, start, end } = placed(written((out) => writeQuorumGetReply(out, 1, 2, 3, given)));
      const back = decodeQuorumGetReply(bytes, view, start, end);
      t.deepEqual(
        { ...back, responses: back.responses.map(plain) },
        { ...given, responses: given.responses.map(plain) },
      );
    }),
    { numRuns: 200 },
  );
});

const decoders: Readonly<Record<string, (bytes: Uint8Array, view: DataView, start: number, end: number) => unknown>> = {
  get: (_bytes, view, start, end) => checkKeyRequest(view, start, end),
  set: (_bytes, view, start, end) => checkSetRequest(view, start, end),
  quorumGet: (_bytes, view, start, end) => checkQuorumGetRequest(view, start, end),
  'stamp reply': (_bytes, view, start, end) => checkStampReply(view, start, end, false),
  getMany: decodeGetManyRequest,
  setMany: decodeSetManyRequest,
  'getMany reply': (bytes, view, start, end) => decodeBatchReply(bytes, view, start, end, Opcode.getMany),
  'setMany reply': (bytes, view, start, end) => decodeBatchReply(bytes, view, start, end, Opcode.setMany),
  'quorumGet reply': decodeQuorumGetReply,
  error: decodeErrorBody,
  topology: decodeTopology,
};

for (const [name, decode] of Object.entries(decoders)) {
  test(`a ${name} of random bytes is read or refused by ProtocolError, never read beyond its end`, (t) => {
    const small = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 255 }));
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 120 }),
      fc.array(small, { maxLength: 120 }).map((list) => Uint8Array.from(list)),
    );
    fc.assert(
      fc.property(garbage, (body) => {
        const { bytes, view, start, end } = placed(body);
        try {
          decode(bytes, view, start, end);
        } catch (thrown) {
          t.true(thrown instanceof ProtocolError, String(thrown));
        }
        // At the very end of memory a read beyond the end is a RangeError.
        const tight = bytes.slice(0, end);
        try {
          decode(tight, viewOf(tight), start, end);
        } catch (thrown) {
          t.true(thrown instanceof ProtocolError, String(thrown));
        }
        t.true(end <= bytes.length);
      }),
      { numRuns: 500 },
    );
  });
}

test('whatever is given as a URL, it is read or refused by MemDbError', (t) => {
  const parts = fc.constantFrom(
    'memdb://',
    'app',
    ':',
    '@',
    'A'.repeat(43),
    ',',
    '[::1]',
    '/',
    '?',
    '&',
    '=',
    'tls',
    '9',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(parts, { maxLength: 20 }).map((list) => list.join('')),
      ),
      (url) => {
        try {
          t.true(parseUrl(url).seeds.length > 0);
        } catch (thrown) {
          t.true(thrown instanceof MemDbError, String(thrown));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('an outgoing buffer holds what was appended, in whatever way', (t) => {
  fc.assert(
    fc.property(fc.array(wire, { maxLength: 60 }), (parts) => {
      const out = new OutgoingBuffer();
      for (const part of parts) {
        if (typeof part === 'string') out.appendText(part);
        else out.appendRange(part, viewOf(part), 0, part.length);
      }
      t.deepEqual(out.bytes.slice(0, out.end), new Uint8Array(Buffer.concat(parts.map(asBytes))));
    }),
    { numRuns: 100 },
  );
});

import {
  BATCH_ITEMS_MAX,
  Consistency,
  checkKeyRequest,
  checkQuorumGetRequest,
  checkSetRequest,
  checkStampReply,
  compareStamps,
  decodeBatchReply,
  decodeGetManyRequest,
  decodeQuorumGetReply,
  decodeSetManyRequest,
  FRAME_HEADER_BYTES,
  KEY_BYTES_HARD_MAX,
  MemDbError,
  maxFrameBytes,
  maxReplyFrameBytes,
  Opcode,
  OUTGOING_START_BYTES,
  OutgoingBuffer,
  ProtocolError,
  QUORUM_REPLIES,
  VALUE_BYTES_HARD_MAX,
  writeBatchReply,
  writeGetManyRequest,
  writeKeyRequest,
  writeQuorumGetReply,
  writeSetManyRequest,
  writeSetRequest,
  writeStampReply,
  writeValueReply,
} from '@memdb/protocol';
import test from 'ava';
import { cut, isWholeFrame, placed, viewOf, written } from '../harness/protocol-frames.js';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const stamp = { counter: 2 ** 53 - 1, node: 65_535 };

type Decoder = (bytes: Uint8Array, view: DataView, frame: number, end: number) => unknown;

interface Message {
  readonly write: (out: OutgoingBuffer) => void;
  readonly decode: Decoder;
  /** Shorter frames may be sound as well: the value is the rest of the frame. Bytes that the least of them has. */
  readonly leastBytes?: number;
}

const messages: Readonly<Record<string, Message>> = {
  get: {
    write: (out) => writeKeyRequest(out, Opcode.get, 1, 2, 3, 4, Consistency.quorum, 'user:1'),
    decode: (_bytes, view, frame, end) => checkKeyRequest(view, frame, end),
  },
  quorumGet: {
    write: (out) => writeKeyRequest(out, Opcode.quorumGet, 1, 2, 3, 4, QUORUM_REPLIES, 'user:1'),
    decode: (_bytes, view, frame, end) => checkQuorumGetRequest(view, frame, end),
  },
  set: {
    write: (out) => writeSetRequest(out, 1, 2, 3, 4, Consistency.one, 'key', 'value'),
    decode: (_bytes, view, frame, end) => checkSetRequest(view, frame, end),
    leastBytes: 35,
  },
  'set that expires': {
    write: (out) => writeSetRequest(out, 1, 2, 3, 4, Consistency.one, 'key', 'value', 0, 2 ** 40),
    decode: (_bytes, view, frame, end) => checkSetRequest(view, frame, end),
    leastBytes: 43,
  },
  'get reply': {
    write: (out) => writeValueReply(out, 1, 2, 3, 4, 5, text('value'), viewOf(text('value')), 0, 5),
    decode: (_bytes, view, frame, end) => checkStampReply(view, frame, end, false),
    leastBytes: 40,
  },
  'set reply': {
    write: (out) => writeStampReply(out, Opcode.set, 0, 1, 2, 3, stamp.counter, stamp.node),
    decode: (_bytes, view, frame, end) => checkStampReply(view, frame, end, true),
  },
  getMany: {
    write: (out) => writeGetManyRequest(out, 1, 2, 3, 4, Consistency.quorum, ['', 'a', 'bcd']),
    decode: decodeGetManyRequest,
  },
  setMany: {
    write: (out) =>
      writeSetManyRequest(out, 1, 2, 3, 4, Consistency.all, [
        ['a', ''],
        ['bcd', 'value'],
      ]),
    decode: decodeSetManyRequest,
  },
  'setMany that expires': {
    write: (out) => writeSetManyRequest(out, 1, 2, 3, 4, Consistency.all, [['a', 'value']], 0, 2 ** 40),
    decode: decodeSetManyRequest,
  },
  'getMany reply': {
    write: (out) =>
      writeBatchReply(out, Opcode.getMany, 1, 2, 3, [
        { kind: 'value', stamp, bytes: text('value') },
        { kind: 'absent', stamp },
        { kind: 'error', error: new MemDbError('timeout', 'slow') },
      ]),
    decode: (bytes, view, frame, end) => decodeBatchReply(bytes, view, frame, end, Opcode.getMany),
  },
  'setMany reply': {
    write: (out) =>
      writeBatchReply(out, Opcode.setMany, 1, 2, 3, [
        { kind: 'stored', stamp },
        { kind: 'error', error: new MemDbError('timeout', 'slow') },
      ]),
    decode: (bytes, view, frame, end) => decodeBatchReply(bytes, view, frame, end, Opcode.setMany),
  },
  'quorumGet reply': {
    write: (out) =>
      writeQuorumGetReply(out, 1, 2, 3, {
        agreed: true,
        stamp,
        value: text('new'),
        responses: [
          { node: 1, kind: 'same' },
          { node: 2, kind: 'value', stamp, bytes: text('old') },
          { node: 3, kind: 'absent', stamp },
          { node: 4, kind: 'error', error: new MemDbError('timeout', 'slow') },
        ],
      }),
    decode: decodeQuorumGetReply,
  },
};

for (const [name, { write, decode, leastBytes }] of Object.entries(messages)) {
  const frame = written(write);

  test(`a ${name} is the same where it makes the buffer grow, at any of its bytes`, (t) => {
    for (let before = OUTGOING_START_BYTES - frame.length - 1; before <= OUTGOING_START_BYTES; before++) {
      const out = new OutgoingBuffer();
      out.reserve(before);
      write(out);
      t.deepEqual(out.bytes.slice(before, out.end), frame, `behind ${before} bytes`);
    }
  });

  test(`a ${name} is a whole frame and decodes wherever it stands`, (t) => {
    t.true(isWholeFrame(frame));
    for (const filler of [0, 0xee, 0xff]) {
      const { bytes, view, start, end } = placed(frame, filler);
      t.notThrows(() => decode(bytes, view, start, end));
    }
  });

  test(`a ${name} cut at any offset is refused`, (t) => {
    for (let length = 0; length < (leastBytes ?? frame.length); length++) {
      for (const filler of [0, 0xee]) {
        const { bytes, view, start, end } = placed(cut(frame, length), filler);
        t.throws(() => decode(bytes, view, start, end), { instanceOf: ProtocolError }, `${length} bytes`);
      }
    }
  });

  if (leastBytes === undefined) {
    test(`a ${name} with a byte too many is refused`, (t) => {
      const { bytes, view, start, end } = placed(new Uint8Array([...frame, 0]));
      t.throws(() => decode(bytes, view, start, end), { instanceOf: ProtocolError });
    });
  }
}

test('options and consistencies that do not exist are refused', (t) => {
  for (const [at, value] of [
    [29, 1],
    [29, 2],
    [28, 0],
    [28, 5],
  ]) {
    for (const name of ['get', 'set', 'getMany', 'setMany']) {
      const { write, decode } = messages[name];
      const frame = written(write);
      const copy = frame.slice();
      copy[at] = value;
      t.throws(() => decode(copy, viewOf(copy), 0, copy.length), { instanceOf: ProtocolError }, `${name} ${at}`);
    }
  }
});

test('a batch that claims more items than its bytes can hold makes nothing', (t) => {
  for (const name of ['getMany', 'setMany']) {
    const { write, decode } = messages[name];
    const frame = written(write);
    for (const count of [4, 100, BATCH_ITEMS_MAX, BATCH_ITEMS_MAX + 1, 65_535]) {
      const copy = frame.slice();
      viewOf(copy).setUint16(30, count, true);
      t.throws(() => decode(copy, viewOf(copy), 0, copy.length), { instanceOf: ProtocolError }, `${name} ${count}`);
    }
  }
});

test('a stamp with a counter of 2^53 or more is refused', (t) => {
  const reply = written(messages['set reply'].write);
  viewOf(reply).setUint32(FRAME_HEADER_BYTES + 4, 2 ** 21, true);
  t.throws(() => checkStampReply(viewOf(reply), 0, reply.length, true), { instanceOf: ProtocolError });
});

test('keys and values that no node accepts are not-applied errors with the limit, and leave nothing behind', (t) => {
  const out = new OutgoingBuffer();
  writeKeyRequest(out, Opcode.get, 1, 0, 0, 0, Consistency.one, 'first');
  const before = out.end;
  const attempts: readonly (readonly [code: string, limit: number, attempt: () => void])[] = [
    [
      'key-too-large',
      KEY_BYTES_HARD_MAX,
      () => writeKeyRequest(out, Opcode.get, 2, 0, 0, 0, Consistency.one, new Uint8Array(KEY_BYTES_HARD_MAX + 1)),
    ],
    [
      'key-too-large',
      KEY_BYTES_HARD_MAX,
      () => writeSetRequest(out, 2, 0, 0, 0, Consistency.one, 'ä'.repeat(KEY_BYTES_HARD_MAX / 2 + 1), 'v'),
    ],
    [
      'value-too-large',
      VALUE_BYTES_HARD_MAX,
      () => writeSetRequest(out, 2, 0, 0, 0, Consistency.one, 'k', new Uint8Array(VALUE_BYTES_HARD_MAX + 1)),
    ],
    [
      'key-too-large',
      KEY_BYTES_HARD_MAX,
      () => writeGetManyRequest(out, 2, 0, 0, 0, Consistency.one, ['a', 'b'.repeat(70_000)]),
    ],
    [
      'value-too-large',
      VALUE_BYTES_HARD_MAX,
      () =>
        writeSetManyRequest(out, 2, 0, 0, 0, Consistency.one, [
          ['a', 'b'],
          ['c', new Uint8Array(VALUE_BYTES_HARD_MAX + 1)],
        ]),
    ],
    [
      'batch-too-large',
      BATCH_ITEMS_MAX,
      () => writeGetManyRequest(out, 2, 0, 0, 0, Consistency.one, new Array<string>(BATCH_ITEMS_MAX + 1).fill('k')),
    ],
  ];
  for (const [code, limit, attempt] of attempts) {
    const error = t.throws(attempt, { instanceOf: MemDbError });
    t.is(error?.code, code as MemDbError['code']);
    t.is(error?.outcome, 'not-applied');
    t.true(error?.message.includes(String(limit)), error?.message);
    t.is(out.end, before);
  }
});

test('the longest key and value fit into the longest frame', (t) => {
  const frame = written((out) =>
    writeSetRequest(out, 1, 0, 0, 0, Consistency.one, new Uint8Array(4096), new Uint8Array(1_000_000), 0, 9),
  );
  t.is(frame.length, maxFrameBytes(4096, 1_000_000));
  const value = new Uint8Array(100_000);
  const responses = [1, 2, 3].map((node) => ({ node, kind: 'value' as const, stamp, bytes: value }));
  const reply = written((out) =>
    writeQuorumGetReply(out, 1, 2, 3, { agreed: false, stamp, value, responses: responses.slice(1) }),
  );
  t.true(reply.length <= maxReplyFrameBytes(100_000, 3) || reply.length <= maxReplyFrameBytes(100_000));
});

test('stamps are ordered by counter, then by node number', (t) => {
  t.true(compareStamps(2, 1, 1, 9) > 0);
  t.true(compareStamps(1, 1, 1, 2) < 0);
  t.is(compareStamps(7, 3, 7, 3), 0);
  t.true(compareStamps(2 ** 53 - 1, 0, 2 ** 53 - 2, 65_535) > 0);
  t.true(compareStamps(0, 0, 0, 1) < 0);
});

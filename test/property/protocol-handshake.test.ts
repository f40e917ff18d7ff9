import { FRAME_HEADER_BYTES, Opcode, writeFrame } from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import { cut, written } from '../harness/protocol-frames.js';
import {
  clientHandshake,
  converse,
  hello,
  randomFrom,
  serverHandshake,
  toClient,
  toServer,
} from '../harness/protocol-handshake.js';

const recording = converse(clientHandshake(), serverHandshake());

function* flipped(frame: Uint8Array): Generator<readonly [bit: number, frame: Uint8Array]> {
  for (let bit = 0; bit < frame.length * 8; bit++) {
    const copy = frame.slice();
    copy[bit >> 3] ^= 1 << (bit & 7);
    yield [bit, copy];
  }
}

test('a hello with any bit flipped never leads to a connection', (t) => {
  for (const [bit, frame] of flipped(recording.hello)) {
    const server = serverHandshake();
    const client = clientHandshake();
    hello(client);
    const welcomed = toServer(server, frame);
    if (welcomed.step.kind !== 'continue') continue;
    const answer = toClient(client, welcomed.sent);
    t.is(answer.step.kind, 'failed', `bit ${bit}`);
    t.not(toServer(server, answer.sent).step.kind, 'done', `bit ${bit}`);
  }
  t.is(recording.client.kind, 'done');
});

test('a welcome with any bit flipped is refused', (t) => {
  for (const [bit, frame] of flipped(recording.welcome)) {
    const client = clientHandshake();
    hello(client);
    t.is(toClient(client, frame).step.kind, 'failed', `bit ${bit}`);
  }
});

test('a proof with any bit flipped is refused', (t) => {
  for (const [bit, frame] of flipped(recording.proof)) {
    const server = serverHandshake();
    toServer(server, recording.hello);
    t.is(toServer(server, frame).step.kind, 'failed', `bit ${bit}`);
  }
});

test('a ready with any bit flipped is refused', (t) => {
  for (const [bit, frame] of flipped(recording.ready)) {
    const client = clientHandshake();
    hello(client);
    toClient(client, recording.welcome);
    t.is(toClient(client, frame).step.kind, 'failed', `bit ${bit}`);
  }
});

test('a message cut at any length is refused', (t) => {
  for (let length = 0; length < recording.hello.length; length++) {
    t.is(toServer(serverHandshake(), cut(recording.hello, length)).step.kind, 'failed', `hello of ${length} bytes`);
  }
  for (let length = 0; length < recording.welcome.length; length++) {
    const client = clientHandshake();
    if (length % 16 !== 0) continue;
    hello(client);
    t.is(toClient(client, cut(recording.welcome, length)).step.kind, 'failed', `welcome of ${length} bytes`);
  }
  const server = serverHandshake();
  toServer(server, recording.hello);
  t.is(toServer(server, cut(recording.proof, recording.proof.length - 1)).step.kind, 'failed');
});

test('whatever is sent instead, neither side throws or succeeds', (t) => {
  const opcodes = fc.constantFrom(Opcode.hello, Opcode.welcome, Opcode.proof, Opcode.ready, Opcode.get);
  const flags = fc.constantFrom(0, 0, 0, 1, 2, 3);
  const random = fc
    .tuple(opcodes, flags, fc.uint8Array({ maxLength: 300 }))
    .map(([opcode, flag, body]) => written((out) => writeFrame(out, opcode, flag, 0, 0, 0, 0, body)));
  const edited = fc
    .tuple(
      fc.constantFrom(recording.hello, recording.welcome, recording.proof),
      fc.array(fc.tuple(fc.nat(250), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 }),
    )
    .map(([frame, edits]) => {
      const copy = frame.slice();
      for (const [at, mask] of edits) copy[at % copy.length] ^= mask;
      return copy;
    });
  fc.assert(
    fc.property(fc.array(fc.oneof(random, edited), { minLength: 1, maxLength: 3 }), (frames) => {
      const server = serverHandshake({ random: randomFrom(31) });
      const client = clientHandshake({ random: randomFrom(32) });
      hello(client);
      for (const frame of frames) {
        t.not(toServer(server, frame).step.kind, 'done');
        t.not(toClient(client, frame).step.kind, 'done');
      }
    }),
    { numRuns: 200 },
  );
  t.true(recording.hello.length > FRAME_HEADER_BYTES);
});

import {
  decodeErrorBody,
  ERROR_BODY_BYTES_MAX,
  ErrorCode,
  type ErrorCodeName,
  encodeErrorBody,
  MemDbError,
  ProtocolError,
} from '@memdb/protocol';
import test from 'ava';
import { placed, viewOf } from '../harness/protocol-frames.js';

function roundTrip(error: MemDbError): MemDbError {
  const { bytes, view, start, end } = placed(encodeErrorBody(error));
  return decodeErrorBody(bytes, view, start, end);
}

test('an error has the outcome of its code unless somebody knows better', (t) => {
  const refused = new MemDbError('overloaded', 'Later.');
  t.is(refused.outcome, 'not-applied');
  t.true(refused.retryable);
  const cause = new Error('reset');
  const lost = new MemDbError('connection-lost', 'Gone.', { outcome: 'not-applied', node: 3, cause, operationId: '7' });
  t.is(lost.outcome, 'not-applied');
  t.is(lost.node, 3);
  t.is(lost.cause, cause);
  t.is(lost.operationId, '7');
  t.is(lost.name, 'MemDbError');
  t.false('cause' in new MemDbError('aborted', 'x'));
});

test('every code with every outcome survives the wire', (t) => {
  for (const code of Object.keys(ErrorCode) as ErrorCodeName[]) {
    for (const outcome of ['not-applied', 'unknown'] as const) {
      for (const retryable of [false, true]) {
        const back = roundTrip(new MemDbError(code, `sentence of ${code} äöü`, { outcome, retryable, node: 65_535 }));
        t.deepEqual(
          [back.code, back.outcome, back.retryable, back.node, back.message],
          [code, outcome, retryable, 65_535, `sentence of ${code} äöü`],
        );
      }
    }
  }
});

test('only a node number travels', (t) => {
  t.is(roundTrip(new MemDbError('timeout', 'x', { node: 'host:1' })).node, undefined);
  t.is(roundTrip(new MemDbError('timeout', 'x')).node, undefined);
});

test('a long sentence is cut between characters', (t) => {
  for (const letter of ['a', 'ä', '€', '😀']) {
    for (const before of ['', 'x', 'xx', 'xxx']) {
      const body = encodeErrorBody({ code: 'timeout', message: before + letter.repeat(600) });
      t.true(body.length <= ERROR_BODY_BYTES_MAX && body.length > ERROR_BODY_BYTES_MAX - 4);
      const { message } = decodeErrorBody(body, viewOf(body), 0, body.length);
      t.regex(message, new RegExp(`^${before}${letter}+$`, 'u'));
    }
  }
});

test('what a later version may send is understood as far as it can be', (t) => {
  const body = new Uint8Array([
    ...encodeErrorBody({ code: 'timeout', message: 'Later.', outcome: 'not-applied' }),
    1,
    2,
    3,
  ]);
  viewOf(body).setUint16(0, 999, true);
  body[2] = 7;
  const error = decodeErrorBody(body, viewOf(body), 0, body.length);
  t.is(error.code, 'not-supported');
  t.is(error.outcome, 'unknown');
  t.is(error.message, 'Later. (error code 999)');
});

test('control characters of a peer do not reach a terminal', (t) => {
  const error = roundTrip(new MemDbError('timeout', 'a\u001b[2Jb\r\nc\u009b'));
  t.is(error.message, 'a [2Jb  c ');
});

test('an error body cut anywhere is refused', (t) => {
  const body = encodeErrorBody({ code: 'timeout', message: 'sentence' });
  for (let length = 0; length < body.length; length++) {
    const { bytes, view, start } = placed(body);
    t.throws(() => decodeErrorBody(bytes, view, start, start + length), { instanceOf: ProtocolError }, `at ${length}`);
  }
});

test('a ProtocolError names the offset and what was wrong', (t) => {
  const error = new ProtocolError('bad-request', 30, 'key of 9 bytes in a request with room for 2');
  t.is(error.offset, 30);
  t.is(error.code, 'bad-request');
  t.is(error.message, 'key of 9 bytes in a request with room for 2 (at byte 30)');
});

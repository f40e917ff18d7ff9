import { copyBytes, flushTo, OutgoingBuffer } from '@memdb/protocol';
import test from 'ava';
import { viewOf } from '../harness/protocol-frames.js';

/** A connection that keeps a copy of what it was given, and says whether it took it. */
function sink(takes: boolean): {
  readonly sent: Uint8Array[];
  write(bytes: Uint8Array, start: number, end: number): boolean;
} {
  const sent: Uint8Array[] = [];
  return {
    sent,
    write: (bytes, start, end) => {
      sent.push(bytes.slice(start, end));
      return takes;
    },
  };
}

test('what was appended stays when the buffer grows', (t) => {
  const out = new OutgoingBuffer();
  const parts: Uint8Array[] = [];
  for (let index = 0; index < 200; index++) {
    const part = new Uint8Array(index * 7).fill(index);
    parts.push(part);
    out.append(part);
  }
  t.deepEqual(out.bytes.slice(0, out.end), new Uint8Array(Buffer.concat(parts)));
  t.is(out.view.buffer, out.bytes.buffer);
});

test('text is written as UTF-8, whatever its length and letters', (t) => {
  for (const letter of ['a', 'ä', '€', '😀', '\ud800', '\0']) {
    for (const length of [0, 1, 13, 14, 15, 100, 1023, 1024, 1025, 5000]) {
      for (const value of [letter.repeat(length), `${'x'.repeat(length)}${letter}`]) {
        const out = new OutgoingBuffer();
        out.append(Uint8Array.of(1, 2, 3));
        const expected = new TextEncoder().encode(value);
        t.is(out.appendText(value), expected.length);
        t.deepEqual(out.bytes.slice(3, out.end), expected);
      }
    }
  }
});

test('ranges of any length and alignment are copied exactly', (t) => {
  const source = Uint8Array.from({ length: 600 }, (_, index) => index % 251);
  for (let length = 0; length < 260; length++) {
    const start = length % 7;
    const target = new Uint8Array(400).fill(0xee);
    copyBytes(target, viewOf(target), 5, source, viewOf(source), start, length);
    t.deepEqual(target.slice(5, 5 + length), source.slice(start, start + length));
    t.true(
      target.slice(0, 5).every((byte) => byte === 0xee) && target.slice(5 + length).every((byte) => byte === 0xee),
    );
  }
});

test('a buffer that the connection took is used again', (t) => {
  const out = new OutgoingBuffer();
  out.append(Uint8Array.of(1, 2, 3));
  const before = out.bytes;
  const connection = sink(true);
  t.true(flushTo(out, connection));
  t.is(out.end, 0);
  t.is(out.bytes, before);
  t.deepEqual(connection.sent, [Uint8Array.of(1, 2, 3)]);
  t.true(flushTo(out, connection));
  t.is(connection.sent.length, 1, 'nothing to send is not sent');
});

test('a buffer that the connection kept is never written again', (t) => {
  const out = new OutgoingBuffer();
  out.append(new Uint8Array(5000).fill(1));
  const kept = out.bytes;
  t.false(flushTo(out, sink(false)));
  out.appendText('written after the flush, to the front of the buffer');
  out.append(new Uint8Array(5000).fill(2));
  t.not(out.bytes, kept);
  t.true(kept.slice(0, 5000).every((byte) => byte === 1));
});

test('a buffer that one burst made large shrinks: at once from megabytes, else after quiet flushes', (t) => {
  const out = new OutgoingBuffer();
  out.append(new Uint8Array(3_000_000));
  flushTo(out, sink(true));
  t.true(out.bytes.length <= 65_536);

  out.append(new Uint8Array(200_000));
  flushTo(out, sink(true));
  t.true(out.bytes.length >= 200_000);
  for (let flush = 0; flush < 20; flush++) {
    out.append(new Uint8Array(100));
    flushTo(out, sink(true));
  }
  t.true(out.bytes.length <= 65_536);
});

test('clear keeps the bytes where they are: they may be moved down before they are reserved again', (t) => {
  const out = new OutgoingBuffer();
  out.append(new Uint8Array(3_000_000).fill(9));
  const before = out.bytes;
  out.clear();
  out.reserve(10);
  t.is(out.bytes, before);
  t.is(out.bytes[5], 9);
});

import { FRAME_HEADER_BYTES, FrameReader, Opcode, ProtocolError, writeFrame } from '@memdb/protocol';
import test from 'ava';
import { viewOf, written } from '../harness/protocol-frames.js';

const MAX = 1000;

function ping(body: Uint8Array | string, correlation = 1): Uint8Array {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  return written((out) => writeFrame(out, Opcode.ping, 0, correlation, 0, 5, 0, bytes));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

interface Collected {
  readonly reader: FrameReader;
  readonly frames: Uint8Array[];
  /** The array in which each frame was handed out. */
  readonly places: Uint8Array[];
}

function collect(maxFrameBytes = MAX): Collected {
  const frames: Uint8Array[] = [];
  const places: Uint8Array[] = [];
  const reader = new FrameReader({
    maxFrameBytes,
    onFrame: (bytes, _view, start, end) => {
      frames.push(bytes.slice(start, end));
      places.push(bytes);
    },
  });
  return { reader, frames, places };
}

/** Pushes `chunk` with so much headroom in front of it; returns the array that the reader saw. */
function push(reader: FrameReader, chunk: Uint8Array, headroom: number): Uint8Array {
  const bytes = new Uint8Array(headroom + chunk.length);
  bytes.set(chunk, headroom);
  reader.push(bytes, viewOf(bytes), headroom, bytes.length);
  return bytes;
}

test('whole frames are handed out in place, in order', (t) => {
  const { reader, frames, places } = collect();
  const stream = [ping('one', 1), ping('', 2), ping('three', 3)];
  const chunk = push(reader, joined(...stream), 0);
  t.deepEqual(frames, stream);
  t.true(places.every((place) => place === chunk));
  t.false(reader.midFrame);
  t.is(reader.heldBytes, 0);
});

for (const headroom of [0, 10, 64, 4096]) {
  test(`two frames survive a cut at every offset, with ${headroom} bytes of headroom`, (t) => {
    const stream = [ping('a'.repeat(100), 1), ping('b'.repeat(50), 2)];
    const whole = joined(...stream);
    for (let at = 0; at <= whole.length; at++) {
      const { reader, frames } = collect();
      push(reader, whole.subarray(0, at), headroom);
      push(reader, whole.subarray(at), headroom);
      t.deepEqual(frames, stream, `cut at ${at}`);
      t.false(reader.midFrame);
    }
  });

  test(`frames survive being sent byte by byte, with ${headroom} bytes of headroom`, (t) => {
    const { reader, frames } = collect();
    const stream = [ping('a'.repeat(100), 1), ping('', 2), ping('b'.repeat(50), 3)];
    for (const byte of joined(...stream)) push(reader, Uint8Array.of(byte), headroom);
    t.deepEqual(frames, stream);
  });
}

test('a cut frame that fits into the headroom is completed there, not copied elsewhere', (t) => {
  const { reader, frames, places } = collect();
  const frame = ping('x'.repeat(200));
  push(reader, frame.subarray(0, 100), 256);
  t.true(reader.midFrame);
  const second = push(reader, frame.subarray(100), 256);
  t.deepEqual(frames, [frame]);
  t.is(places[0], second);
});

test('a peer that announces a large frame and sends little holds little', (t) => {
  const { reader } = collect(64 * 1024 * 1024);
  const header = ping(new Uint8Array(0));
  viewOf(header).setUint32(0, 64 * 1024 * 1024 - 4, true);
  push(reader, header, 0);
  t.true(reader.heldBytes <= 512);
  for (let sent = header.length; sent < 100_000; sent += 1000) {
    push(reader, new Uint8Array(1000), 4096);
    t.true(reader.heldBytes <= 2 * (sent + 1000), `${reader.heldBytes} held after ${sent + 1000}`);
  }
});

test('memory of a large frame is let go after it', (t) => {
  const { reader, frames } = collect(2_000_000);
  const frame = ping(new Uint8Array(1_000_000).fill(7));
  for (let at = 0; at < frame.length; at += 65_536) push(reader, frame.subarray(at, at + 65_536), 4096);
  t.deepEqual(frames, [frame]);
  t.is(reader.heldBytes, 0);
});

test('a longest frame passes and one byte more is refused', (t) => {
  const { reader, frames } = collect(FRAME_HEADER_BYTES + 100);
  push(reader, ping(new Uint8Array(100)), 0);
  t.is(frames.length, 1);
  const error = t.throws(() => push(reader, ping(new Uint8Array(101)), 0), { instanceOf: ProtocolError });
  t.is(error?.code, 'frame-too-large');
});

test('an over-long frame is refused as soon as its length is there, and nothing is held for it', (t) => {
  const { reader } = collect();
  push(reader, Uint8Array.of(0xff, 0xff, 0xff), 0);
  const error = t.throws(() => push(reader, Uint8Array.of(0x7f), 16), { instanceOf: ProtocolError });
  t.is(error?.code, 'frame-too-large');
  t.is(reader.heldBytes, 0);
});

test('HTTP, TLS and zeros are refused', (t) => {
  const garbage = [
    new TextEncoder().encode('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    Uint8Array.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
    new Uint8Array(64),
  ];
  for (const bytes of garbage) {
    t.throws(() => push(collect().reader, bytes, 0), { instanceOf: ProtocolError });
    // The same byte by byte, with and without headroom.
    for (const headroom of [0, 64]) {
      const { reader } = collect();
      t.throws(
        () => {
          for (const byte of bytes) push(reader, Uint8Array.of(byte), headroom);
        },
        { instanceOf: ProtocolError },
      );
    }
  }
});

test('a frame of another version names both versions', (t) => {
  const frame = ping('x');
  frame[4] = 9;
  const error = t.throws(() => push(collect().reader, frame, 0), { instanceOf: ProtocolError });
  t.is(error?.code, 'unsupported-version');
  t.regex(error?.message ?? '', /version 9.*is 1/);
});

test('a counter of 2^53 or more is refused, and one below passes', (t) => {
  const frame = ping('x');
  viewOf(frame).setUint32(20, 2 ** 21 - 1, true);
  const { reader, frames } = collect();
  push(reader, frame, 0);
  t.is(frames.length, 1);
  viewOf(frame).setUint32(20, 2 ** 21, true);
  t.throws(() => push(reader, frame, 0), { instanceOf: ProtocolError, message: /counter/ });
});

test('a reader that refused or was stopped hands out nothing more', (t) => {
  const { reader, frames } = collect();
  t.throws(() => push(reader, new Uint8Array(64), 0), { instanceOf: ProtocolError });
  push(reader, ping('x'), 0);
  t.is(frames.length, 0);
});

test('a handler may stop the reader between two frames of one chunk', (t) => {
  let count = 0;
  const reader: FrameReader = new FrameReader({
    maxFrameBytes: MAX,
    onFrame: () => {
      count++;
      reader.stop();
    },
  });
  push(reader, joined(ping('a'), ping('b')), 0);
  t.is(count, 1);
});

test('a handler may raise the limit for the next frame of the same chunk', (t) => {
  const lengths: number[] = [];
  const reader: FrameReader = new FrameReader({
    maxFrameBytes: 64,
    onFrame: (_bytes, _view, start, end) => {
      lengths.push(end - start);
      reader.setMaxFrameBytes(MAX);
    },
  });
  push(reader, joined(ping('a'), ping(new Uint8Array(500))), 0);
  t.deepEqual(lengths, [29, 528]);
});

for (const headroom of [0, 64]) {
  test(`an over-long frame is announced once and skipped, cut anywhere, with ${headroom} bytes of headroom`, (t) => {
    const large = ping(new Uint8Array(300), 9);
    const whole = joined(ping('a', 1), large, ping('b', 3));
    for (let cut = 0; cut <= whole.length; cut++) {
      const seen: string[] = [];
      const reader = new FrameReader({
        maxFrameBytes: 128,
        skipFrameBytesMax: MAX,
        onFrame: (_bytes, view, start) => seen.push(`frame ${view.getUint32(start + 8, true)}`),
        onFrameTooLarge: (view, start, bytes) => seen.push(`too large ${view.getUint32(start + 8, true)} ${bytes}`),
      });
      push(reader, whole.subarray(0, cut), headroom);
      push(reader, whole.subarray(cut), headroom);
      t.deepEqual(seen, ['frame 1', `too large 9 ${large.length}`, 'frame 3'], `cut at ${cut}`);
      t.true(reader.heldBytes <= 256);
    }
  });
}

test('a frame beyond what is skipped is refused', (t) => {
  const reader = new FrameReader({
    maxFrameBytes: 128,
    skipFrameBytesMax: 256,
    onFrame: () => {},
    onFrameTooLarge: () => {},
  });
  const error = t.throws(() => push(reader, ping(new Uint8Array(300)), 0), { instanceOf: ProtocolError });
  t.is(error?.code, 'frame-too-large');
});

test('whoever looks ahead sees what has arrived before its frames are handed out, and is asked again behind that', (t) => {
  const stream = [ping('one', 1), ping('two', 2), ping('three', 3)];
  const seen: string[] = [];
  const reader = new FrameReader({
    maxFrameBytes: MAX,
    onFrame: (_bytes, _view, start) => seen.push(`frame ${start}`),
    onAhead: (_bytes, _view, start, end) => {
      seen.push(`ahead ${start}-${end}`);
      return start === 0 ? start + stream[0].length + stream[1].length : end;
    },
  });
  push(reader, joined(...stream), 0);
  const [first, second, third] = stream.map((frame) => frame.length);
  const end = first + second + third;
  t.deepEqual(seen, [
    `ahead 0-${end}`,
    'frame 0',
    `frame ${first}`,
    `ahead ${first + second}-${end}`,
    `frame ${first + second}`,
  ]);
});

test('a look ahead begins with a frame that was kept from the chunk before', (t) => {
  const frame = ping('kept', 1);
  const seen: number[] = [];
  const reader = new FrameReader({
    maxFrameBytes: MAX,
    onFrame: () => {},
    onAhead: (_bytes, _view, start, end) => {
      seen.push(end - start);
      return end;
    },
  });
  push(reader, frame.subarray(0, FRAME_HEADER_BYTES + 1), 0);
  push(reader, frame.subarray(FRAME_HEADER_BYTES + 1), MAX);
  t.is(seen.at(-1), frame.length);
});

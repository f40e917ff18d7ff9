import { FrameReader, Opcode, ProtocolError, writeFrame } from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import { viewOf, written } from '../harness/protocol-frames.js';

const MAX = 5000;

/** Pushes `stream` in chunks of the given sizes, each with the given headroom, all in one reused array. */
function feed(reader: FrameReader, stream: Uint8Array, sizes: readonly number[], headroom: number): void {
  const shared = new Uint8Array(headroom + 10_000);
  let at = 0;
  for (let index = 0; at < stream.length; index++) {
    const size = Math.min(sizes[index % sizes.length], stream.length - at, shared.length - headroom);
    shared.set(stream.subarray(at, at + size), headroom);
    reader.push(shared, viewOf(shared), headroom, headroom + size);
    // The chunk is valid during the call only.
    shared.fill(0xdd);
    at += size;
  }
}

const chunkSizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 9000 })), {
  minLength: 1,
  maxLength: 20,
});
const headrooms = fc.constantFrom(0, 3, 28, 100, 4096, 16_384);

test('frames come out as they went in, however the stream is cut', (t) => {
  const bodies = fc.array(
    fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ minLength: 3000, maxLength: 4900 })),
    {
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(bodies, chunkSizes, headrooms, (contents, sizes, headroom) => {
      const frames = contents.map((body, index) =>
        written((out) => writeFrame(out, Opcode.ping, 0, index, 0, index, 0, body)),
      );
      const seen: Uint8Array[] = [];
      const reader = new FrameReader({
        maxFrameBytes: MAX,
        onFrame: (bytes, view, start, end) => {
          t.is(view.getUint8(start + 5), Opcode.ping);
          seen.push(bytes.slice(start, end));
        },
      });
      feed(reader, new Uint8Array(Buffer.concat(frames)), sizes, headroom);
      t.deepEqual(seen, frames);
      t.false(reader.midFrame);
      t.true(reader.heldBytes <= 4096);
    }),
    { numRuns: 300 },
  );
});

test('garbage is refused by ProtocolError or waited for, within twice what arrived', (t) => {
  const header = fc
    .tuple(fc.integer({ min: 0, max: 6000 }), fc.uint8Array({ minLength: 200, maxLength: 8000 }))
    .map(([length, rest]) => {
      // Half way to a frame, so that the deeper paths are reached.
      const frame = new Uint8Array(5 + rest.length);
      viewOf(frame).setUint32(0, length, true);
      frame[4] = 1;
      frame.set(rest, 5);
      if (frame.length > 24) viewOf(frame).setUint32(20, length & 0xff, true);
      return frame;
    });
  const garbage = fc.oneof(fc.uint8Array({ maxLength: 400 }), header);
  fc.assert(
    fc.property(garbage, chunkSizes, headrooms, fc.boolean(), (stream, sizes, headroom, skips) => {
      const reader = new FrameReader({
        maxFrameBytes: MAX,
        onFrame: (_bytes, _view, start, end) => t.true(end - start >= 28 && end - start <= MAX),
        ...(skips ? { skipFrameBytesMax: 5500, onFrameTooLarge: () => {} } : {}),
      });
      try {
        feed(reader, stream, sizes, headroom);
      } catch (error) {
        t.true(error instanceof ProtocolError, String(error));
        t.is(reader.heldBytes, 0);
      }
      t.true(reader.heldBytes <= Math.max(4096, 2 * stream.length));
    }),
    { numRuns: 500 },
  );
});

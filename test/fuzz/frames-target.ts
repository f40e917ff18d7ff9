import {
  FrameReader,
  Opcode,
  writeFrame,
  writeGetManyRequest,
  writeKeyRequest,
  writeSetRequest,
} from '@memdb/protocol';
import { viewOf, written } from '../harness/protocol-frames.js';
import type { FuzzTarget } from './fuzz.js';
import { refusing } from './refusing.js';

const FRAME_BYTES_MAX = 4096;

/** However the network cuts a stream, the same frames come out of it, or the same refusal. */
export const framesTarget: FuzzTarget = {
  name: 'frames',
  corpus: () => [
    written((out) => {
      for (let number = 0; number < 5; number++)
        writeFrame(out, Opcode.ping, 0, number, 100, 5, 0, new Uint8Array(number * 9));
    }),
    written((out) => {
      writeKeyRequest(out, Opcode.get, 1, 2000, 7, 1, 2, 'user:1');
      writeSetRequest(out, 2, 2000, 7, 1, 2, 'user:1', 'Ada');
      writeGetManyRequest(out, 3, 2000, 7, 1, 2, ['a', 'b', 'c']);
    }),
  ],
  run: (input, random) => {
    const whole = framesOf(input, [input.length]);
    const cuts: number[] = [];
    for (let at = 0; at < input.length; at += 1 + random.below(40)) cuts.push(at);
    const pieces = framesOf(input, [...cuts, input.length]);
    if (whole.join('\n') !== pieces.join('\n')) throw new Error(`whole: ${whole}; in pieces: ${pieces}`);
  },
};

function framesOf(input: Uint8Array, cuts: readonly number[]): string[] {
  const frames: string[] = [];
  const reader = new FrameReader({
    maxFrameBytes: FRAME_BYTES_MAX,
    onFrame: (bytes, _view, start, end) => frames.push(Buffer.from(bytes.subarray(start, end)).toString('hex')),
  });
  const isRefused = refusing(() => {
    let from = 0;
    for (const cut of cuts) {
      // The transport leaves headroom in front of what arrives.
      const bytes = new Uint8Array(256 + cut - from);
      bytes.set(input.subarray(from, cut), 256);
      reader.push(bytes, viewOf(bytes), 256, bytes.length);
      from = cut;
    }
    return true;
  });
  return isRefused === undefined ? [...frames, 'refused'] : frames;
}

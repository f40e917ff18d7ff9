import { FRAME_HEADER_BYTES } from '@memdb/protocol';
import {
  clientHandshake,
  converse,
  hello,
  serverHandshake,
  toClient,
  toServer,
} from '../harness/protocol-handshake.js';
import type { FuzzTarget } from './fuzz.js';

const right = converse(clientHandshake(), serverHandshake());
const genuine = [right.hello, right.welcome, right.proof, right.ready];

/**
 * Whatever is said in a handshake, nobody is let in who does not send the very proof, and nobody is believed who does
 * not send the very welcome. The first byte says which of the four frames is replaced.
 */
export const handshakeTarget: FuzzTarget = {
  name: 'handshake',
  corpus: () => genuine.map((frame, index) => new Uint8Array([index, ...frame])),
  run: (input) => {
    const index = (input[0] ?? 0) % genuine.length;
    const frame = input.subarray(1);
    const isGenuine = Buffer.compare(bodyOf(frame), bodyOf(genuine[index] ?? frame)) === 0;
    const server = serverHandshake();
    const client = clientHandshake();
    if (index === 0) {
      if (toServer(server, frame).step.kind === 'done') throw new Error('let in for a hello');
      return;
    }
    hello(client);
    if (index === 1) {
      if (toClient(client, frame).step.kind === 'continue' && !isGenuine) throw new Error('believed another welcome');
      return;
    }
    toServer(server, right.hello);
    if (index === 2) {
      if (toServer(server, frame).step.kind === 'done' && !isGenuine) throw new Error('let in for another proof');
      return;
    }
    toClient(client, right.welcome);
    toClient(client, frame);
  },
};

function bodyOf(frame: Uint8Array): Uint8Array {
  return frame.subarray(FRAME_HEADER_BYTES);
}

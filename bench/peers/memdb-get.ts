import { connect } from 'node:net';
import { Flag, FRAME_HEADER_BYTES, frameBytes, frameFlags } from '@memdb/protocol';
import type { Credentials } from '../generators/jobs.js';
import { MemdbOpening } from '../generators/memdb-opening.js';
import { getRequest } from '../generators/memdb-wire.js';

const STAMP_BYTES = 12;

/** The text of a key, on a connection of its own; undefined while the node cannot answer or has no such key. */
export async function memdbGet(port: number, credentials: Credentials, key: string): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const opening = new MemdbOpening(credentials);
    let open = false;
    let reply: Buffer = Buffer.alloc(0);
    const finish = (value: string | undefined): void => {
      socket.destroy();
      resolve(value);
    };
    socket.on('connect', () => socket.write(opening.start()));
    socket.on('data', (bytes) => {
      if (open) {
        reply = Buffer.concat([reply, bytes]);
        const value = readReply(reply);
        if (value !== 'incomplete') finish(value.text);
        return;
      }
      try {
        const step = opening.receive(bytes);
        if (step.send !== undefined) socket.write(step.send);
        open = step.done;
        if (open) socket.write(getRequest(key));
      } catch {
        finish(undefined);
      }
    });
    socket.on('error', () => finish(undefined));
    socket.on('close', () => resolve(undefined));
  });
}

function readReply(reply: Buffer): 'incomplete' | { readonly text: string | undefined } {
  if (reply.length < FRAME_HEADER_BYTES) return 'incomplete';
  const view = new DataView(reply.buffer, reply.byteOffset, reply.byteLength);
  if (reply.length < frameBytes(view, 0)) return 'incomplete';
  if ((frameFlags(view, 0) & (Flag.error | Flag.absent)) !== 0) return { text: undefined };
  return { text: reply.toString('latin1', FRAME_HEADER_BYTES + STAMP_BYTES, frameBytes(view, 0)) };
}

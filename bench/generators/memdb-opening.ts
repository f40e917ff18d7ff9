import { randomFillSync } from 'node:crypto';
import { ClientHandshake, FrameReader, OutgoingBuffer, Role } from '@memdb/protocol';
import type { Credentials } from './jobs.js';
import type { Opening } from './wire.js';

/** Handshake frames are a few hundred bytes; an error sentence is the longest. */
const FRAME_BYTES_MAX = 4096;
const IDENTITY_BYTES = 16;

/** The dialing side of the handshake, as a client. */
export class MemdbOpening implements Opening {
  private readonly handshake: ClientHandshake;
  private readonly out: OutgoingBuffer = new OutgoingBuffer();
  private readonly frames: FrameReader;
  private done = false;

  constructor(credentials: Credentials) {
    this.handshake = new ClientHandshake({
      role: Role.client,
      keyId: credentials.keyId,
      secret: Buffer.from(credentials.secret, 'base64url'),
      identity: randomFillSync(new Uint8Array(IDENTITY_BYTES)),
      random: (bytes) => {
        randomFillSync(bytes);
      },
    });
    this.frames = new FrameReader({
      maxFrameBytes: FRAME_BYTES_MAX,
      onFrame: (bytes, view, start, end) => this.onFrame(bytes, view, start, end),
    });
  }

  start(): Uint8Array {
    this.handshake.start(this.out);
    return this.take();
  }

  receive(bytes: Buffer): { send: Uint8Array | undefined; done: boolean } {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.frames.push(bytes, view, 0, bytes.length);
    return { send: this.out.end > 0 ? this.take() : undefined, done: this.done };
  }

  private onFrame(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const step = this.handshake.onFrame(bytes, view, start, end, this.out);
    if (step.kind === 'failed') throw step.error;
    if (step.kind === 'done') this.done = true;
  }

  private take(): Uint8Array {
    const bytes = this.out.bytes.slice(0, this.out.end);
    this.out.clear();
    return bytes;
  }
}

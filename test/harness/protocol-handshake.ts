import {
  ClientHandshake,
  type ClientHandshakeOptions,
  type ClientHandshakeStep,
  OutgoingBuffer,
  parseUuid,
  Role,
  ServerHandshake,
  type ServerHandshakeOptions,
  type ServerHandshakeStep,
} from '@memdb/protocol';
import { viewOf } from './protocol-frames.js';

export const clientSecret: Uint8Array = new Uint8Array(32).fill(0x11);
export const nodeSecret: Uint8Array = new Uint8Array(32).fill(0x22);
export const clusterId: Uint8Array = parseUuid('c1000000-0000-4000-8000-00000000000c');
export const serverIdentity = 'a1000000-0000-4000-8000-000000000001';
export const clientIdentity = 'a2000000-0000-4000-8000-000000000002';

/** Random bytes that are the same in every run with the same seed. */
export function randomFrom(seed: number): (bytes: Uint8Array) => void {
  let state = seed * 2_654_435_761 + 1;
  return (bytes) => {
    for (let index = 0; index < bytes.length; index++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      bytes[index] = state >>> 24;
    }
  };
}

export function clientHandshake(changes: Partial<ClientHandshakeOptions> = {}): ClientHandshake {
  return new ClientHandshake({
    role: Role.client,
    keyId: 'app',
    secret: clientSecret,
    identity: parseUuid(clientIdentity),
    random: randomFrom(1),
    ...changes,
  });
}

export function serverHandshake(changes: Partial<ServerHandshakeOptions> = {}): ServerHandshake {
  return new ServerHandshake({
    keys: (role, keyId) => {
      if (role === Role.client && keyId === 'app') return clientSecret;
      if (role === Role.node && keyId === 'peer') return nodeSecret;
      return undefined;
    },
    identity: parseUuid(serverIdentity),
    clusterId,
    nodeNumber: 3,
    generation: 7,
    bootNonce: new Uint8Array(8).fill(0xb7),
    random: randomFrom(2),
    ...changes,
  });
}

export function hello(client: ClientHandshake): Uint8Array {
  const out = new OutgoingBuffer();
  client.start(out);
  return out.bytes.slice(0, out.end);
}

/** What a side answers to one frame: its step, and the bytes that it sends. */
export interface Answer<Step> {
  readonly step: Step;
  readonly sent: Uint8Array;
}

export function toServer(server: ServerHandshake, frame: Uint8Array): Answer<ServerHandshakeStep> {
  const out = new OutgoingBuffer();
  const step = server.onFrame(frame, viewOf(frame), 0, frame.length, out);
  return { step, sent: out.bytes.slice(0, out.end) };
}

export function toClient(client: ClientHandshake, frame: Uint8Array): Answer<ClientHandshakeStep> {
  const out = new OutgoingBuffer();
  const step = client.onFrame(frame, viewOf(frame), 0, frame.length, out);
  return { step, sent: out.bytes.slice(0, out.end) };
}

/** The frames of a handshake that succeeds. */
export interface Recording {
  readonly hello: Uint8Array;
  readonly welcome: Uint8Array;
  readonly proof: Uint8Array;
  readonly ready: Uint8Array;
}

export interface Conversation extends Recording {
  readonly server: ServerHandshakeStep;
  readonly client: ClientHandshakeStep;
}

/** Lets both sides talk until one has ended; frames that were never sent are empty. */
export function converse(client: ClientHandshake, server: ServerHandshake): Conversation {
  const empty = new Uint8Array(0);
  const first = hello(client);
  const welcomed = toServer(server, first);
  const proved = toClient(client, welcomed.sent);
  if (proved.step.kind !== 'continue') {
    const told = proved.sent.length > 0 ? toServer(server, proved.sent).step : welcomed.step;
    return { hello: first, welcome: welcomed.sent, proof: empty, ready: empty, server: told, client: proved.step };
  }
  const judged = toServer(server, proved.sent);
  const ended = toClient(client, judged.sent);
  return {
    hello: first,
    welcome: welcomed.sent,
    proof: proved.sent,
    ready: judged.sent,
    server: judged.step,
    client: ended.step,
  };
}

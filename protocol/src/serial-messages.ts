import { BALLOT_BYTES, type Ballot, writeBallot } from './ballot.js';
import { BodyReader } from './body-reader.js';
import { decodeSerialState, encodeSerialState, type SerialState } from './serial-state.js';
import { STAMP_BYTES, writeStamp } from './stamp.js';

/**
 * Frames by which nodes decide about one key (PROTOCOL.md, "Rounds on a key").
 *
 * serialRead     u16 key bytes · 2 zero · key
 * serialPrepare  u16 key bytes · 2 zero · ballot · key
 * serialAccept   u16 key bytes · 2 zero · key · accepted ballot's counter and node as a stamp · serial state
 * answers        u8 1 refused · 3 zero · then refused: the ballot promised; serialRead and serialPrepare: stamp, serial state
 */
export interface SerialPrepare {
  readonly ballot: Ballot;
  readonly key: Uint8Array;
}

export interface SerialAccept {
  readonly key: Uint8Array;
  readonly proposal: SerialState;
}

/** What an acceptor answers: its state (nothing but that it has it now, for an Accept), or the ballot that is in the way. */
export type SerialAnswer =
  | { readonly kind: 'refused'; readonly promised: Ballot }
  | { readonly kind: 'state'; readonly state: SerialState }
  | { readonly kind: 'accepted' };

const ANSWER_HEADER_BYTES = 4;

export function encodeSerialRead(key: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + key.length);
  new DataView(bytes.buffer).setUint16(0, key.length, true);
  bytes.set(key, 4);
  return bytes;
}

export function decodeSerialRead(bytes: Uint8Array, view: DataView, start: number, end: number): Uint8Array {
  const body = new BodyReader('serialRead', bytes, view, start, end);
  const keyBytes = body.u16('key bytes');
  body.zeros(2);
  const key = body.bytes(keyBytes, 'key');
  body.finish();
  return key;
}

export function encodeSerialPrepare({ ballot, key }: SerialPrepare): Uint8Array {
  const bytes = new Uint8Array(4 + BALLOT_BYTES + key.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, key.length, true);
  writeBallot(view, 4, ballot);
  bytes.set(key, 4 + BALLOT_BYTES);
  return bytes;
}

export function decodeSerialPrepare(bytes: Uint8Array, view: DataView, start: number, end: number): SerialPrepare {
  const body = new BodyReader('serialPrepare', bytes, view, start, end);
  const keyBytes = body.u16('key bytes');
  body.zeros(2);
  const ballot = body.ballot();
  if (ballot.counter === 0) body.fail('prepare of no ballot');
  const key = body.bytes(keyBytes, 'key');
  body.finish();
  return { ballot, key };
}

export function encodeSerialAccept({ key, proposal }: SerialAccept): Uint8Array {
  const state = encodeSerialState(proposal);
  const bytes = new Uint8Array(4 + key.length + STAMP_BYTES + state.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, key.length, true);
  bytes.set(key, 4);
  writeStamp(view, 4 + key.length, proposal.accepted.counter, proposal.accepted.node);
  bytes.set(state, 4 + key.length + STAMP_BYTES);
  return bytes;
}

export function decodeSerialAccept(bytes: Uint8Array, view: DataView, start: number, end: number): SerialAccept {
  const body = new BodyReader('serialAccept', bytes, view, start, end);
  const keyBytes = body.u16('key bytes');
  body.zeros(2);
  const key = body.bytes(keyBytes, 'key');
  const proposal = readState(body, bytes, view, end);
  if (proposal.accepted.counter === 0) body.fail('accept of no ballot');
  return { key, proposal };
}

export function encodeSerialAnswer(answer: SerialAnswer): Uint8Array {
  switch (answer.kind) {
    case 'accepted':
      return new Uint8Array(ANSWER_HEADER_BYTES);
    case 'refused': {
      const bytes = new Uint8Array(ANSWER_HEADER_BYTES + BALLOT_BYTES);
      bytes[0] = 1;
      writeBallot(new DataView(bytes.buffer), ANSWER_HEADER_BYTES, answer.promised);
      return bytes;
    }
    case 'state': {
      const state = encodeSerialState(answer.state);
      const bytes = new Uint8Array(ANSWER_HEADER_BYTES + STAMP_BYTES + state.length);
      const { accepted } = answer.state;
      writeStamp(new DataView(bytes.buffer), ANSWER_HEADER_BYTES, accepted.counter, accepted.node);
      bytes.set(state, ANSWER_HEADER_BYTES + STAMP_BYTES);
      return bytes;
    }
  }
}

/** `hasState`: it answers a serialRead or a serialPrepare. */
export function decodeSerialAnswer(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  hasState: boolean,
): SerialAnswer {
  const body = new BodyReader('answer of an acceptor', bytes, view, start, end);
  const isRefused = body.flag('refused');
  body.zeros(3);
  if (isRefused) {
    const promised = body.ballot();
    body.finish();
    return { kind: 'refused', promised };
  }
  if (hasState) return { kind: 'state', state: readState(body, bytes, view, end) };
  body.finish();
  return { kind: 'accepted' };
}

function readState(body: BodyReader, bytes: Uint8Array, view: DataView, end: number): SerialState {
  const { counter, node } = body.stamp();
  return decodeSerialState(bytes, view, body.at, end, counter, node);
}

import { BALLOT_BYTES, type Ballot, writeBallot } from './ballot.js';
import { BodyReader } from './body-reader.js';

/**
 * Bodies of the frames by which nodes decide an epoch (PROTOCOL.md, "Epochs"):
 *
 * epochPrepare  0 u32 epoch to decide · 4 ballot
 *   reply       0 u8 1 refused · 1 u8 1 a value follows · 2 zero · 4 ballot promised · 20 with a value: the ballot it was
 *               accepted in · 36 the value, a topology
 * epochAccept   0 u32 epoch to decide · 4 ballot · 20 the value, a topology
 *   reply       0 u8 1 refused · 1 3 zero · 4 ballot promised
 */
const PREPARE_BYTES: number = 4 + BALLOT_BYTES;

/** A proposer asks a voter to be the highest, or with a value to take it. */
export interface EpochProposal {
  /** The epoch that is being decided. */
  readonly epoch: number;
  readonly ballot: Ballot;
}

/** A value that a voter took, as encoded topology. */
export interface EpochAccepted {
  readonly ballot: Ballot;
  readonly value: Uint8Array;
}

/** What a voter answers: whether it refused, and the highest ballot that it promised by then. */
export interface EpochAnswer {
  readonly isRefused: boolean;
  readonly promised: Ballot;
}

export function encodeEpochPrepare({ epoch, ballot }: EpochProposal): Uint8Array {
  return withProposal(epoch, ballot, PREPARE_BYTES);
}

export function encodeEpochAccept({ epoch, ballot }: EpochProposal, value: Uint8Array): Uint8Array {
  const body = withProposal(epoch, ballot, PREPARE_BYTES + value.length);
  body.set(value, PREPARE_BYTES);
  return body;
}

/** Reads an epochPrepare. Throws `ProtocolError` when it is malformed. */
export function decodeEpochPrepare(bytes: Uint8Array, view: DataView, start: number, end: number): EpochProposal {
  const reader = new BodyReader('epochPrepare', bytes, view, start, end);
  const proposal = { epoch: reader.u32('epoch'), ballot: reader.ballot() };
  reader.finish();
  return proposal;
}

/** Reads an epochAccept; `value` is a copy. Throws `ProtocolError` when it is malformed. */
export function decodeEpochAccept(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): EpochProposal & { readonly value: Uint8Array } {
  const reader = new BodyReader('epochAccept', bytes, view, start, end);
  const proposal = { epoch: reader.u32('epoch'), ballot: reader.ballot() };
  return { ...proposal, value: reader.bytes(end - reader.at, 'value') };
}

export function encodeEpochPromise(answer: EpochAnswer, accepted: EpochAccepted | undefined): Uint8Array {
  const body = withAnswer(answer, accepted === undefined ? 0 : BALLOT_BYTES + accepted.value.length);
  if (accepted === undefined) return body;
  body[1] = 1;
  writeBallot(new DataView(body.buffer), PREPARE_BYTES, accepted.ballot);
  body.set(accepted.value, PREPARE_BYTES + BALLOT_BYTES);
  return body;
}

export function encodeEpochAcceptance(answer: EpochAnswer): Uint8Array {
  return withAnswer(answer, 0);
}

/** Reads the reply to an epochPrepare. Throws `ProtocolError` when it is malformed. */
export function decodeEpochPromise(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): EpochAnswer & { readonly accepted: EpochAccepted | undefined } {
  const reader = new BodyReader('answer to epochPrepare', bytes, view, start, end);
  const isRefused = reader.flag('refused');
  const hasValue = reader.flag('value');
  reader.zeros(2);
  const promised = reader.ballot();
  if (!hasValue) {
    reader.finish();
    return { isRefused, promised, accepted: undefined };
  }
  const ballot = reader.ballot();
  return { isRefused, promised, accepted: { ballot, value: reader.bytes(end - reader.at, 'value') } };
}

/** Reads the reply to an epochAccept. Throws `ProtocolError` when it is malformed. */
export function decodeEpochAcceptance(bytes: Uint8Array, view: DataView, start: number, end: number): EpochAnswer {
  const reader = new BodyReader('answer to epochAccept', bytes, view, start, end);
  const isRefused = reader.flag('refused');
  reader.zeros(3);
  const promised = reader.ballot();
  reader.finish();
  return { isRefused, promised };
}

function withProposal(epoch: number, ballot: Ballot, length: number): Uint8Array {
  const body = new Uint8Array(length);
  const view = new DataView(body.buffer);
  view.setUint32(0, epoch, true);
  writeBallot(view, 4, ballot);
  return body;
}

function withAnswer({ isRefused, promised }: EpochAnswer, more: number): Uint8Array {
  const body = new Uint8Array(PREPARE_BYTES + more);
  body[0] = isRefused ? 1 : 0;
  writeBallot(new DataView(body.buffer), 4, promised);
  return body;
}

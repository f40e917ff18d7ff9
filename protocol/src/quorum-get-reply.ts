import { BodyReader } from './body-reader.js';
import { encodeErrorBody } from './error-body.js';
import { type MemDbError, ProtocolError } from './errors.js';
import { FRAME_HEADER_BYTES, writeFrameHeader } from './frame.js';
import { Flag, Opcode } from './opcodes.js';
import type { OutgoingBuffer } from './outgoing-buffer.js';
import { STAMP_BYTES, type WireStamp, writeStamp } from './stamp.js';
import { appendLengthAndBytes, appendStamp } from './wire-bytes.js';

/** What one replica answered. `same` is the winner's version, value and all. */
export type QuorumGetResponse =
  | { readonly node: number; readonly kind: 'same' }
  | { readonly node: number; readonly kind: 'value'; readonly stamp: WireStamp; readonly bytes: Uint8Array }
  | { readonly node: number; readonly kind: 'absent'; readonly stamp: WireStamp }
  | { readonly node: number; readonly kind: 'error'; readonly error: MemDbError };

/** The winner is the newest version among the answers: its stamp, and its value unless it is an absence. */
export interface QuorumGetReply {
  /** Every replica that was asked for holds the winner. */
  readonly agreed: boolean;
  readonly stamp: WireStamp;
  readonly value: Uint8Array | undefined;
  readonly responses: readonly QuorumGetResponse[];
}

const SAME = 0;
const VALUE = 1;
const ABSENT = 2;
const ERROR = 3;

/** Writes the reply to a quorumGet (PROTOCOL.md, "quorumGet"). */
export function writeQuorumGetReply(
  out: OutgoingBuffer,
  correlation: number,
  counter: number,
  epoch: number,
  reply: QuorumGetReply,
): void {
  const at = out.reserve(FRAME_HEADER_BYTES + 4 + STAMP_BYTES + 4);
  const body = at + FRAME_HEADER_BYTES;
  const valueBytes = reply.value?.length ?? 0;
  out.view.setUint8(body, reply.agreed ? 1 : 0);
  out.view.setUint8(body + 1, reply.value === undefined ? 1 : 0);
  out.view.setUint16(body + 2, reply.responses.length, true);
  writeStamp(out.view, body + 4, reply.stamp.counter, reply.stamp.node);
  out.view.setUint32(body + 4 + STAMP_BYTES, valueBytes, true);
  if (reply.value !== undefined) out.append(reply.value);
  for (const response of reply.responses) writeResponse(out, response);
  const bodyBytes = out.end - body;
  writeFrameHeader(out.view, at, bodyBytes, Opcode.quorumGet, Flag.reply, correlation, 0, counter, epoch);
}

function writeResponse(out: OutgoingBuffer, response: QuorumGetResponse): void {
  const at = out.reserve(4);
  out.view.setUint16(at, response.node, true);
  switch (response.kind) {
    case 'same':
      out.view.setUint16(at + 2, SAME, true);
      return;
    case 'value':
      out.view.setUint16(at + 2, VALUE, true);
      appendStamp(out, response.stamp);
      appendLengthAndBytes(out, response.bytes);
      return;
    case 'absent':
      out.view.setUint16(at + 2, ABSENT, true);
      appendStamp(out, response.stamp);
      return;
    case 'error':
      out.view.setUint16(at + 2, ERROR, true);
      out.append(encodeErrorBody(response.error));
      return;
  }
}

/** Reads the quorumGet reply `[frame, end)`; values are copies. Throws ProtocolError. */
export function decodeQuorumGetReply(bytes: Uint8Array, view: DataView, frame: number, end: number): QuorumGetReply {
  if (end - frame < FRAME_HEADER_BYTES) throw new ProtocolError('bad-request', frame, 'quorumGet reply is cut');
  const reader = new BodyReader('quorumGet reply', bytes, view, frame + FRAME_HEADER_BYTES, end);
  const agreed = reader.u8('agreed');
  const absent = reader.u8('kind of the winner');
  if (agreed > 1 || absent > 1) reader.fail(`agreed ${agreed}, kind of the winner ${absent}`);
  const count = reader.u16('number of responses');
  const stamp = reader.stamp();
  const valueBytes = reader.u32('length of the winner');
  if (absent === 1 && valueBytes > 0) reader.fail('an absent winner with a value');
  const winner = reader.bytes(valueBytes, 'winner');
  const responses: QuorumGetResponse[] = [];
  for (let index = 0; index < count; index++) responses.push(readResponse(reader));
  reader.finish();
  return { agreed: agreed === 1, stamp, value: absent === 1 ? undefined : winner, responses };
}

function readResponse(reader: BodyReader): QuorumGetResponse {
  const node = reader.u16('node number');
  const kind = reader.u8('kind of a response');
  reader.zeros(1);
  switch (kind) {
    case SAME:
      return { node, kind: 'same' };
    case VALUE: {
      const stamp = reader.stamp();
      return { node, kind: 'value', stamp, bytes: reader.bytes(reader.u32('length of a value'), 'value') };
    }
    case ABSENT:
      return { node, kind: 'absent', stamp: reader.stamp() };
    case ERROR:
      return { node, kind: 'error', error: reader.error() };
    default:
      return reader.fail(`response of kind ${kind}`);
  }
}

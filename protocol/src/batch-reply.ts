import { BodyReader } from './body-reader.js';
import { encodeErrorBody } from './error-body.js';
import { type MemDbError, ProtocolError } from './errors.js';
import { FRAME_HEADER_BYTES, writeFrameHeader } from './frame.js';
import { BATCH_ITEMS_MAX } from './limits.js';
import { Flag, Opcode } from './opcodes.js';
import type { OutgoingBuffer } from './outgoing-buffer.js';
import type { WireStamp } from './stamp.js';
import { appendLengthAndBytes, appendStamp } from './wire-bytes.js';

/** What became of one item: `value` and `absent` answer a getMany, `stored` a setMany, `error` both. */
export type BatchItem =
  | { readonly kind: 'value'; readonly stamp: WireStamp; readonly bytes: Uint8Array }
  | { readonly kind: 'stored'; readonly stamp: WireStamp }
  | { readonly kind: 'absent'; readonly stamp: WireStamp }
  | { readonly kind: 'error'; readonly error: MemDbError };

const DONE = 0;
const ABSENT = 1;
const ERROR = 2;

/** Writes the reply to a getMany or setMany; items stand in the order of the request. */
export function writeBatchReply(
  out: OutgoingBuffer,
  opcode: typeof Opcode.getMany | typeof Opcode.setMany,
  correlation: number,
  counter: number,
  epoch: number,
  items: readonly BatchItem[],
): void {
  const at = out.reserve(FRAME_HEADER_BYTES + 4);
  out.view.setUint32(at + FRAME_HEADER_BYTES, items.length, true);
  for (const item of items) writeItem(out, item);
  const bodyBytes = out.end - at - FRAME_HEADER_BYTES;
  writeFrameHeader(out.view, at, bodyBytes, opcode, Flag.reply, correlation, 0, counter, epoch);
}

function writeItem(out: OutgoingBuffer, item: BatchItem): void {
  const at = out.reserve(4);
  switch (item.kind) {
    case 'value':
      out.view.setUint32(at, DONE, true);
      appendStamp(out, item.stamp);
      appendLengthAndBytes(out, item.bytes);
      return;
    case 'stored':
    case 'absent':
      out.view.setUint32(at, item.kind === 'stored' ? DONE : ABSENT, true);
      appendStamp(out, item.stamp);
      return;
    case 'error':
      out.view.setUint32(at, ERROR, true);
      out.append(encodeErrorBody(item.error));
      return;
  }
}

/** Reads the getMany or setMany reply `[frame, end)`; values are copies. Throws ProtocolError. */
export function decodeBatchReply(
  bytes: Uint8Array,
  view: DataView,
  frame: number,
  end: number,
  opcode: number,
): BatchItem[] {
  if (end - frame < FRAME_HEADER_BYTES) throw new ProtocolError('bad-request', frame, 'batch reply is cut');
  const reader = new BodyReader('batch reply', bytes, view, frame + FRAME_HEADER_BYTES, end);
  const count = reader.u16('number of items');
  reader.zeros(2);
  if (count > BATCH_ITEMS_MAX) reader.fail(`${count} items, at most ${BATCH_ITEMS_MAX} are accepted`);
  const items: BatchItem[] = [];
  for (let index = 0; index < count; index++) items.push(readItem(reader, opcode));
  reader.finish();
  return items;
}

function readItem(reader: BodyReader, opcode: number): BatchItem {
  const kind = reader.u8('kind of an item');
  reader.zeros(3);
  switch (kind) {
    case DONE: {
      const stamp = reader.stamp();
      if (opcode === Opcode.setMany) return { kind: 'stored', stamp };
      return { kind: 'value', stamp, bytes: reader.bytes(reader.u32('length of a value'), 'value') };
    }
    case ABSENT:
      return { kind: 'absent', stamp: reader.stamp() };
    case ERROR:
      return { kind: 'error', error: reader.error() };
    default:
      return reader.fail(`item of kind ${kind}`);
  }
}

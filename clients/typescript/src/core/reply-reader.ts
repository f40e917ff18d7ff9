import {
  checkStampReply,
  decodeTopology,
  Flag,
  FRAME_HEADER_BYTES,
  parseSeed,
  replyValueStart,
  type WireTopology,
} from '@memdb/protocol';
import { Form } from './operation.js';
import { readQuorumResult } from './quorum-result.js';
import { ownCopy, readText } from './text.js';

/**
 * What the reply frame `bytes[frame, end)` says, as the operation's form wants it. Throws ProtocolError or
 * MemDbError for a body that makes no sense. Hot for the forms of one key.
 */
export function readReply(
  form: Form,
  bytes: Uint8Array,
  view: DataView,
  frame: number,
  end: number,
  flags: number,
): unknown {
  switch (form) {
    case Form.text:
    case Form.bytes: {
      const isAbsent = (flags & Flag.absent) !== 0;
      checkStampReply(view, frame, end, isAbsent);
      if (isAbsent) return undefined;
      const start = replyValueStart(frame);
      return form === Form.text ? readText(bytes, start, end) : ownCopy(bytes, start, end);
    }
    case Form.nothing:
      checkStampReply(view, frame, end, true);
      return undefined;
    case Form.presence:
      checkStampReply(view, frame, end, true);
      return (flags & Flag.absent) === 0;
    case Form.quorum:
      return readQuorumResult(bytes, view, frame, end);
    case Form.topology:
      return readTopology(bytes, view, frame + FRAME_HEADER_BYTES, end);
    default:
      return undefined;
  }
}

/** A topology whose nodes can all be dialled. */
function readTopology(bytes: Uint8Array, view: DataView, start: number, end: number): WireTopology {
  const topology = decodeTopology(bytes, view, start, end);
  for (const { address } of topology.nodes) parseSeed(address);
  return topology;
}

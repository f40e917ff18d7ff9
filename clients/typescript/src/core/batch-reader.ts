import { type BatchItem, decodeBatchReply, type MemDbError, ProtocolError } from '@memdb/protocol';
import type { BatchKind, BatchPart } from './batch.js';
import { Form } from './operation.js';
import { readReply } from './reply-reader.js';
import { readText } from './text.js';

/** What one key of a batch was answered; `value` counts where there is no `error`. */
export interface BatchAnswer {
  readonly value: unknown;
  readonly error: MemDbError | undefined;
}

const formOf = { text: Form.text, bytes: Form.bytes, set: Form.nothing } as const;

/**
 * Reads the reply frame `bytes[frame, end)` to a part of a batch: one answer for each of its keys, in their order.
 * Throws ProtocolError before anything of a broken reply was used.
 */
export function readBatchAnswers(
  part: BatchPart,
  opcode: number,
  bytes: Uint8Array,
  view: DataView,
  frame: number,
  end: number,
  flags: number,
): BatchAnswer[] {
  const { kind } = part.batch;
  if (part.isAlone) return [{ value: readReply(formOf[kind], bytes, view, frame, end, flags), error: undefined }];
  const items = decodeBatchReply(bytes, view, frame, end, opcode);
  if (items.length !== part.indexes.length) {
    throw new ProtocolError('bad-request', frame, `${items.length} items answer a batch of ${part.indexes.length}`);
  }
  return items.map((item) => answerOf(item, kind));
}

function answerOf(item: BatchItem, kind: BatchKind): BatchAnswer {
  switch (item.kind) {
    case 'value': {
      const { bytes } = item;
      return { value: kind === 'text' ? readText(bytes, 0, bytes.length) : bytes, error: undefined };
    }
    case 'stored':
    case 'absent':
      return { value: undefined, error: undefined };
    case 'error':
      return { value: undefined, error: item.error };
  }
}

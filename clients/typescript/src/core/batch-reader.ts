import { BodyReader, FRAME_HEADER_BYTES, type MemDbError, STAMP_BYTES } from '@memdb/protocol';
import type { BatchKind, BatchPart } from './batch.js';
import { Form } from './operation.js';
import { readReply } from './reply-reader.js';
import { ownCopy, readText } from './text.js';

/** Kinds of an item in a getMany or setMany reply (PROTOCOL.md, "Batch replies"). */
const ItemKind = { done: 0, absent: 1, error: 2 } as const;

/** What one key of a batch was answered; `value` counts where there is no `error`. */
export interface BatchAnswer {
  readonly value: unknown;
  readonly error: MemDbError | undefined;
}

const NOTHING: BatchAnswer = { value: undefined, error: undefined };

const formOf = { text: Form.text, bytes: Form.bytes, set: Form.nothing } as const;

/**
 * Reads the reply frame `bytes[frame, end)` to a part of a batch: one answer for each of its keys, in their order.
 * Values are read where they lie: the protocol's own `decodeBatchReply` copies each of them first.
 * Throws ProtocolError before anything of a broken reply was used.
 */
export function readBatchAnswers(
  part: BatchPart,
  bytes: Uint8Array,
  view: DataView,
  frame: number,
  end: number,
  flags: number,
): BatchAnswer[] {
  const { kind } = part.batch;
  if (part.isAlone) return [{ value: readReply(formOf[kind], bytes, view, frame, end, flags), error: undefined }];
  const body = new BodyReader('batch reply', bytes, view, frame + FRAME_HEADER_BYTES, end);
  const count = body.u16('number of items');
  body.zeros(2);
  if (count !== part.indexes.length) body.fail(`${count} items answer a batch of ${part.indexes.length}`);
  const answers: BatchAnswer[] = [];
  for (let at = 0; at < count; at++) answers.push(readAnswer(body, kind, bytes));
  body.finish();
  return answers;
}

function readAnswer(body: BodyReader, kind: BatchKind, bytes: Uint8Array): BatchAnswer {
  const itemKind = body.u8('kind of an item');
  body.zeros(3);
  switch (itemKind) {
    case ItemKind.done: {
      body.skip(STAMP_BYTES, 'stamp');
      if (kind === 'set') return NOTHING;
      const length = body.u32('length of a value');
      const start = body.skip(length, 'value');
      const read = kind === 'text' ? readText : ownCopy;
      return { value: read(bytes, start, start + length), error: undefined };
    }
    case ItemKind.absent:
      body.skip(STAMP_BYTES, 'stamp');
      return NOTHING;
    case ItemKind.error:
      return { value: undefined, error: body.error() };
    default:
      return body.fail(`item of kind ${itemKind}`);
  }
}

import {
  FRAME_HEADER_BYTES,
  Opcode,
  ProtocolError,
  STREAM_RUN_HEADER_BYTES,
  writeStreamRunHeader,
} from '@memdb/protocol';
import test from 'ava';
import { RECORD_HEADER_BYTES, RecordKind, writeRecordHeader } from '../../src/model/record.js';
import { InboundStream } from '../../src/replication/inbound-stream.js';
import { ReplySink, testReplies } from '../harness/reply-sink.js';
import { StorageWorld } from '../harness/storage-world.js';

/** It threw a StorageError out of the socket's callback: one flipped bit at a sender ended every receiver's process. */
test('a run whose checksums do not match ends the connection that brought it, not the node', (t) => {
  const world = new StorageWorld(1);
  const sink = new ReplySink();
  const stream = new InboundStream(world.store, testReplies(), sink);
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + STREAM_RUN_HEADER_BYTES + RECORD_HEADER_BYTES + 4);
  const view = new DataView(bytes.buffer);
  view.setUint8(5, Opcode.streamRun);
  writeStreamRunHeader(view, FRAME_HEADER_BYTES, 1, 1, 4096, 0, 1);
  const record = FRAME_HEADER_BYTES + STREAM_RUN_HEADER_BYTES;
  writeRecordHeader(view, record, RecordKind.value, RECORD_HEADER_BYTES + 4, 4, 10, 2, 0);
  t.throws(() => stream.onRun(0, bytes, view, 0, bytes.length), { instanceOf: ProtocolError });
  t.is(world.store.lastLsn, 0);
});

import {
  FRAME_HEADER_BYTES,
  Opcode,
  ProtocolError,
  VERSION_HEADER_BYTES,
  writeFrame,
  writeStamp,
} from '@memdb/protocol';
import test from 'ava';
import { RecordKind } from '../../src/model/record.js';
import { HeldReplies } from '../../src/replication/held-replies.js';
import { Replica } from '../../src/replication/replica.js';
import { viewOf, written } from '../harness/protocol-frames.js';
import { ReplySink, testReplies } from '../harness/reply-sink.js';
import { StorageWorld } from '../harness/storage-world.js';

/**
 * Found by `npm run fuzz -- --target peer --seed 1`. One flipped bit of a repair was stored as a stamp far above every
 * clock: the purge of tombstones met it and ended the node. Above 2^53 it wrote a record that no start could read.
 */
test('a repair with a stamp above the clock of its sender is refused, and nothing is stored', (t) => {
  const world = new StorageWorld(1);
  world.untilRoom();
  const replies = testReplies();
  const replica = new Replica(world.store, replies, new HeldReplies(replies), 7);
  const sink = new ReplySink();
  const repair = (counter: number): Uint8Array => {
    const body = new Uint8Array(VERSION_HEADER_BYTES + 4);
    const view = viewOf(body);
    view.setUint8(0, RecordKind.value);
    view.setUint16(2, 1, true);
    writeStamp(view, 4, counter, 2);
    return written((out) => writeFrame(out, Opcode.repair, 0, 7, 100, 1000, 1, body));
  };
  for (const counter of [1001, 2 ** 40, 2 ** 53 + 2 ** 60]) {
    const frame = repair(counter);
    t.throws(() => replica.repair(sink, frame, viewOf(frame), 0, frame.length), { instanceOf: ProtocolError });
  }
  t.is(world.store.lastLsn, 0);
  const frame = repair(1000);
  t.is(frame.length, FRAME_HEADER_BYTES + VERSION_HEADER_BYTES + 4);
  replica.repair(sink, frame, viewOf(frame), 0, frame.length);
  t.is(world.store.lastLsn, 1);
});

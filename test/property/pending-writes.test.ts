import test from 'ava';
import fc from 'fast-check';
import { PendingWrites } from '../../src/replication/pending-writes.js';
import { Segment } from '../../src/storage/segment.js';
import { ReplySink } from '../harness/reply-sink.js';

test('the ring of pending writes agrees with a plain list, across growth and wrap-around', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -4, max: 6 }), { maxLength: 800, size: 'max' }), (moves) => {
      const queue = new PendingWrites();
      const list: number[] = [];
      const segment = new Segment(1, 1, new ArrayBuffer(64), 1);
      const sink = new ReplySink();
      let lsn = 0;
      for (const move of moves) {
        for (let count = 0; count < move * 20; count++) {
          lsn += 1 + (count % 3);
          queue.push(lsn, sink, 0x11, lsn % 1000, lsn * 2, lsn * 3, 7, segment, lsn);
          list.push(lsn);
        }
        for (let count = 0; count < -move * 20 && list.length > 0; count++) {
          if (queue.lsn(queue.headSlot) !== list[0]) return false;
          queue.pop();
          list.shift();
        }
        if (queue.size !== list.length) return false;
        for (const wanted of list.slice(0, 3)) {
          const slot = queue.find(wanted);
          if (slot === -1 || queue.counter(slot) !== wanted * 2 || queue.deadlineMs(slot) !== wanted * 3) return false;
        }
        if (queue.find(lsn + 1) !== -1) return false;
      }
      return true;
    }),
    { numRuns: 50 },
  );
  t.pass();
});

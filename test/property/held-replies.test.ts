import test from 'ava';
import fc from 'fast-check';
import { HeldReplies } from '../../src/replication/held-replies.js';
import { ReplySink, testReplies } from '../harness/reply-sink.js';

test('a held reply leaves exactly when its record is durable, whole and in order', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ step: fc.nat(3), bytes: fc.uint8Array({ maxLength: 300 }), durable: fc.nat(4) }), {
        minLength: 1,
        maxLength: 3000,
        size: 'max',
      }),
      (steps) => {
        const replies = testReplies();
        const held = new HeldReplies(replies);
        const sink = new ReplySink();
        const expected: { correlation: number; lsn: number; body: Uint8Array }[] = [];
        let lsn = 0;
        let durable = 0;
        for (const [correlation, step] of steps.entries()) {
          lsn += step.step;
          sink.inflight++;
          const at = held.begin(lsn, sink, 1, 0, correlation, step.bytes.length);
          held.out.bytes.set(step.bytes, at);
          expected.push({ correlation, lsn, body: step.bytes });
          durable = Math.min(lsn, durable + step.durable);
          held.onDurable(durable);
          replies.flush();
          const due = expected.filter((entry) => entry.lsn <= durable).length;
          if (sink.received.length !== due) return false;
        }
        held.onDurable(lsn);
        replies.flush();
        t.is(sink.inflight, 0);
        return sink.received.every((reply, index) => {
          const want = expected[index];
          return reply.correlation === want.correlation && Buffer.compare(reply.body, want.body) === 0;
        });
      },
    ),
    { numRuns: 30 },
  );
  t.pass();
});

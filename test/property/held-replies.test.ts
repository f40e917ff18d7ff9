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
          const at = held.begin(lsn, Number.POSITIVE_INFINITY, sink, 1, 0, correlation, step.bytes.length);
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

test('a held reply whose deadline passes is answered once, with a timeout, and the others leave when they are due', (t) => {
  const replies = testReplies();
  const held = new HeldReplies(replies);
  const sink = new ReplySink();
  sink.inflight = 3;
  const deadlines = [Number.POSITIVE_INFINITY, 100, 200];
  for (const [correlation, deadlineMs] of deadlines.entries()) {
    const at = held.begin(5, deadlineMs, sink, 1, 0, correlation, 1);
    held.out.bytes[at] = 7;
  }
  held.expire(99);
  replies.flush();
  t.is(sink.received.length, 0);
  held.expire(150);
  held.expire(160);
  replies.flush();
  t.deepEqual(
    sink.received.map(({ correlation }) => correlation),
    [1],
  );
  t.regex(Buffer.from(sink.received[0].body).toString(), /did not take/);
  held.onDurable(5);
  held.expire(1000);
  replies.flush();
  t.deepEqual(
    sink.received.map(({ correlation }) => correlation),
    [1, 0, 2],
  );
  t.deepEqual([...sink.received[2].body], [7]);
  t.is(sink.inflight, 0);
});

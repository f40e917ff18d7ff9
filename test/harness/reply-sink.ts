import { FRAME_HEADER_BYTES, frameBytes, frameCorrelation, OutgoingBuffer } from '@memdb/protocol';
import { LamportClock } from '../../src/model/lamport-clock.js';
import { Turn } from '../../src/ports/turn.js';
import { Replies, type ReplyTarget } from '../../src/replication/replies.js';

/** A connection that keeps the replies it was given. */
export class ReplySink implements ReplyTarget {
  readonly out: OutgoingBuffer = new OutgoingBuffer();
  inflight = 0;
  closed = false;
  dirty = false;
  readonly saturated = false;
  readonly session: object = this;
  readonly received: { correlation: number; body: Uint8Array }[] = [];

  flush(): void {
    for (let at = 0; at < this.out.end; at += frameBytes(this.out.view, at)) {
      const body = this.out.bytes.slice(at + FRAME_HEADER_BYTES, at + frameBytes(this.out.view, at));
      this.received.push({ correlation: frameCorrelation(this.out.view, at), body });
    }
    this.out.clear();
  }
}

/** Replies on a clock and a turn that the test ends by `flush`. */
export function testReplies(): Replies {
  const lamport = new LamportClock({ start: 0, lease: (_mark, done) => done() });
  const turn = new Turn(
    { start: () => ({}), stop: () => {}, endOfTurn: () => {} },
    { monotonicMs: () => 1, wallMs: () => 1 },
  );
  return new Replies(
    lamport,
    turn,
    () => 1,
    () => 1,
  );
}

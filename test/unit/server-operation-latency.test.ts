import { Consistency, Opcode } from '@memdb/protocol';
import test from 'ava';
import type { ReplyTarget } from '../../src/replication/replies.js';
import { OperationLatency } from '../../src/server/operation-latency.js';
import { NullTelemetry } from '../harness/null-telemetry.js';

class Kept extends NullTelemetry {
  readonly seen: [object, number][] = [];
  readonly lines: string[] = [];

  override log(_level?: unknown, event?: string): void {
    this.lines.push(event ?? '');
  }

  override histogram(_name?: string, _help?: string, labels: object = {}): { observe: (seconds: number) => void } {
    return { observe: (seconds) => void this.seen.push([labels, seconds]) };
  }
}

test('one operation in 64 is timed, and answered through its connection as if it were not', (t) => {
  let nowMs = 0;
  const telemetry = new Kept();
  const latency = new OperationLatency({ monotonicMs: () => nowMs, wallMs: () => 0 }, telemetry, 100);
  const due = Array.from({ length: 640 }, () => latency.isDue()).filter((yes) => yes);
  t.is(due.length, 10);

  const target = { inflight: 2, dirty: false, closed: false, saturated: false } as ReplyTarget;
  const watched = latency.watch(target, Opcode.get, Consistency.quorum, 0xcafe, 'coordinated');
  watched.dirty = true;
  nowMs = 3;
  watched.inflight--;
  t.deepEqual([target.inflight, target.dirty], [1, true]);
  t.deepEqual(telemetry.seen, [[{ operation: 'get', consistency: 'quorum' }, 0.003]]);
  t.deepEqual(telemetry.lines, []);
});

test('slow operations of the sample are logged, so many a second', (t) => {
  let nowMs = 1000;
  const telemetry = new Kept();
  const latency = new OperationLatency({ monotonicMs: () => nowMs, wallMs: () => 0 }, telemetry, 100);
  for (let operation = 0; operation < 50; operation++) {
    const target = { inflight: 1 } as ReplyTarget;
    const watched = latency.watch(target, Opcode.set, Consistency.all, 1, 'forwarded');
    nowMs += 100;
    watched.inflight--;
    nowMs -= 100;
  }
  t.is(telemetry.seen.length, 50);
  t.deepEqual(telemetry.lines, new Array(10).fill('slow-operation'));
});

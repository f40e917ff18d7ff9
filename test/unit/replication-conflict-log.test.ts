import test from 'ava';
import { CONFLICT_VALUE_BYTES_MAX, CONFLICTS_KEPT, CONFLICTS_PER_SECOND_MAX } from '../../src/model/limits.js';
import { RecordKind } from '../../src/model/record.js';
import type { Turn } from '../../src/ports/turn.js';
import { ConflictLog, type VersionBytes } from '../../src/replication/conflict-log.js';

function version(counter: number, text: string, kind: number = RecordKind.value): VersionBytes {
  const bytes = new Uint8Array(Buffer.from(`..${text}`));
  return { counter, node: 1, kind, bytes, valueStart: 2, valueLength: text.length };
}

const key = new Uint8Array(Buffer.from('-key-'));

test('both versions of a conflict are kept as copies, and a deletion has no value', (t) => {
  const log = new ConflictLog({ nowMs: 5000, wallMs: 9 } as Turn);
  const winner = version(8, 'new');
  log.note(key, 1, 3, winner, version(7, 'old', RecordKind.tombstone));
  winner.bytes.fill(0);
  const [conflict] = log.list();
  t.is(Buffer.from(conflict?.key ?? []).toString(), 'key');
  t.is(Buffer.from(conflict?.winner.value ?? []).toString(), 'new');
  t.deepEqual(conflict?.loser, { counter: 7, node: 1, value: undefined, valueBytes: 0 });
  t.is(conflict?.atMs, 9);
});

test('what is kept has a bound in number, bytes and rate, and the newest comes first', (t) => {
  const turn = { nowMs: 0, wallMs: 0 };
  const log = new ConflictLog(turn as Turn);
  let noted = 0;
  for (let second = 1; second <= 10; second++) {
    turn.nowMs = second * 1000;
    for (let attempt = 0; attempt < 100; attempt++) {
      if (!log.takesMore()) continue;
      log.note(key, 0, 5, version(++noted, 'x'.repeat(1000)), version(0, 'y'));
    }
  }
  t.is(noted, 10 * CONFLICTS_PER_SECOND_MAX);
  const list = log.list();
  t.is(list.length, CONFLICTS_KEPT);
  t.is(list[0]?.winner.counter, noted);
  t.is(list[0]?.winner.value?.length, CONFLICT_VALUE_BYTES_MAX);
  t.is(list[0]?.winner.valueBytes, 1000);
});

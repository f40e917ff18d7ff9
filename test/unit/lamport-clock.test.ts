import test from 'ava';
import {
  CLIENT_COUNTER_JUMP_MAX,
  CLIENT_COUNTER_MAX,
  LamportClock,
  LEASE_AHEAD,
} from '../../src/model/lamport-clock.js';

function leased(start: number): { clock: LamportClock; marks: number[]; grant: () => void } {
  const marks: number[] = [];
  let granted: (() => void) | undefined;
  const clock = new LamportClock({
    start,
    lease: (mark, done) => {
      marks.push(mark);
      granted = done;
    },
  });
  return {
    clock,
    marks,
    grant: () => {
      const done = granted;
      granted = undefined;
      done?.();
    },
  };
}

test('no stamp is given before the mark above it is durable', (t) => {
  const { clock, grant } = leased(100);
  t.is(clock.next(0), 0);
  t.false(clock.leased);
  grant();
  t.is(clock.next(0), 101);
});

test('stamps strictly increase, above all that was seen and asked for', (t) => {
  const { clock, grant } = leased(0);
  clock.extend();
  grant();
  const first = clock.next(0);
  clock.observe(500);
  const second = clock.next(10);
  const third = clock.next(900);
  t.true(first < second && second > 500 && third > 900);
});

test('a restart begins at the mark, which is above every stamp the last run gave', (t) => {
  const { clock, marks, grant } = leased(7);
  clock.extend();
  grant();
  let last = 0;
  for (let index = 0; index < 1000; index++) last = clock.next(0);
  const restarted = leased(marks[0]);
  restarted.clock.extend();
  restarted.grant();
  t.true(restarted.clock.next(0) > last);
});

test('the lease is extended well before it is used up', (t) => {
  const { clock, marks, grant } = leased(0);
  clock.extend();
  grant();
  clock.next(LEASE_AHEAD / 2 + 1);
  t.is(marks.length, 2);
  t.true(clock.next(0) > 0);
});

test('a jump beyond the lease refuses stamps until the new mark is durable', (t) => {
  const { clock, grant } = leased(0);
  clock.extend();
  grant();
  clock.observe(LEASE_AHEAD * 3);
  t.is(clock.next(0), 0);
  grant();
  t.is(clock.next(0), LEASE_AHEAD * 3 + 1);
});

test('a client cannot move the clock beyond 2^52 or by more than 2^32 at a time', (t) => {
  const { clock } = leased(1000);
  t.true(clock.observeClient(1000 + CLIENT_COUNTER_JUMP_MAX));
  t.false(clock.observeClient(1001 + 2 * CLIENT_COUNTER_JUMP_MAX));
  t.is(clock.current, 1000 + CLIENT_COUNTER_JUMP_MAX);
  const high = leased(CLIENT_COUNTER_MAX - 10).clock;
  t.false(high.observeClient(CLIENT_COUNTER_MAX));
  t.true(high.observeClient(CLIENT_COUNTER_MAX - 1));
});

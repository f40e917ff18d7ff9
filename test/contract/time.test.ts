import test, { type ExecutionContext } from 'ava';
import { CONTRACT_WORLDS, type ContractWorld } from './contract-world.js';

for (const [name, make] of CONTRACT_WORLDS.filter(([name]) => name !== 'real, plain reads')) {
  const promise = (title: string, body: (world: ContractWorld, t: ExecutionContext) => Promise<void>) => {
    test.serial(`${name}: ${title}`, async (t) => {
      const world = make();
      t.teardown(() => world.dispose());
      await body(world, t);
    });
  };

  promise('timers fire once, in the order of their delays, never early', async ({ timers, clock, until }, t) => {
    const fired: number[] = [];
    const startMs = clock.monotonicMs();
    for (const delayMs of [40, 0, 20, 10.5, 30]) {
      timers.start(delayMs, () => {
        t.true(clock.monotonicMs() >= startMs + delayMs);
        fired.push(delayMs);
      });
    }
    await until(() => fired.length === 5);
    t.deepEqual(fired, [0, 10.5, 20, 30, 40]);
  });

  promise('timers of one delay fire in the order in which they were started', async ({ timers, until }, t) => {
    const fired: number[] = [];
    for (let index = 0; index < 20; index++) timers.start(5, () => fired.push(index));
    await until(() => fired.length === 20);
    t.deepEqual(fired, [...fired.keys()]);
  });

  promise(
    'a stopped timer does not fire, and stopping twice or too late does nothing',
    async ({ timers, until }, t) => {
      const fired: string[] = [];
      const stopped = timers.start(5, () => fired.push('stopped'));
      const kept = timers.start(5, () => fired.push('kept'));
      timers.stop(stopped);
      timers.stop(stopped);
      timers.start(20, () => fired.push('later'));
      await until(() => fired.includes('later'));
      timers.stop(kept);
      t.deepEqual(fired, ['kept', 'later']);
    },
  );

  promise('a timer may stop one that is due at the same moment', async ({ timers, until }, t) => {
    const fired: string[] = [];
    timers.start(5, () => {
      fired.push('first');
      timers.stop(second);
    });
    const second = timers.start(5, () => fired.push('second'));
    timers.start(20, () => fired.push('later'));
    await until(() => fired.includes('later'));
    t.deepEqual(fired, ['first', 'later']);
  });

  promise(
    'the end of a turn comes behind the event that asks for it and before later ones, also when asked for there',
    async ({ timers, until }, t) => {
      const order: string[] = [];
      timers.start(5, () => {
        timers.endOfTurn(() => {
          order.push('end 1');
          timers.endOfTurn(() => order.push('end 2'));
        });
        order.push('turn');
      });
      timers.start(400, () => order.push('next'));
      await until(() => order.includes('next'));
      t.deepEqual(order, ['turn', 'end 1', 'end 2', 'next']);
    },
  );

  promise('the monotonic clock never goes back', async ({ timers, clock, until }, t) => {
    let last = clock.monotonicMs();
    let ticks = 0;
    const tick = (): void => {
      const nowMs = clock.monotonicMs();
      t.true(nowMs >= last);
      last = nowMs;
      if (++ticks < 10) timers.start(1, tick);
    };
    tick();
    await until(() => ticks === 10);
    t.true(clock.wallMs() > Date.parse('2024-01-01'));
  });

  promise('random words and bytes take all values', async ({ random }, t) => {
    const seen = new Set<number>();
    const bytes = new Uint8Array(4099);
    random.fill(bytes);
    for (const byte of bytes) seen.add(byte);
    t.true(seen.size > 250);
    let ones = 0;
    let zeros = 0;
    for (let round = 0; round < 200; round++) {
      const word = random.uint32();
      t.true(Number.isInteger(word) && word >= 0 && word < 2 ** 32);
      ones |= word;
      zeros |= ~word;
    }
    t.is(ones >>> 0, 0xffff_ffff);
    t.is(zeros >>> 0, 0xffff_ffff);
  });
}

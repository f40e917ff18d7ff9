import { spawnSync } from 'node:child_process';
import test from 'ava';
import type { Connection } from '../../src/ports/transport.js';
import { SimWorld } from '../harness/sim-world.js';
import { chatter } from './sim-chatter.js';

test('one seed gives one trace, another seed another', (t) => {
  const first = chatter(7);
  const again = chatter(7);
  t.true(first.eventsRun > 5000);
  t.is(again.hash, first.hash);
  t.is(again.eventsRun, first.eventsRun);
  t.not(chatter(8).hash, first.hash);
});

test('two processes that run one seed print the same trace hash', (t) => {
  const module = new URL('./sim-chatter.js', import.meta.url).href;
  const program = `import { chatter } from ${JSON.stringify(module)}; console.log(chatter(7).hash);`;
  const other = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { timeout: 60_000 });
  t.is(String(other.stdout).trim(), chatter(7).hash, String(other.stderr));
});

test('every fault that the chatter asks for bites', (t) => {
  const total: Record<string, number> = {};
  for (let seed = 1; seed <= 5; seed++) {
    for (const [fault, count] of Object.entries(chatter(seed).faults)) total[fault] = (total[fault] ?? 0) + count;
  }
  const expected = [
    ...['bytes-held-by-cut', 'bytes-lost', 'chunk-split', 'clock-drift', 'clock-jump', 'connection-reset', 'crash'],
    ...[
      'dial-refused',
      'latency-spike',
      'name-lost',
      'pause',
      'sector-lost',
      'sector-torn',
      'sync-slow',
      'write-retained',
    ],
  ];
  for (const fault of expected) t.true((total[fault] ?? 0) > 0, fault);
});

test('nothing of a crashed process happens any more', (t) => {
  const world = new SimWorld(1);
  const ports = world.createPorts('a');
  const happened: string[] = [];
  ports.timers.start(10, () => happened.push('timer'));
  ports.disk.preallocate('f', 1000, () => happened.push('preallocated'));
  ports.transport.listen(
    { host: 'a', port: 1 },
    () => ({ onData() {}, onClose() {} }),
    () => happened.push('listening'),
  );
  ports.timers.endOfTurn(() => happened.push('end of turn'));
  world.crash('a');
  world.run(1000);
  t.deepEqual(happened, []);
  t.false(world.isRunning('a'));
  t.throws(() => world.crash('a'));
});

test('a crash breaks connections; the peer is told and the address refuses until the node is back', (t) => {
  const world = new SimWorld(2);
  const { events, dial } = serverAndClient(world);
  dial();
  t.true(world.runUntil(() => events.includes('open'), 1000));
  world.crash('server');
  t.true(world.runUntil(() => events.includes('close'), 2000));
  events.length = 0;
  dial();
  t.true(world.runUntil(() => events.includes('close'), 3000));
  t.deepEqual(events, ['close']);
  t.true(world.faults.count('dial-refused') > 0);
});

test('a machine that vanished answers nothing: a dial times out', (t) => {
  const world = new SimWorld(3);
  const { events, dial } = serverAndClient(world);
  dial();
  t.true(world.runUntil(() => events.includes('open'), 1000));
  world.crash('server', { machineDown: true });
  world.run(world.nowMs + 5000);
  t.deepEqual(events, ['open'], 'the client does not know');
  events.length = 0;
  dial();
  world.run(world.nowMs + 20_000);
  t.deepEqual(events, ['close']);
  t.true(world.faults.count('dial-timed-out') > 0);
});

test('bytes sent into a cut wait and arrive when it heals', (t) => {
  const world = new SimWorld(4);
  const { events, dial, received } = serverAndClient(world);
  const connection = dial();
  t.true(world.runUntil(() => events.includes('open'), 1000));
  world.cut('client', 'server');
  connection.write(new Uint8Array(100), 0, 100);
  world.run(world.nowMs + 3000);
  t.is(received(), 0);
  world.heal();
  t.true(world.runUntil(() => received() === 100, world.nowMs + 1000));
  t.false(events.includes('close'));
});

test('a cut that lasts fails the connection of whoever waits for an answer', (t) => {
  const world = new SimWorld(5);
  const { events, dial } = serverAndClient(world);
  const connection = dial();
  t.true(world.runUntil(() => events.includes('open'), 1000));
  world.cut('client', 'server');
  connection.write(new Uint8Array(100), 0, 100);
  t.true(world.runUntil(() => events.includes('close'), world.nowMs + 100_000));
});

test('a one-way cut lets the other direction through', (t) => {
  const world = new SimWorld(6);
  const { events, dial, received, reply, replied } = serverAndClient(world);
  const connection = dial();
  t.true(world.runUntil(() => events.includes('open'), 1000));
  world.cut('client', 'server', { oneWay: true });
  connection.write(new Uint8Array(10), 0, 10);
  reply(20);
  t.true(world.runUntil(() => replied() === 20, world.nowMs + 1000));
  t.is(received(), 0);
});

test('a paused process does nothing until it goes on, and then everything it missed, in order', (t) => {
  const world = new SimWorld(7);
  const ports = world.createPorts('a');
  const fired: number[] = [];
  for (const delayMs of [30, 10, 20]) ports.timers.start(delayMs, () => fired.push(delayMs));
  world.run(15);
  world.pause('a');
  world.run(1000);
  t.deepEqual(fired, [10]);
  world.resume('a');
  world.run(1001);
  t.deepEqual(fired, [10, 20, 30]);
});

test('a clock that runs fast fires its timers early in the time of the world', (t) => {
  const world = new SimWorld(8);
  const ports = world.createPorts('a');
  world.setClockRate('a', 2);
  const startMs = ports.clock.monotonicMs();
  let firedMs = 0;
  ports.timers.start(1000, () => {
    firedMs = world.nowMs;
    t.true(ports.clock.monotonicMs() - startMs >= 1000);
  });
  world.run(2000);
  t.true(firedMs >= 500 && firedMs < 501);
  const wallMs = ports.clock.wallMs();
  world.jumpWallClock('a', -86_400_000);
  t.is(ports.clock.wallMs(), wallMs - 86_400_000);
});

test('writing into a buffer that a connection still keeps is caught', (t) => {
  const world = new SimWorld(9);
  const { events, dial } = serverAndClient(world);
  const connection = dial();
  t.true(world.runUntil(() => events.includes('open'), 1000));
  const buffer = new Uint8Array(8_000_000);
  t.false(connection.write(buffer, 0, buffer.length));
  buffer.fill(1);
  t.throws(() => world.run(world.nowMs + 60_000), { message: /wrote into a buffer/ });
});

test('an exception of a node comes out of run', (t) => {
  const world = new SimWorld(10);
  world.createPorts('a').timers.start(5, () => {
    throw new Error('an invariant broke');
  });
  t.throws(() => world.run(10), { message: 'an invariant broke' });
});

test('code that awaits is followed to its end before the next event', async (t) => {
  const world = new SimWorld(11);
  const { timers } = world.createPorts('a');
  const sleep = (delayMs: number) => new Promise<void>((resolve) => timers.start(delayMs, resolve));
  const order: string[] = [];
  timers.start(10.5, () => order.push('timer'));
  const work = async (): Promise<string> => {
    await sleep(10);
    for (let hop = 0; hop < 20; hop++) await null;
    order.push('work');
    await sleep(10);
    return 'done';
  };
  t.is(await world.settle(work(), 1000), 'done');
  t.deepEqual(order, ['work', 'timer']);
  await t.throwsAsync(world.settle(sleep(10_000), 1000), { message: /not settled/ });
});

interface Conversation {
  readonly events: string[];
  readonly dial: () => Connection;
  /** Bytes that the server got, and that the client got. */
  readonly received: () => number;
  readonly replied: () => number;
  readonly reply: (bytes: number) => void;
}

function serverAndClient(world: SimWorld): Conversation {
  const events: string[] = [];
  let received = 0;
  let replied = 0;
  let accepted: Connection | undefined;
  const address = { host: 'server', port: 1 };
  world.createPorts('server').transport.listen(
    address,
    (connection) => {
      accepted = connection;
      return {
        onData: (_bytes, _view, start, end) => {
          received += end - start;
        },
        onClose() {},
      };
    },
    () => {},
  );
  const client = world.createPorts('client').transport;
  world.run(1);
  return {
    events,
    dial: () =>
      client.connect(address, {
        onOpen: () => events.push('open'),
        onData: (_bytes, _view, start, end) => {
          replied += end - start;
        },
        onClose: () => events.push('close'),
      }),
    received: () => received,
    replied: () => replied,
    reply: (bytes) => void accepted?.write(new Uint8Array(bytes), 0, bytes),
  };
}

import type { Connection } from '../../src/ports/transport.js';
import type { SimPorts } from '../harness/sim-world.js';
import { SimWorld } from '../harness/sim-world.js';

const NODES = ['a', 'b', 'c'];
const RUN_MS = 20_000;
const MESSAGE_BYTES_MAX = 30_000;

/** Three nodes that talk, write and fall over: enough to touch every part of the simulator. */
export function chatter(seed: number): { hash: string; eventsRun: number; faults: Record<string, number> } {
  const world = new SimWorld(seed);
  world.network.behaviour.spikeChance = 0.01;
  world.network.behaviour.resetChance = 0.001;
  for (const name of NODES) {
    world.disk(name).behaviour.slowChance = 0.05;
    startNode(world, name);
  }
  const disturb = (): void => {
    const name = world.random.pick(NODES);
    const other = world.random.pick(NODES);
    const choice = world.random.below(8);
    if (!world.isRunning(name)) startNode(world, name);
    else if (choice === 0) world.crash(name, { machineDown: world.random.chance(0.3) });
    else if (choice === 1) world.crash(name, { powerLoss: false });
    else if (choice === 2 && name !== other) world.cut(name, other, { oneWay: world.random.chance(0.5) });
    else if (choice === 3) world.heal();
    else if (choice === 4) world.jumpWallClock(name, world.random.between(-1e6, 1e6));
    else if (choice === 5) world.setClockRate(name, world.random.between(0.9, 1.1));
    else if (choice === 6) world.reset(name, other);
    else {
      world.pause(name);
      world.at(world.nowMs + 300, () => {
        if (world.isRunning(name)) world.resume(name);
      });
    }
    world.at(world.nowMs + world.random.between(50, 400), disturb);
  };
  world.at(100, disturb);
  world.run(RUN_MS);
  return { hash: world.traceHash(), eventsRun: world.eventsRun, faults: world.faults.toJSON() };
}

function startNode(world: SimWorld, name: string): void {
  const ports = world.createPorts(name);
  ports.disk.lock();
  ports.disk.makeDirectory('log');
  ports.transport.listen(
    { host: name, port: 1 },
    (connection) => echo(connection, ports),
    () => {},
  );
  for (const peer of NODES) if (peer !== name) talk(ports, peer);
  writeLog(ports, 0);
}

/** Sends back what it gets, now and then pausing. */
function echo(connection: Connection, ports: SimPorts): { onData: typeof onData; onClose(): void } {
  function onData(bytes: Uint8Array, _view: DataView, start: number, end: number): void {
    const copy = bytes.slice(start, end);
    connection.write(copy, 0, copy.length);
    if (ports.random.uint32() % 16 > 0) return;
    connection.pause();
    ports.timers.start(5, () => connection.resume());
  }
  return { onData, onClose: () => {} };
}

/** Keeps a connection to a peer with something to say on it. */
function talk(ports: SimPorts, peer: string): void {
  const say = (): void => {
    const message = new Uint8Array(1 + (ports.random.uint32() % MESSAGE_BYTES_MAX));
    ports.random.fill(message);
    connection.write(message, 0, message.length);
    timer = ports.timers.start(ports.random.uint32() % 20, say);
  };
  let timer = ports.timers.start(1_000_000, () => {});
  const connection = ports.transport.connect(
    { host: peer, port: 1 },
    {
      onOpen: say,
      onData() {},
      onClose: () => {
        ports.timers.stop(timer);
        ports.timers.start(100, () => talk(ports, peer));
      },
    },
  );
}

/** Makes a file, fills it with synced writes, and goes on with the next; removes old ones. */
function writeLog(ports: SimPorts, number: number): void {
  const { disk, random } = ports;
  const path = `log/${number}`;
  disk.remove(`log/${number - 3}`);
  if (disk.exists(path)) {
    ports.timers.start(1, () => writeLog(ports, number + 1));
    return;
  }
  disk.preallocate(path, 40_000, () => {
    const file = disk.open(path);
    const append = (position: number): void => {
      const bytes = new Uint8Array(1 + (random.uint32() % 5000));
      random.fill(bytes);
      if (position + bytes.length > 40_000) {
        file.close();
        writeLog(ports, number + 1);
        return;
      }
      file.write(bytes, 0, bytes.length, position);
      file.sync(() => append(position + bytes.length));
    };
    append(0);
  });
}

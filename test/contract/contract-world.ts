import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileDisk } from '../../src/platform/file-disk.js';
import { SystemClock } from '../../src/platform/system-clock.js';
import { SystemRandom } from '../../src/platform/system-random.js';
import { SystemTimers } from '../../src/platform/system-timers.js';
import { TcpTransport } from '../../src/platform/tcp-transport.js';
import type { Clock } from '../../src/ports/clock.js';
import type { Disk } from '../../src/ports/disk.js';
import type { Random } from '../../src/ports/random.js';
import type { Timers } from '../../src/ports/timers.js';
import type { Transport } from '../../src/ports/transport.js';
import { SimWorld } from '../harness/sim-world.js';

/** One implementation of the ports, and how to wait for something in it. */
export interface ContractWorld {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly disk: Disk;
  /** Opens the same data directory as somebody else would, and tries to lock it. */
  readonly lockAgain: () => void;
  /** Two ends that reach each other. */
  readonly server: Transport;
  readonly client: Transport;
  /** Goes on until `predicate` holds. */
  readonly until: (predicate: () => boolean) => Promise<void>;
  readonly dispose: () => Promise<void>;
}

/** Each implementation under the name that its tests carry. */
export const CONTRACT_WORLDS: readonly (readonly [name: string, make: () => ContractWorld])[] = [
  ['real', (): ContractWorld => makeReal('shared')],
  ['real, plain reads', (): ContractWorld => makeReal('chunks')],
  ['simulated, seed 1', (): ContractWorld => makeSimulated(1)],
  ['simulated, seed 2', (): ContractWorld => makeSimulated(2)],
  ['simulated, seed 3', (): ContractWorld => makeSimulated(3)],
];

/** Those with a disk of their own kind. */
export const DISK_WORLDS: typeof CONTRACT_WORLDS = CONTRACT_WORLDS.filter(([name]) => name !== 'real, plain reads');

/** More virtual time than anything in these tests takes. */
const SIMULATED_PATIENCE_MS = 600_000;

function makeReal(receive: 'shared' | 'chunks'): ContractWorld {
  const directory = mkdtempSync(join(tmpdir(), 'memdb-contract-'));
  const disk = new FileDisk(directory);
  return {
    clock: new SystemClock(),
    timers: new SystemTimers(),
    random: new SystemRandom(),
    disk,
    lockAgain: () => new FileDisk(directory).lock(),
    server: new TcpTransport({ receive, lingerMs: 100 }),
    client: new TcpTransport({ receive, lingerMs: 100 }),
    until: async (predicate) => {
      while (!predicate()) await new Promise((resolve) => setImmediate(resolve));
    },
    dispose: async () => {
      disk.unlock();
      await disk.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function makeSimulated(seed: number): ContractWorld {
  const world = new SimWorld(seed);
  const one = world.createPorts('one');
  const two = world.createPorts('two');
  return {
    ...one,
    lockAgain: () => one.disk.lock(),
    server: one.transport,
    client: two.transport,
    until: async (predicate) => {
      if (!world.runUntil(predicate, world.nowMs + SIMULATED_PATIENCE_MS)) throw new Error('it never happened');
    },
    dispose: async () => {},
  };
}

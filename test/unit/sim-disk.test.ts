import test from 'ava';
import { type Disk, DiskError } from '../../src/ports/disk.js';
import { SimWorld } from '../harness/sim-world.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function make(world: SimWorld, disk: Disk, path: string, length: number): DiskError | undefined {
  let outcome: [DiskError | undefined] | undefined;
  disk.preallocate(path, length, (error) => {
    outcome = [error];
  });
  world.runUntil(() => outcome !== undefined, world.nowMs + 10_000);
  return outcome?.[0];
}

function sync(world: SimWorld, file: { sync(done: (error?: DiskError) => void): void }): DiskError | undefined {
  let outcome: [DiskError | undefined] | undefined;
  file.sync((error) => {
    outcome = [error];
  });
  world.runUntil(() => outcome !== undefined, world.nowMs + 10_000);
  return outcome?.[0];
}

test('what was synced survives every crash; what was not is lost in some', (t) => {
  let lost = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const world = new SimWorld(seed);
    const { disk } = world.createPorts('a');
    t.is(make(world, disk, 'f', 4096), undefined);
    const file = disk.open('f');
    file.write(bytes('synced'), 0, 6, 0);
    t.is(sync(world, file), undefined);
    file.write(bytes('loose'), 0, 5, 1024);
    file.sync(() => t.fail('the process is dead'));
    world.crash('a');
    world.run(world.nowMs + 100);
    const left = world.createPorts('a').disk.read('f');
    t.is(new TextDecoder().decode(left.subarray(0, 6)), 'synced');
    if (left[1024] === 0) lost++;
  }
  t.true(lost > 5 && lost < 30);
});

test('kill -9 loses nothing that was written', (t) => {
  const world = new SimWorld(1);
  const { disk } = world.createPorts('a');
  make(world, disk, 'f', 4096);
  disk.open('f').write(bytes('written'), 0, 7, 0);
  disk.makeDirectory('d');
  world.crash('a', { powerLoss: false });
  const again = world.createPorts('a').disk;
  t.is(new TextDecoder().decode(again.read('f').subarray(0, 7)), 'written');
  t.true(again.exists('d'));
});

test('names that were not synced may be lost, and removed ones may come back; replaced and preallocated ones stay', (t) => {
  let created = 0;
  let removed = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const world = new SimWorld(seed);
    const { disk } = world.createPorts('a');
    make(world, disk, 'f', 10);
    disk.replace('g', bytes('g'));
    disk.makeDirectory('d');
    disk.remove('f');
    world.crash('a');
    const again = world.createPorts('a').disk;
    if (again.exists('d')) created++;
    if (!again.exists('f')) removed++;
    t.true(again.exists('g'));
  }
  t.true(created > 5 && created < 40);
  t.true(removed > 5 && removed < 40);
});

test('a file is lost with a directory that nobody synced', (t) => {
  let lost = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const world = new SimWorld(seed);
    const { disk } = world.createPorts('a');
    disk.makeDirectory('d');
    disk.replace('d/f', bytes('f'));
    world.crash('a');
    const again = world.createPorts('a').disk;
    t.is(again.exists('d/f'), again.exists('d'));
    if (!again.exists('d/f')) lost++;
    const synced = new SimWorld(seed);
    const other = synced.createPorts('a').disk;
    other.makeDirectory('d');
    other.syncDirectory('');
    other.replace('d/f', bytes('f'));
    synced.crash('a');
    t.true(synced.createPorts('a').disk.exists('d/f'));
  }
  t.true(lost > 0);
});

test('the lock goes with the process', (t) => {
  const world = new SimWorld(1);
  world.createPorts('a').disk.lock();
  t.throws(() => world.disk('a').wipe());
  world.crash('a');
  world.createPorts('a').disk.lock();
  world.stop('a');
  world.createPorts('a').disk.lock();
  t.pass();
});

test('a disk that is full refuses to grow and says so', (t) => {
  const world = new SimWorld(1);
  const { disk } = world.createPorts('a');
  world.disk('a').behaviour.capacityBytes = 10_000;
  t.is(make(world, disk, 'f', 8000), undefined);
  t.is(make(world, disk, 'g', 8000)?.kind, 'full');
  t.is(t.throws(() => disk.replace('h', new Uint8Array(3000)), { instanceOf: DiskError })?.kind, 'full');
  const file = disk.open('f');
  file.write(new Uint8Array(8000), 0, 8000, 0);
  t.is(t.throws(() => file.write(new Uint8Array(9000), 0, 9000, 4000), { instanceOf: DiskError })?.kind, 'full');
  t.is(file.size(), 10_000);
  t.is(world.faults.count('disk-full'), 3);
  world.disk('a').behaviour.capacityBytes = 100_000;
  t.is(make(world, disk, 'g', 8000), undefined);
});

test('a sync that fails says so, and syncing the file again is caught', (t) => {
  const world = new SimWorld(1);
  const { disk } = world.createPorts('a');
  make(world, disk, 'f', 4096);
  const file = disk.open('f');
  world.disk('a').behaviour.failSyncs = 1;
  t.is(sync(world, file)?.kind, 'io');
  t.throws(() => file.sync(() => {}), { message: /failed to sync before/ });
  t.is(world.faults.count('sync-failed'), 1);
});

test('a damaged bit is one bit, durable or not', (t) => {
  const world = new SimWorld(1);
  const { disk } = world.createPorts('a');
  make(world, disk, 'f', 4096);
  const position = world.disk('a').flipBit('f', 100, 200);
  t.true(position >= 100 && position < 200);
  const content = disk.read('f');
  const ones = content.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
  t.is(ones, 1);
  t.not(content[position], 0);
});

test('an old copy of a disk can be put back while its node is down', (t) => {
  const world = new SimWorld(1);
  const { disk } = world.createPorts('a');
  disk.lock();
  disk.makeDirectory('d');
  disk.replace('d/f', bytes('old'));
  const copy = world.disk('a').backup();
  disk.replace('d/f', bytes('new'));
  t.throws(() => world.disk('a').restore(copy));
  world.stop('a');
  world.disk('a').restore(copy);
  t.is(new TextDecoder().decode(world.createPorts('a').disk.read('d/f')), 'old');
  world.stop('a');
  world.disk('a').wipe();
  t.deepEqual(world.disk('a').paths(), []);
});

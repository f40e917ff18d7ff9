import { clientOperationId, keyHash, Opcode, type OperationId, Resolution, type SerialRequest } from '@memdb/protocol';
import test from 'ava';
import { type BareReply, LEVEL } from '../harness/bare-client.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';
import { simulate } from '../harness/simulate.js';
import { viewOf } from '../harness/storage-world.js';

for (const seed of [735970727, 1279034154, 1279034161, 1279034164, 1]) {
  test(`serial and plain operations on the same keys are linearizable under faults (seed ${seed})`, async (t) => {
    const { broken } = await simulate({ seed, workload: 'serial' });
    t.deepEqual(broken, [], `npm run sim -- --workload serial --seed ${seed}`);
  });
}

for (const seed of [1, 2]) {
  test(`so they are while epochs follow each other (seed ${seed})`, async (t) => {
    const { broken } = await simulate({ seed, workload: 'serial-epochs' });
    t.deepEqual(broken, [], `npm run sim -- --workload serial-epochs --seed ${seed}`);
  });
}

class Serial {
  readonly world: SimWorld;
  readonly cluster: SimCluster;
  readonly session: SimSession;
  #sequence = 0;

  constructor(seed: number) {
    this.world = new SimWorld(seed);
    this.cluster = new SimCluster(this.world, { nodes: 3 });
    this.cluster.start();
    this.cluster.awaitReady();
    this.session = new SimSession(this.cluster);
  }

  id(): OperationId {
    const { counter } = this.session.to('n1');
    this.#sequence = Math.max(this.#sequence, counter) + 1;
    return clientOperationId(this.#sequence, 1, 2);
  }

  cas(expected: string | undefined, next: string | undefined): SerialRequest {
    const bytes = (text: string | undefined): Uint8Array | undefined =>
      text === undefined ? undefined : Buffer.from(text);
    return { key: KEY, ttlMs: 0, id: this.id(), isRepeated: false, expected: bytes(expected), value: bytes(next) };
  }

  /** Sends one request and waits for its answer. */
  ask(node: string, opcode: number, request: SerialRequest): BareReply {
    const client = this.session.to(node);
    client.counter = Math.max(client.counter, request.id?.sequence ?? 0);
    let answer: BareReply | undefined;
    client.serial(opcode, request, (reply) => {
      answer = reply;
    });
    this.world.runUntil(() => answer !== undefined, this.world.nowMs + 10_000);
    if (answer === undefined) throw new Error('no answer');
    return answer;
  }

  rounds(): number {
    return this.cluster.names.reduce(
      (sum, name) => sum + (this.cluster.ports(name).telemetry.metric('serial_rounds_total') ?? 0),
      0,
    );
  }

  get hash(): number {
    const seed = this.cluster.node('n1').replication?.hashSeed ?? 0;
    return keyHash(KEY, viewOf(KEY), 0, KEY.length, seed);
  }
}

const KEY = new Uint8Array(Buffer.from('k'));

test('compare-and-set applies once, tells what it found, and sees what was acknowledged at quorum before', (t) => {
  const serial = new Serial(1);
  serial.session.set('n1', 'k', 'plain');
  t.like(serial.ask('n2', Opcode.cas, serial.cas(undefined, 'x')).cas, { applied: false });
  t.true(serial.ask('n3', Opcode.cas, serial.cas('plain', 'mine')).cas?.applied);
  for (const node of serial.cluster.names) {
    t.is(serial.session.get(node, 'k', LEVEL.serial).value, 'mine');
    t.is(serial.session.get(node, 'k').value, 'mine', 'a quorum read of a serial key goes on as a serial one');
    t.is(serial.session.quorumGet(node, 'k').value, 'mine');
  }
});

test('a copy of an operation at any node is the same operation, and one that was resolved never has an effect', (t) => {
  const serial = new Serial(2);
  const once = serial.cas(undefined, 'a');
  t.true(serial.ask('n1', Opcode.cas, once).cas?.applied);
  t.true(serial.ask('n2', Opcode.cas, serial.cas('a', 'b')).cas?.applied);
  for (const node of serial.cluster.names)
    t.true(serial.ask(node, Opcode.cas, { ...once, isRepeated: true }).cas?.applied);
  t.is(serial.session.get('n1', 'k').value, 'b');

  const late = serial.cas('b', 'c');
  const question = { ...late, expected: undefined, value: undefined };
  t.is(serial.ask('n3', Opcode.resolve, question).resolved?.resolution, Resolution.notApplied);
  t.like(serial.ask('n1', Opcode.cas, late).error, { outcome: 'not-applied' });
  t.is(serial.session.get('n2', 'k').value, 'b');
  t.is(
    serial.ask('n2', Opcode.resolve, { ...once, expected: undefined, value: undefined }).resolved?.resolution,
    Resolution.applied,
  );
});

test('a late first copy has no effect once a repeated one has compared in vain', (t) => {
  const serial = new Serial(7);
  serial.ask('n1', Opcode.cas, serial.cas(undefined, 'a'));
  const late = serial.cas('b', 'mine');
  t.like(serial.ask('n2', Opcode.cas, { ...late, isRepeated: true }).cas, { applied: false });
  t.true(serial.ask('n3', Opcode.cas, serial.cas('a', 'b')).cas?.applied);
  t.like(serial.ask('n1', Opcode.cas, late).error, { outcome: 'not-applied' });
  t.is(serial.session.get('n1', 'k').value, 'b');
});

test('an id that the key has forgotten is answered unknown when it was sent before, and never applied again', (t) => {
  const serial = new Serial(3);
  const old = serial.cas(undefined, 'old');
  t.true(serial.ask('n1', Opcode.cas, old).cas?.applied);
  for (let count = 0; count < 70; count++) serial.ask('n2', Opcode.set, { ...serial.cas(undefined, `v${count}`) });
  t.like(serial.ask('n1', Opcode.cas, { ...old, isRepeated: true }).error, {
    code: 'operation-forgotten',
    outcome: 'unknown',
  });
  t.like(serial.ask('n1', Opcode.cas, old).error, { code: 'operation-forgotten', outcome: 'not-applied' });
  t.is(serial.session.get('n3', 'k').value, 'v69');
});

test('a bare promise at one replica turns a plain write into a round, and a plain read into a serial one', (t) => {
  for (const node of ['n1', 'n2', 'n3']) {
    const serial = new Serial(4);
    const ballot = { counter: 50, node: 9, generation: 1 };
    serial.cluster.node(node).replication?.serial.acceptor.prepare(serial.hash, KEY, ballot, () => undefined);
    serial.world.run(serial.world.nowMs + 100);
    t.is(serial.session.set('n1', 'k', 'written', LEVEL.all).error, undefined);
    t.is(serial.session.get('n2', 'k', LEVEL.all).value, 'written');
    for (const name of serial.cluster.names) t.is(serial.session.get(name, 'k').value, 'written');
    const states = serial.cluster.names.map((name) => serial.cluster.node(name).store?.serial.keys);
    t.true(states.filter((keys) => keys === 1).length >= 2, `${states}`);
  }
});

test('in steady state a write takes one question to the acceptors, and what waits goes into one round', (t) => {
  const serial = new Serial(5);
  serial.ask('n1', Opcode.cas, serial.cas(undefined, '0'));
  const before = serial.rounds();
  for (let count = 0; count < 10; count++) serial.ask('n1', Opcode.cas, serial.cas(`${count}`, `${count + 1}`));
  t.is(serial.rounds() - before, 10);
  let answered = 0;
  const client = serial.session.to('n2');
  for (let count = 0; count < 100; count++) {
    const request = { ...serial.cas(undefined, `w${count}`) };
    client.counter = Math.max(client.counter, request.id?.sequence ?? 0);
    client.serial(Opcode.set, request, ({ error }) => {
      t.is(error, undefined);
      answered++;
    });
  }
  serial.world.runUntil(() => answered === 100, serial.world.nowMs + 10_000);
  t.is(answered, 100);
  t.true(serial.rounds() - before < 10 + 10, `${serial.rounds() - before}`);
  t.is(serial.session.get('n3', 'k').value, 'w99', 'in the order of the connection');
});

test('an expired value of a serial key is deleted by a round, and a deletion grows small when nobody asks any more', (t) => {
  const serial = new Serial(6);
  serial.ask('n1', Opcode.cas, { ...serial.cas(undefined, 'short'), ttlMs: 500 });
  t.is(serial.session.get('n2', 'k').value, 'short');
  serial.world.run(serial.world.nowMs + 1000);
  for (const name of serial.cluster.names) t.true(serial.session.get(name, 'k').absent);
  t.true(serial.ask('n3', Opcode.cas, serial.cas(undefined, 'again')).cas?.applied);
  serial.ask('n3', Opcode.cas, serial.cas('again', undefined));
  serial.world.run(serial.world.nowMs + 120_000);
  for (const name of serial.cluster.names) {
    const { store } = serial.cluster.node(name);
    t.deepEqual(store?.serial.read(serial.hash, viewOf(KEY), 0, 1).operations, []);
    t.is(store?.serial.tombstones, 1);
  }
  t.true(serial.session.get('n1', 'k').absent);
});

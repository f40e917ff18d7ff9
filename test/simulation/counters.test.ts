import { createClient } from '@memdb/client';
import test from 'ava';
import { BareClient, type BareReply, LEVEL } from '../harness/bare-client.js';
import { SIM_PORT, SimCluster, type SimClusterOptions } from '../harness/sim-cluster.js';
import { SimWorld } from '../harness/sim-world.js';
import { TEST_KEYS } from '../harness/test-keys.js';

const VALUE_MAX = 2n ** 63n - 1n;
const SERIAL = 4;

/** A cluster, and a client with a connection to each node. */
class Counting {
  readonly world: SimWorld;
  readonly cluster: SimCluster;
  #clients = 0;

  constructor(seed: number, options: Partial<SimClusterOptions> = {}) {
    this.world = new SimWorld(seed);
    this.cluster = new SimCluster(this.world, { nodes: 3, ...options });
    this.cluster.start();
    this.cluster.awaitReady();
  }

  add(node: string, amount: bigint, level: number = LEVEL.one, name = 'hits'): BareReply {
    return this.#ask(node, (client, done) => client.counterAdd(name, level, amount, done));
  }

  get(node: string, level: number = LEVEL.quorum, name = 'hits'): BareReply {
    return this.#ask(node, (client, done) => client.counterGet(name, level, done));
  }

  rest(milliseconds = 3000): void {
    this.world.run(this.world.nowMs + milliseconds);
  }

  #ask(node: string, ask: (client: BareClient, done: (reply: BareReply) => void) => void): BareReply {
    const { world } = this;
    const client = new BareClient(world.createPorts(`client-${++this.#clients}`), { host: node, port: SIM_PORT });
    if (!world.runUntil(() => client.ready, world.nowMs + 5000)) throw new Error(`${node} does not answer`);
    let reply: BareReply | undefined;
    ask(client, (answer) => {
      reply = answer;
    });
    world.runUntil(() => reply !== undefined, world.nowMs + 5000);
    if (reply === undefined) throw new Error('no reply');
    client.close();
    return reply;
  }
}

test('what every node adds, every node counts', (t) => {
  for (const durability of ['sync', 'interval', 'none'] as const) {
    const counting = new Counting(1, { durability });
    for (const [index, node] of ['n1', 'n2', 'n3', 'n2'].entries()) {
      t.is(counting.add(node, BigInt(10 ** index), LEVEL.quorum).error, undefined);
    }
    t.is(counting.add('n1', -2000n, LEVEL.all).error, undefined);
    for (const node of ['n1', 'n2', 'n3']) {
      t.is(counting.get(node).number, -889n);
      t.is(counting.get(node, LEVEL.all).number, -889n);
    }
    t.is(counting.get('n1', LEVEL.quorum, 'nobody added to it').number, 0n);
  }
});

test('an add goes on with one live replica, and reaches the others when they come back', (t) => {
  const counting = new Counting(2);
  const { cluster } = counting;
  counting.add('n1', 1n, LEVEL.all);
  cluster.crash('n2');
  cluster.crash('n3');
  counting.rest();
  t.is(counting.add('n1', 10n).error, undefined);
  t.like(counting.add('n1', 100n, LEVEL.quorum).error, { code: 'unavailable', outcome: 'not-applied' });
  t.like(counting.get('n1').error, { code: 'unavailable', outcome: 'not-applied' });
  t.is(counting.get('n1', LEVEL.one).number, 11n);
  cluster.start(['n2', 'n3']);
  cluster.awaitReady();
  counting.rest();
  for (const node of ['n1', 'n2', 'n3']) t.is(counting.get(node, LEVEL.one).number, 11n);
});

test('an add acknowledged by one replica survives a power cut of all of them at once, in mode interval too', (t) => {
  for (const durability of ['sync', 'interval'] as const) {
    const counting = new Counting(3, { durability });
    const { cluster } = counting;
    t.is(counting.add('n2', 7n).error, undefined);
    for (const name of cluster.names) cluster.crash(name, { powerLoss: true });
    cluster.start();
    cluster.awaitReady();
    counting.rest();
    t.is(counting.add('n2', 1n).error, undefined);
    counting.rest();
    for (const node of cluster.names) t.is(counting.get(node, LEVEL.one).number, 8n, durability);
  }
});

test('a node that holds no replica passes adds and reads on', (t) => {
  const counting = new Counting(4, { nodes: 5 });
  for (const node of counting.cluster.names) t.is(counting.add(node, 1n, LEVEL.quorum).error, undefined);
  for (const node of counting.cluster.names) t.is(counting.get(node).number, 5n);
});

test('an add that would leave the 64-bit range is refused, and what several nodes led beyond is no wrapped value', (t) => {
  const counting = new Counting(5);
  const { cluster, world } = counting;
  t.is(counting.add('n1', VALUE_MAX, LEVEL.all).error, undefined);
  t.like(counting.add('n2', 1n).error, { code: 'counter-overflow', outcome: 'not-applied', retryable: false });
  t.is(counting.add('n2', -VALUE_MAX, LEVEL.all).error, undefined);
  t.is(counting.add('n3', -VALUE_MAX, LEVEL.all).error, undefined);
  t.is(counting.add('n3', -1n, LEVEL.all).error, undefined);
  t.is(counting.get('n1').number, -VALUE_MAX - 1n);
  t.like(counting.add('n1', -1n).error, { code: 'counter-overflow' });
  t.is(counting.add('n3', VALUE_MAX, LEVEL.all).error, undefined);
  // Two that know nothing of each other.
  for (const name of ['n2', 'n3']) world.cut('n1', name);
  counting.rest(5000);
  t.is(counting.add('n1', VALUE_MAX).error, undefined);
  t.is(counting.add('n2', VALUE_MAX).error, undefined);
  for (const name of ['n2', 'n3']) world.heal('n1', name);
  counting.rest(8000);
  t.like(counting.get('n3').error, { code: 'counter-overflow', outcome: 'not-applied' });
  t.is(counting.add('n3', -VALUE_MAX, LEVEL.all).error, undefined);
  t.is(counting.get('n3').number, VALUE_MAX - 1n);
  t.is(cluster.fatal.size, 0);
});

test('the client library counts, at each level, and says what is no amount', async (t) => {
  const counting = new Counting(7);
  const { world, cluster } = counting;
  const db = createClient({
    ports: world.createPorts('program', true),
    seeds: cluster.names.map((host) => ({ host, port: SIM_PORT })),
    key: TEST_KEYS.client,
  });
  const settled = async <Result>(promise: Promise<Result>): Promise<Result> => {
    world.chains++;
    const whole = promise.finally(() => world.chains--);
    whole.catch(() => {});
    await world.play(world.nowMs + 3000);
    return whole;
  };
  const hits = db.counter('hits');
  await settled(hits.add(2n ** 40n));
  await settled(hits.subtract(1n, { consistency: 'quorum' }));
  await settled(hits.add(-1n, { consistency: 'all' }));
  t.is(await settled(hits.get()), 2n ** 40n - 2n);
  t.is(await settled(hits.get({ consistency: 'one' })), 2n ** 40n - 2n);
  t.is(await settled(db.getQuorumCounter('hits')), 2n ** 40n - 2n);
  t.is(await settled(db.counter(new Uint8Array([0, 255])).get()), 0n);
  t.is(await settled(db.get('hits')), undefined);
  await t.throwsAsync(settled(hits.add(2n ** 64n)), { code: 'counter-overflow' });
  await t.throwsAsync(settled(hits.add(1 as unknown as bigint)), { message: /bigint/ });
  await t.throwsAsync(settled(hits.add(1n, { consistency: 'serial' as 'all' })), { code: 'not-supported' });
  await t.throwsAsync(settled(db.counter('').get()), { code: 'key-empty' });
});

test('serial adds and unknown levels are refused by name', (t) => {
  const counting = new Counting(6);
  t.like(counting.add('n1', 1n, SERIAL).error, { code: 'not-supported', outcome: 'not-applied' });
  t.like(counting.get('n1', SERIAL).error, { code: 'not-supported' });
  t.like(counting.add('n1', 1n, 0).error, { code: 'bad-request' });
  t.like(counting.add('n1', 1n, LEVEL.one, '').error, { code: 'key-empty' });
  t.like(counting.add('n1', 1n, LEVEL.one, 'x'.repeat(5000)).error, { code: 'key-too-large' });
});

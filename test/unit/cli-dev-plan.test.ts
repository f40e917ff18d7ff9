import test from 'ava';
import { formatClusterFile, parseClusterFile } from '../../src/cli/dev/cluster-file.js';
import { nodeConfigText, nodeEnvironment, planNodes, planOfRunning, urlFor } from '../../src/cli/dev/dev-plan.js';
import { KeyRing } from '../../src/config/key-ring.js';
import { loadConfig } from '../../src/config/load-config.js';

const directory = '/srv/dev';

test('node i listens on port + i − 1, its http 100 above, and keeps everything in its own directory', (t) => {
  const plans = planNodes({ nodes: 3, port: 10_000, directory });
  t.deepEqual(
    plans.map((plan) => [plan.name, plan.address.port, plan.http.port, plan.dataDir]),
    [
      ['node1', 10_000, 10_100, '/srv/dev/node1'],
      ['node2', 10_001, 10_101, '/srv/dev/node2'],
      ['node3', 10_002, 10_102, '/srv/dev/node3'],
    ],
  );
  t.throws(() => planNodes({ nodes: 3, port: 65_500, directory }), { message: /leaves no room/ });
});

test('the configuration of each node is valid, founds with all, and makes each node a failure domain', (t) => {
  const plans = planNodes({ nodes: 5, port: 20_000, directory });
  for (const plan of plans) {
    const file = { name: plan.configFile, text: nodeConfigText(plan, plans, directory) };
    const { config } = loadConfig({ file, machine: { hostName: 'shared' } });
    t.is(config.cluster.founders, 5);
    t.deepEqual(
      config.cluster.seeds,
      plans.map((each) => each.address),
    );
    t.is(config.node.host, plan.name);
    t.is(config.node.dataDir, plan.dataDir);
    t.is(config.auth.keysFile, '/srv/dev/keys.toml');
  }
});

test('the environment can change how nodes store and log, not where they listen', (t) => {
  const environment = {
    MEMDB_STORAGE_DURABILITY: 'interval',
    MEMDB_NODE_LISTEN: 'x:1',
    MEMDB_CLUSTER_SEEDS: '',
    PATH: '/bin',
  };
  const GLIBC_TUNABLES = 'glibc.malloc.hugetlb=1';
  t.deepEqual(nodeEnvironment(environment), { MEMDB_STORAGE_DURABILITY: 'interval', PATH: '/bin', GLIBC_TUNABLES });
});

test('nodes ask for huge pages, unless the environment says something else about memory', (t) => {
  t.is(nodeEnvironment({}).GLIBC_TUNABLES, 'glibc.malloc.hugetlb=1');
  t.is(nodeEnvironment({ GLIBC_TUNABLES: '' }).GLIBC_TUNABLES, '');
});

test('URLs name every node and the first key of the role', (t) => {
  const keys = new KeyRing([{ id: 'app', role: 'client', secret: new Uint8Array(32) }]);
  const plans = planNodes({ nodes: 2, port: 10_000, directory });
  t.is(urlFor('client', keys, plans), `memdb://app:${'A'.repeat(43)}@127.0.0.1:10000,127.0.0.1:10001`);
  t.throws(() => urlFor('admin', keys, plans), { message: /no key of role "admin"/ });
});

test('the cluster file round-trips, a running node is planned as it was, and other JSON is no cluster file', (t) => {
  const [plan] = planNodes({ nodes: 1, port: 10_000, directory });
  const entry = {
    id: 'uuid',
    number: 1,
    address: '127.0.0.1:10000',
    http: '127.0.0.1:10100',
    pid: null,
    dataDir: '/srv/dev/node1',
  };
  const cluster = { clientUrl: 'memdb://c', adminUrl: 'memdb://a', manager: null, nodes: [entry] };
  t.deepEqual(parseClusterFile(formatClusterFile(cluster)), cluster);
  t.deepEqual(planOfRunning(1, entry), plan);
  for (const text of ['', '{', '[]', 'null', '{"clientUrl":"x"}', '{"clientUrl":"x","adminUrl":"y","nodes":[{}]}']) {
    t.is(parseClusterFile(text), undefined, text);
  }
});

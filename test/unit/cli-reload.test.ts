import test from 'ava';
import { planReload } from '../../src/cli/server/reload.js';
import { loadConfig } from '../../src/config/load-config.js';

function config(text: string) {
  return loadConfig({ file: { name: 'memdb.toml', text }, machine: { hostName: 'h' } }).config;
}

test('limits, log level and keys file change while running, everything else waits for a restart', (t) => {
  const before = config('');
  const wanted = config(
    '[node]\nweight = 2\n[auth]\nkeys_file = "/k"\n[limits]\nmax_connections = 5\n[log]\nlevel = "debug"\nformat = "pretty"\n',
  );
  const plan = planReload(before, wanted);
  t.deepEqual(plan.applied, ['auth.keys_file', 'limits.max_connections', 'log.level']);
  t.deepEqual(plan.needRestart, ['node.weight', 'log.format']);
  t.is(plan.config.limits.connectionsMax, 5);
  t.is(plan.config.log.level, 'debug');
  t.is(plan.config.log.format, 'json');
  t.is(plan.config.node.weight, 1);
});

test('what waits for a restart is named at every reload until then', (t) => {
  const wanted = config('[node]\nweight = 2\n');
  const once = planReload(config(''), wanted);
  t.deepEqual(planReload(once.config, wanted).needRestart, ['node.weight']);
  t.deepEqual(planReload(once.config, wanted).applied, []);
});

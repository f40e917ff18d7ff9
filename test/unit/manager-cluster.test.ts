import { healthOf } from '@memdb/clustermanager/parts/cluster/health.js';
import { difference, quantile } from '@memdb/clustermanager/parts/cluster/histogram.js';
import type { NodeMetrics, NodeStatus } from '@memdb/clustermanager/parts/cluster/node-report.js';
import { type Answer, judge, type NodeView, opinionsOf } from '@memdb/clustermanager/parts/cluster/node-view.js';
import { Rates } from '@memdb/clustermanager/parts/cluster/rates.js';
import { EventLog } from '@memdb/clustermanager/parts/live/event-log.js';
import test from 'ava';
import { SETTLED } from '../harness/settled.js';

const metrics: NodeMetrics = { counters: {}, gauges: {}, histograms: {}, bounds: [0.001, 0.01] };

function status(number: number, heard: Readonly<Record<number, boolean>>, more: Partial<NodeStatus> = {}): NodeStatus {
  const members = Object.entries(heard).map(([other, reachable]) => ({ number: Number(other), reachable }));
  return {
    ...{ uuid: '', number, generation: 1, phase: 'running', ready: true, epoch: 1, members },
    ...{ lastLsn: 0, durableLsn: 0, connections: 0, pending: 0, ...more },
  };
}

function answered(number: number, heard: Readonly<Record<number, boolean>>, more: Partial<NodeStatus> = {}): Answer {
  return { kind: 'answered', status: status(number, heard, more), metrics };
}

const silent: Answer = { kind: 'silent', reason: 'It is quiet.' };

function stateOf(number: number, answers: ReadonlyMap<number, Answer>): string {
  return judge(answers.get(number) ?? silent, opinionsOf(number, answers)).state;
}

test('a silent node is dead when the others miss it, unreachable when they hear it or cannot be asked', (t) => {
  const missed = new Map([
    [1, answered(1, { 3: false })],
    [2, answered(2, { 3: false })],
    [3, silent],
  ]);
  t.is(stateOf(3, missed), 'dead');
  t.is(stateOf(1, missed), 'up');
  t.is(judge(silent, opinionsOf(3, missed)).reason, 'It is quiet. Nodes 1 and 2 do not hear from it.');
  const heard = new Map([...missed, [1, answered(1, { 3: true })] as const]);
  t.is(stateOf(3, heard), 'unreachable');
  t.is(stateOf(3, new Map([[3, silent]])), 'unreachable');
});

test('a node that answers is up, starting or draining, whatever others think', (t) => {
  const others = new Map([[2, answered(2, { 1: false })]]);
  t.is(stateOf(1, new Map([...others, [1, answered(1, {})]])), 'up');
  t.is(stateOf(1, new Map([...others, [1, answered(1, {}, { phase: 'draining', ready: 'it drains' })]])), 'draining');
  t.is(stateOf(1, new Map([...others, [1, answered(1, {}, { ready: 'it waits' })]])), 'starting');
});

test('health counts partitions without a live majority as critical and those with a copy too few as degraded', (t) => {
  const nodes = [1, 2, 3].map((number) => ({ number, uuid: '', standing: 'member', weight: 1, zone: '', host: '' }));
  const topology = {
    ...{
      epoch: 1,
      clusterId: new Uint8Array(16),
      hashSeed: 1,
      partitions: 2,
      replicas: 3,
      ...SETTLED,
      highestNumber: 3,
    },
    nodes: nodes.map((node) => ({ ...node, standing: 'member' as const, address: '', http: '' })),
    owners: new Uint16Array([1, 2, 3, 1, 2, 3]),
  };
  const view = (number: number, state: NodeView['state']): NodeView => {
    const facts = { number, id: '', address: 'h:1', http: '', zone: '', host: '', weight: 1, sinceMs: 0 };
    const rest = { reason: 'why', status: undefined, metrics: undefined, heardAtMs: undefined, unheardBy: [] };
    return { ...facts, ...rest, standing: 'member', state };
  };
  const ask = (...states: NodeView['state'][]): object => {
    const { health, underReplicated, unavailable } = healthOf(
      topology,
      states.map((state, index) => view(index + 1, state)),
      '',
    );
    return { health, underReplicated, unavailable };
  };
  t.deepEqual(ask('up', 'up', 'up'), { health: 'ok', underReplicated: 0, unavailable: 0 });
  t.deepEqual(ask('up', 'dead', 'up'), { health: 'degraded', underReplicated: 2, unavailable: 0 });
  t.deepEqual(ask('up', 'dead', 'starting'), { health: 'critical', underReplicated: 2, unavailable: 2 });
  t.is(healthOf(undefined, [], 'nobody is there').health, 'unknown');
});

test('quantiles interpolate in their bucket, and what lies above all bounds counts as the last', (t) => {
  t.is(quantile([0, 0, 0], [1, 2], 0.5), undefined);
  t.is(quantile([4, 0, 0], [1, 2], 0.5), 0.5);
  t.is(quantile([0, 4, 0], [1, 2], 0.5), 1.5);
  t.is(quantile([1, 0, 99], [1, 2], 0.99), 2);
  t.deepEqual(difference([3, 5], [1, 5]), [2, 0]);
  t.deepEqual(difference([1, 5], [3, 5]), [1, 5], 'a node that was started again counts anew');
});

test('rates are differences a second, of all nodes, and a node that was started again does not make them negative', (t) => {
  const rates = new Rates();
  const reading = (get: number): NodeMetrics => ({
    ...metrics,
    counters: { 'operations_total{operation="get"}': get },
  });
  rates.add(
    0,
    new Map([
      [1, reading(100)],
      [2, reading(50)],
    ]),
  );
  t.deepEqual(rates.latest?.operations, {});
  rates.add(
    2000,
    new Map([
      [1, reading(300)],
      [2, reading(10)],
    ]),
  );
  t.deepEqual(rates.latest?.operations, { get: 105 });
  t.deepEqual(rates.latest?.nodes, { 1: { operations: 100 }, 2: { operations: 5 } });
});

test('a viewer goes on after its cursor, and is told when what it missed is gone', (t) => {
  const log = new EventLog('run', () => 7);
  for (let number = 1; number <= 1005; number++) log.add('epoch', 'info', String(number));
  t.deepEqual(
    log.after('run-1003')?.map(({ message }) => message),
    ['1004', '1005'],
  );
  t.deepEqual(log.after(log.cursor), []);
  t.is(log.after('run-5')?.length, 1000);
  for (const gone of ['run-4', 'other-1003', 'run-1006', 'run-x', '']) t.is(log.after(gone), undefined);
});

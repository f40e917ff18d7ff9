import test from 'ava';
import { JsonTelemetry } from '../../src/platform/json-telemetry.js';

function capture(options: { format?: 'json' | 'pretty'; level?: 'debug' | 'info' } = {}): {
  telemetry: JsonTelemetry;
  lines: string[];
} {
  const lines: string[] = [];
  const telemetry = new JsonTelemetry({ ...options, base: { node: 'n1' }, write: (line) => lines.push(line) });
  return { telemetry, lines };
}

/** The value of one line of the text format. */
function seriesValue(text: string, series: string): number | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

test('a log line is one JSON object with time, level, event and fields', (t) => {
  const { telemetry, lines } = capture();
  telemetry.log('warn', 'peer-lost', { message: 'node 2 does not answer', peer: 2, absent: undefined });
  t.is(lines.length, 1);
  t.true(lines[0].endsWith('\n'));
  const { time, ...rest } = JSON.parse(lines[0]);
  t.deepEqual(rest, { level: 'warn', node: 'n1', event: 'peer-lost', message: 'node 2 does not answer', peer: 2 });
  t.false(Number.isNaN(Date.parse(time)));
});

test('the level can change while running', (t) => {
  const { telemetry, lines } = capture();
  telemetry.log('debug', 'unseen');
  telemetry.setLevel('debug');
  telemetry.log('debug', 'seen');
  telemetry.setLevel('error');
  telemetry.log('warn', 'unseen');
  t.deepEqual(
    lines.map((line) => JSON.parse(line).event),
    ['seen'],
  );
});

test('pretty lines name time, level, event, sentence and fields', (t) => {
  const { telemetry, lines } = capture({ format: 'pretty' });
  telemetry.log('info', 'listening', { message: 'accepting connections', address: '127.0.0.1:10000', reason: 'a b' });
  t.regex(
    lines[0],
    /^\d\d:\d\d:\d\d\.\d\d\d INFO {2}listening accepting connections node=n1 address=127\.0\.0\.1:10000 reason="a b"\n$/,
  );
});

test('counters are fields that a scrape reads, one for each set of labels', async (t) => {
  const { telemetry } = capture();
  const reads = telemetry.counter('requests_total', 'Requests.', { kind: 'get' });
  const writes = telemetry.counter('requests_total', 'Requests.', { kind: 'set' });
  reads.value += 3;
  writes.value++;
  t.is(telemetry.counter('requests_total', 'Requests.', { kind: 'get' }), reads);
  reads.value++;
  const text = await telemetry.metricsText();
  t.is(seriesValue(text, 'memdb_requests_total{kind="get"}'), 4);
  t.is(seriesValue(text, 'memdb_requests_total{kind="set"}'), 1);
  t.true(text.includes('# TYPE memdb_requests_total counter'));
  t.is(seriesValue(await telemetry.metricsText(), 'memdb_requests_total{kind="get"}'), 4, 'reading changes nothing');
});

test('gauges are read at each scrape', async (t) => {
  const { telemetry } = capture();
  let open = 5;
  telemetry.gauge('connections', 'Open connections.', () => open);
  t.is(seriesValue(await telemetry.metricsText(), 'memdb_connections'), 5);
  open = 7;
  t.is(seriesValue(await telemetry.metricsText(), 'memdb_connections'), 7);
});

test('histograms count every observation in its bucket and all above', async (t) => {
  const { telemetry } = capture();
  const histogram = telemetry.histogram('request_seconds', 'Time.', { kind: 'get' });
  for (const seconds of [0.000001, 0.001, 0.0011, 99]) histogram.observe(seconds);
  const text = await telemetry.metricsText();
  const bucket = (le: string) => seriesValue(text, `memdb_request_seconds_bucket{le="${le}",kind="get"}`);
  t.is(bucket('0.00001'), 1);
  t.is(bucket('0.001'), 2);
  t.is(bucket('0.0025'), 3);
  t.is(bucket('10'), 3);
  t.is(bucket('+Inf'), 4);
  t.is(seriesValue(text, 'memdb_request_seconds_count{kind="get"}'), 4);
  t.true(Math.abs((seriesValue(text, 'memdb_request_seconds_sum{kind="get"}') ?? 0) - 99.002101) < 1e-9);
});

test('a name means one kind of metric with one set of labels', (t) => {
  const { telemetry } = capture();
  telemetry.counter('things_total', 'Things.', { kind: 'a' });
  t.throws(() => telemetry.gauge('things_total', 'Things.', () => 1));
  t.throws(() => telemetry.counter('things_total', 'Things.', { colour: 'a' }));
});

test('a scrape tells memory, CPU time and the delay of the event loop', async (t) => {
  const { telemetry } = capture();
  const text = await telemetry.metricsText();
  t.true((seriesValue(text, 'memdb_process_resident_bytes') ?? 0) > 1e6);
  t.true((seriesValue(text, 'memdb_process_cpu_user_seconds_total') ?? 0) > 0);
  t.true((seriesValue(text, 'memdb_event_loop_delay_max_seconds') ?? -1) >= 0);
});

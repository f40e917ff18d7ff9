import test from 'ava';
import { formatAddress, isLoopback, isWildcard, parseAddress } from '../../src/config/address.js';
import { nearest } from '../../src/config/nearest.js';
import { formatBytes, formatDurationMs, parseBytes, parseDurationMs } from '../../src/config/units.js';

test('sizes are read with binary, decimal and no unit', (t) => {
  t.is(parseBytes('16MiB'), 16 * 2 ** 20);
  t.is(parseBytes(' 4 KiB '), 4096);
  t.is(parseBytes('1.5GiB'), 1.5 * 2 ** 30);
  t.is(parseBytes('2MB'), 2_000_000);
  t.is(parseBytes('512'), 512);
});

test('sizes that are no whole number of bytes or carry an unknown unit are refused', (t) => {
  for (const text of ['', 'MiB', '-1', '1.5', '1 MiB2', '16mib', '16 M', '1e3', '0x10'])
    t.is(parseBytes(text), undefined, text);
});

test('times need a unit, zero alone does not', (t) => {
  t.is(parseDurationMs('100ms'), 100);
  t.is(parseDurationMs('2s'), 2000);
  t.is(parseDurationMs('1.5m'), 90_000);
  t.is(parseDurationMs('0'), 0);
  for (const text of ['100', '', 's', '1us', '0.5ms', '-1s']) t.is(parseDurationMs(text), undefined, text);
});

test('what is printed is read back as the same number', (t) => {
  for (const value of [0, 1, 1023, 1024, 16 * 2 ** 20, 2 ** 40, 2 ** 20 + 1])
    t.is(parseBytes(formatBytes(value)), value);
  for (const value of [0, 1, 999, 1000, 90_000, 3_600_000]) t.is(parseDurationMs(formatDurationMs(value)), value);
});

test('addresses are read with names, IPv4 and bracketed IPv6', (t) => {
  t.deepEqual(parseAddress('127.0.0.1:10000'), { host: '127.0.0.1', port: 10_000 });
  t.deepEqual(parseAddress('db-1.example:1'), { host: 'db-1.example', port: 1 });
  t.deepEqual(parseAddress('[::1]:65535'), { host: '::1', port: 65_535 });
  t.is(formatAddress({ host: '::1', port: 7 }), '[::1]:7');
});

test('addresses without host, without port or with a port out of range are refused', (t) => {
  for (const text of ['', ':1', 'host', 'host:', 'host:0', 'host:65536', '::1:5', 'a b:5', 'user@host:5', 'host:5/']) {
    t.is(parseAddress(text), undefined, text);
  }
});

test('loopback and wildcard hosts are told from reachable ones', (t) => {
  t.true(isLoopback('127.0.0.1') && isLoopback('localhost') && isLoopback('::1') && isLoopback('127.8.0.2'));
  t.false(isLoopback('10.0.0.1') || isLoopback('127.evil.example'));
  t.true(isWildcard('0.0.0.0') && isWildcard('::'));
  t.false(isWildcard('10.0.0.1'));
});

test('a misspelled name finds the nearest one, and gibberish finds none', (t) => {
  const names = ['node.data_dir', 'node.listen', 'limits.max_value'];
  t.is(nearest('node.datadir', names), 'node.data_dir');
  t.is(nearest('node.lisetn', names), 'node.listen');
  t.is(nearest('limit.max_values', names), 'limits.max_value');
  t.is(nearest('tls.cert', names), undefined);
});

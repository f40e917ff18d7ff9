import {
  type ConnectionUrl,
  formatSecret,
  formatSeed,
  formatUrl,
  MemDbError,
  parseSecret,
  parseSeed,
  parseUrl,
} from '@memdb/protocol';
import test from 'ava';

const secret = Uint8Array.from({ length: 32 }, (_, index) => 255 - index);
const text = formatSecret(secret);

test('a connection URL says key, seeds and options', (t) => {
  t.deepEqual(
    parseUrl(
      `memdb://app:${text}@10.0.0.1:10000,node-2.example:10001,[::1]:7/?timeout=2000&consistency=quorum&tls=true`,
    ),
    {
      keyId: 'app',
      secret,
      seeds: [
        { host: '10.0.0.1', port: 10_000 },
        { host: 'node-2.example', port: 10_001 },
        { host: '::1', port: 7 },
      ],
      timeoutMs: 2000,
      consistency: 'quorum',
      tls: true,
    },
  );
});

test('options, the slash and the port may be left out', (t) => {
  const seeds = [{ host: 'h', port: 10_000 }];
  for (const end of ['h', 'h:10000', 'h/', 'h:10000/?', 'h?']) {
    t.deepEqual(parseUrl(`memdb://app:${text}@${end}`), { keyId: 'app', secret, seeds });
  }
  t.is(parseUrl(`memdb://app:${text}@h?tls=false`).tls, false);
});

test('a URL that was written reads back to the same', (t) => {
  const urls: readonly ConnectionUrl[] = [
    { keyId: 'a.b-c_D', secret, seeds: [{ host: '::1', port: 1 }] },
    {
      keyId: 'x',
      secret: new Uint8Array(32),
      seeds: [
        { host: 'a', port: 65_535 },
        { host: 'fe80::1%eth0', port: 2 },
      ],
      timeoutMs: 1,
      consistency: 'serial',
      tls: false,
    },
  ];
  for (const url of urls) t.deepEqual(parseUrl(formatUrl(url)), url);
});

const wrong: readonly (readonly [url: string, says: RegExp])[] = [
  ['', /must have the form memdb:\/\/KEYID:SECRET@host:port/],
  ['http://app:x@h', /must have the form/],
  [`memdb://app:${text}@h:1/path`, /must have the form/],
  ['memdb://h:10000', /must have the form/],
  ['memdb://app@h:1', /names no secret.*memdb keygen/],
  [`memdb://:${text}@h:1`, /key id/],
  [`memdb://a%20b:${text}@h:1`, /key id/],
  ['memdb://app:short@h:1', /32 bytes in base64url, 43 characters; this one has 5.*memdb keygen/],
  [`memdb://app:${text.slice(1)}+@h:1`, /43 characters/],
  [`memdb://app:${text}@`, /no host:port/],
  [`memdb://app:${text}@h:1,,g:2`, /no host:port/],
  [`memdb://app:${text}@::1:10000`, /brackets/],
  [`memdb://app:${text}@h:0`, /1 to 65535/],
  [`memdb://app:${text}@h:65536`, /1 to 65535/],
  [`memdb://app:${text}@h:1/?timeout=2s`, /timeout.*milliseconds/],
  [`memdb://app:${text}@h:1/?timeout=0`, /timeout.*at least 1/],
  [`memdb://app:${text}@h:1/?consistency=most`, /one, quorum, all, serial/],
  [`memdb://app:${text}@h:1/?consistency=toString`, /one, quorum, all, serial/],
  [`memdb://app:${text}@h:1/?tls`, /true or false/],
  [`memdb://app:${text}@h:1/?retries=3`, /"retries"; known are timeout, consistency and tls/],
  [`memdb://app:${text}@h:1/?tls=true&tls=true`, /tls twice/],
];

for (const [url, says] of wrong) {
  test(`a URL that is wrong says what to change: ${url.replace(text, 'SECRET').replace(text.slice(1), 'SECRE')}`, (t) => {
    const error = t.throws(() => parseUrl(url), { instanceOf: MemDbError, message: says });
    t.is(error?.code, 'bad-request');
    t.is(error?.outcome, 'not-applied');
    t.false(error?.message.includes(text.slice(1)), 'the secret is not repeated');
  });
}

test('secrets and seeds stand for themselves too', (t) => {
  t.deepEqual(parseSecret(text), secret);
  t.is(text.length, 43);
  t.throws(() => formatSecret(new Uint8Array(31)), { instanceOf: RangeError });
  t.is(formatSeed(parseSeed('[::1]')), '[::1]:10000');
  t.is(formatSeed(parseSeed('localhost:5')), 'localhost:5');
});

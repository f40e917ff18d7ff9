import { matchAdminKey } from '@memdb/clustermanager/parts/auth/admin-keys.js';
import { RateLimit } from '@memdb/clustermanager/parts/auth/rate-limit.js';
import { Tokens } from '@memdb/clustermanager/parts/auth/tokens.js';
import test from 'ava';
import fc from 'fast-check';

const keys = [
  { id: 'ops', secret: new Uint8Array(32).fill(7) },
  { id: 'spare', secret: new Uint8Array(32).fill(8) },
];
const secret = Buffer.alloc(32, 7).toString('base64url');

test('the admin key is recognised as secret, with its id, and as a URL; another id or secret is not', (t) => {
  t.is(matchAdminKey(secret, keys), 'ops');
  t.is(matchAdminKey(` ops:${secret}\n`, keys), 'ops');
  t.is(matchAdminKey(`memdb://ops:${secret}@10.0.0.1:10000,10.0.0.2:10000/?timeout=1`, keys), 'ops');
  t.is(matchAdminKey(`spare:${secret}`, keys), undefined);
  t.is(matchAdminKey(`ops:${Buffer.alloc(32, 9).toString('base64url')}`, keys), undefined);
  for (const nothing of ['', ':', 'ops', 'ops:', 'memdb://', '@']) t.is(matchAdminKey(nothing, keys), undefined);
});

test('a token is good until it expires, at any manager that has the key, and no longer than the key', (t) => {
  const token = new Tokens(keys, undefined).issue('spare', 5000);
  t.deepEqual(new Tokens(keys, undefined).verify(token, 4999), { name: 'spare', expiresAtMs: 5000 });
  t.is(new Tokens(keys, undefined).verify(token, 5000), undefined);
  t.is(new Tokens(keys.slice(0, 1), undefined).verify(token, 1), undefined);
  const changed = [keys[0], { id: 'spare', secret: new Uint8Array(32).fill(1) }].filter((key) => key !== undefined);
  t.is(new Tokens(changed, undefined).verify(token, 1), undefined);
});

test('a token that was changed in any character is refused, and so is everything that is none', (t) => {
  const tokens = new Tokens(keys, undefined);
  const token = tokens.issue('ops', 5000);
  for (let at = 0; at < token.length; at++) {
    const other = token[at] === 'A' ? 'B' : 'A';
    const forged = token.slice(0, at) + other + token.slice(at + 1);
    // The last character of 32 bytes in base64 carries four bits: two spellings may mean the same, and still differ.
    t.is(tokens.verify(forged, 1), undefined, `changed at ${at}`);
  }
  fc.assert(fc.property(fc.string(), (text) => tokens.verify(text, 1) === undefined));
  fc.assert(fc.property(fc.string(), fc.string(), (a, b) => tokens.verify(`mdb1.${a}.${b}`, 1) === undefined));
});

test('the configured token is accepted for ever, and none is when none is configured', (t) => {
  t.deepEqual(new Tokens(keys, 'of-the-operator').verify('of-the-operator', Number.MAX_SAFE_INTEGER), {
    name: 'configured-token',
    expiresAtMs: undefined,
  });
  t.is(new Tokens(keys, 'of-the-operator').verify('of-the-operato', 1), undefined);
  t.is(new Tokens(keys, undefined).verify('', 1), undefined);
});

test('failures use up attempts, time gives them back, and one address does not spend those of another', (t) => {
  const limit = new RateLimit({ burst: 3, refillMs: 1000, sourcesMax: 10 });
  for (let attempt = 0; attempt < 3; attempt++) {
    t.is(limit.waitMs('a', 0), 0);
    limit.fail('a', 0);
  }
  t.is(limit.waitMs('a', 0), 1000);
  t.is(limit.waitMs('a', 600), 400);
  t.is(limit.waitMs('b', 0), 0);
  t.is(limit.waitMs('a', 1000), 0);
});

test('addresses that are remembered have a bound, and the longest quiet one is forgotten', (t) => {
  const limit = new RateLimit({ burst: 1, refillMs: 1000, sourcesMax: 2 });
  limit.fail('a', 0);
  limit.fail('b', 0);
  limit.fail('a', 1);
  limit.fail('c', 2);
  t.true(limit.waitMs('a', 2) > 0);
  t.is(limit.waitMs('b', 2), 0);
});

import test from 'ava';
import { ConfigError } from '../../src/config/config-error.js';
import { formatKey, formatSecret, KeyRing, parseKeys, parseSecret, type SharedKey } from '../../src/config/key-ring.js';

function key(id: string, role: SharedKey['role'], fill: number): SharedKey {
  return { id, role, secret: new Uint8Array(32).fill(fill) };
}

function messages(text: string): readonly string[] {
  try {
    parseKeys('keys.toml', text);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((problem) => problem.message);
    throw error;
  }
  return [];
}

test('a keys file round-trips, and several ids of one role are valid at once', (t) => {
  const keys = [key('old', 'client', 1), key('new', 'client', 2), key('n', 'node', 3), key('old', 'admin', 4)];
  const ring = parseKeys('keys.toml', keys.map(formatKey).join('\n'));
  t.deepEqual(ring.secret('client', 'old'), keys[0]?.secret);
  t.deepEqual(ring.secret('client', 'new'), keys[1]?.secret);
  t.deepEqual(ring.secret('admin', 'old'), keys[3]?.secret);
  t.is(ring.secret('node', 'old'), undefined);
  t.is(ring.preferred('client')?.id, 'old');
});

test('whoever holds a ring sees its keys replaced', (t) => {
  const ring = new KeyRing([key('a', 'client', 1)]);
  ring.replaceWith(new KeyRing([key('b', 'client', 2)]));
  t.is(ring.secret('client', 'a'), undefined);
  t.is(ring.preferred('client')?.id, 'b');
});

test('a secret is exactly 32 bytes of base64url', (t) => {
  const secret = Uint8Array.from({ length: 32 }, (_, index) => index * 7);
  t.deepEqual(parseSecret(formatSecret(secret)), secret);
  t.is(parseSecret(formatSecret(secret.subarray(1))), undefined);
  t.is(parseSecret(`${formatSecret(secret)}=`), undefined);
  t.is(parseSecret('+'.repeat(43)), undefined);
});

test('every fault of a keys file is named with its place, and no secret is shown', (t) => {
  const good = formatSecret(new Uint8Array(32).fill(9));
  const text = [
    `[[key]]\nid = "a"\nrole = "client"\nsecret = "${good}"`,
    `[[key]]\nid = "a"\nrole = "client"\nsecret = "${good}"`,
    `[[key]]\nid = "b"\nrole = "root"\nsecret = "${good}"`,
    '[[key]]\nid = "c"\nrole = "node"\nsecret = "hunter2"',
    `[[key]]\nid = ""\nrole = "node"\nsecret = "${good}"\ncomment = "x"`,
  ].join('\n');
  const found = messages(text);
  t.is(found.length, 5);
  t.true(found.some((line) => line.startsWith('key 2: the id "a" appears twice')));
  t.true(found.some((line) => line.startsWith('key 3: role must be one of')));
  t.true(found.some((line) => line.startsWith('key 4: secret must be 32 bytes')));
  t.true(found.some((line) => line.startsWith('key 5: unknown entry comment')));
  t.true(found.some((line) => line.startsWith('key 5: id must be')));
  t.false(found.some((line) => line.includes('hunter2') || line.includes(good)));
});

test('an empty file and broken TOML are refused without quoting the file', (t) => {
  t.regex(messages('')[0] ?? '', /holds no \[\[key\]\] table/);
  const broken = messages('[[key]]\nsecret = "topsecret\n');
  t.regex(broken[0] ?? '', /^line 2, column \d+: not valid TOML$/);
});

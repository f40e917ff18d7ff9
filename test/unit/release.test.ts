import { readFileSync } from 'node:fs';
import test from 'ava';
import { RELEASE } from '../../src/model/release.js';

test('the release that nodes tell of is that of the package', (t) => {
  const manifest: unknown = JSON.parse(readFileSync('package.json', 'utf8'));
  t.like(manifest, { version: RELEASE });
});

import { closeSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@memdb/client';
import test from 'ava';
import { startDev, stopDev } from './dev-process.js';
import { runMemDb, temporaryDirectory } from './memdb-process.js';

const COUNT = 3000;
const key = (index: number): string => `row:${index}`;
const value = (index: number): Uint8Array =>
  Uint8Array.from({ length: index % 600 }, (_, at) => (at * 31 + index) % 256);

function flip(path: string, offset: number): void {
  const descriptor = openSync(path, 'r+');
  const byte = new Uint8Array(1);
  readSync(descriptor, byte, 0, 1, offset);
  byte[0] ^= 0x40;
  writeSync(descriptor, byte, 0, 1, offset);
  closeSync(descriptor);
}

test.serial(
  'a backup of a cluster under load is restored into a fresh cluster of another size, byte for byte',
  async (t) => {
    const directory = temporaryDirectory(t);
    const backup = join(directory, 'backup');
    const first = await startDev(t, directory);
    const here = { directory };
    const db = await connect(first.cluster().clientUrl);
    const rows = Array.from({ length: COUNT }, (_, index): [string, Uint8Array] => [key(index), value(index)]);
    for (const { error } of await db.setMany(rows)) t.is(error, undefined);
    t.is((await runMemDb(t, ['delete', key(0)], here)).code, 0);

    let loading = true;
    const load = (async () => {
      for (let round = 0; loading; round++) await db.set(`load:${round % 500}`, `${round}`);
    })();
    const full = await runMemDb(t, ['backup', '--to', 'backup', '--json'], here);
    t.is(full.code, 0, full.stderr);
    const { freshBytes, nodes } = JSON.parse(full.stdout.toString());
    t.is(nodes.length, 3);
    await db.set(key(1), 'changed after the first backup');
    const second = await runMemDb(t, ['backup', '--to', 'backup'], here);
    t.regex(second.stdout.toString(), /new since the backup before/);
    const third = JSON.parse((await runMemDb(t, ['backup', '--to', 'backup', '--json'], here)).stdout.toString());
    t.true(third.incremental && third.freshBytes < freshBytes / 2);
    loading = false;
    await load;
    await db.close();
    for (const { pid } of first.cluster().nodes) process.kill(pid ?? 0, 'SIGKILL');
    await stopDev(first);

    t.regex((await runMemDb(t, ['log', 'verify', 'backup'], here)).stdout.toString(), /sound/);
    const counted = JSON.parse(
      (await runMemDb(t, ['restore', '--from', 'backup', '--dry-run', '--json'], here)).stdout.toString(),
    );
    t.is(counted.deleted, 1);

    const other = temporaryDirectory(t);
    const fresh = await startDev(t, other, { words: ['--nodes', '2'] });
    const there = { directory: other };
    const restored = await runMemDb(t, ['restore', '--from', backup], there);
    t.is(restored.code, 0, restored.stderr);
    const again = await connect(fresh.cluster().clientUrl);
    const found = await again.getManyBytes(rows.map(([name]) => name));
    for (const [index, { value: bytes, error }] of found.entries()) {
      t.is(error, undefined);
      if (index === 0) t.is(bytes, undefined);
      else if (index === 1) t.is(Buffer.from(bytes ?? []).toString(), 'changed after the first backup');
      else t.deepEqual(bytes === undefined ? undefined : Uint8Array.from(bytes), value(index));
    }
    const keys = await runMemDb(t, ['keys', '--prefix', 'row:'], there);
    t.is(keys.stdout.toString().trim().split('\n').length, COUNT - 1);
    await again.close();

    const refused = await runMemDb(t, ['restore', '--from', backup, '--json'], there);
    t.is(refused.code, 1);
    t.is(JSON.parse(refused.stdout.toString()).error.code, 'cluster-not-empty');
    t.regex((await runMemDb(t, ['restore', '--from', backup, '--merge'], there)).stdout.toString(), /^0 keys restored/);
    t.is(await stopDev(fresh), 0);

    const node = join(backup, 'nodes', readdirSync(join(backup, 'nodes'))[0]);
    flip(join(node, readdirSync(node)[0]), 4242);
    const verified = await runMemDb(t, ['log', 'verify', backup, '--json'], here);
    t.is(verified.code, 1);
    const [damage] = JSON.parse(verified.stdout.toString()).damage;
    t.true(damage.file.endsWith(readdirSync(node)[0]));
    t.true(damage.offset <= 4242 && 4242 - damage.offset < 1000);
    const spoilt = await runMemDb(t, ['restore', '--from', backup, '--dry-run'], here);
    t.is(spoilt.code, 1);
    t.regex(spoilt.stderr, /damaged at offset \d+/);
    t.is((await runMemDb(t, ['log', 'verify', other], here)).code, 1);
  },
);

import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Client, connect } from '@memdb/client';

/**
 * How soon a flipped bit is found and repaired: three real nodes with a million keys, a bit flipped in a file of one, in
 * its memory (through /proc, as root), and in both at once, where only the other replicas can help.
 * `node dist/test/micro/bit-flips.js [keys]`
 */
const keyCount = Number(process.argv[2] ?? 1_000_000);
const BATCH = 2000;
const VALUE = 'x'.repeat(100);
const PORT = 21_400;

interface NodeEntry {
  readonly http: string;
  readonly pid: number;
  readonly dataDir: string;
}

const directory = mkdtempSync(join(tmpdir(), 'memdb-bits-'));
const memdb = fileURLToPath(new URL('../../../bin/memdb.js', import.meta.url));
const words = ['dev', '--nodes', '3', '--data', directory, '--port', `${PORT}`];
const cluster = spawn(process.execPath, [memdb, ...words], { stdio: 'ignore' });
try {
  await main();
} finally {
  cluster.kill('SIGINT');
  await new Promise((resolve) => cluster.once('exit', resolve));
  rmSync(directory, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const { clientUrl, nodes } = await started();
  const db = await connect(clientUrl, { timeoutMs: 20_000 });
  const loadedMs = performance.now();
  await load(db);
  say(`${keyCount} keys loaded in ${seconds(loadedMs)}`);
  const [node] = nodes;
  if (node === undefined) throw new Error('no node');
  await cpuAtRest(node);
  await flipped(db, node, 'file', 'scrub_repaired_total{where="file"}');
  await flipped(db, node, 'memory', 'scrub_repaired_total{where="memory"}');
  await flipped(db, node, 'both', 'audit_repaired_total');
  await db.close();
}

async function started(): Promise<{ clientUrl: string; nodes: NodeEntry[] }> {
  for (;;) {
    await sleep(200);
    try {
      return JSON.parse(readFileSync(join(directory, 'cluster.json'), 'utf8')) as {
        clientUrl: string;
        nodes: NodeEntry[];
      };
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
}

async function load(db: Client): Promise<void> {
  for (let first = 0; first < keyCount; first += BATCH) {
    const entries: [string, string][] = [];
    for (let key = first; key < Math.min(first + BATCH, keyCount); key++) entries.push([nameOf(key), textOf(key)]);
    for (const result of await db.setMany(entries)) if (result.error !== undefined) throw result.error;
  }
}

function nameOf(key: number): string {
  return `key:${String(key).padStart(12, '0')}`;
}

function textOf(key: number): string {
  return `${key}:${VALUE}`.slice(0, 100);
}

/** Processor time of one node over ten seconds in which nobody asks it anything. */
async function cpuAtRest(node: NodeEntry): Promise<void> {
  await sleep(5000);
  const before = ticksOf(node.pid);
  await sleep(10_000);
  say(`at rest a node takes ${((ticksOf(node.pid) - before) / 10).toFixed(1)} % of a core`);
}

/** Hundredths of a second of the processor. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

async function flipped(db: Client, node: NodeEntry, where: string, metric: string): Promise<void> {
  const key = Math.floor(keyCount * (where === 'both' ? 0.4 : 0.6)) + where.length;
  const needle = Buffer.from(nameOf(key) + textOf(key));
  const before = await read(node, metric);
  const found = await read(node, 'scrub_corrupt_total');
  let places = 0;
  if (where !== 'memory') places += flipInFiles(node, needle);
  if (where !== 'file') places += flipInMemory(node, needle);
  if (places === 0) throw new Error(`the record of ${nameOf(key)} was not found`);
  const startedMs = performance.now();
  while ((await read(node, metric)) === before) {
    if (performance.now() - startedMs > 300_000) throw new Error(`${where}: not repaired within five minutes`);
    await sleep(100);
  }
  const corrupt = (await read(node, 'scrub_corrupt_total')) - found;
  say(`a bit flipped in ${where}: repaired after ${seconds(startedMs)} (${metric}), ${corrupt} damaged place(s) found`);
  const value = await db.get(nameOf(key));
  if (value !== textOf(key)) throw new Error(`${nameOf(key)} reads ${value}`);
}

/** The sum over all labels that are not named. */
async function read(node: NodeEntry, metric: string): Promise<number> {
  const text = await (await fetch(`http://${node.http}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`memdb_${metric}`));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

function flipInFiles(node: NodeEntry, needle: Buffer): number {
  const log = join(node.dataDir, 'log');
  for (const name of readdirSync(log)) {
    const path = join(log, name);
    const at = readFileSync(path).indexOf(needle);
    if (at < 0) continue;
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.of((needle[20] ?? 0) ^ 4), 0, 1, at + 20);
    closeSync(file);
    return 1;
  }
  return 0;
}

/** Every copy of the record in the node's memory; those in buffers that were used before do no harm. */
function flipInMemory(node: NodeEntry, needle: Buffer): number {
  let flips = 0;
  const memory = openSync(`/proc/${node.pid}/mem`, 'r+');
  for (const line of readFileSync(`/proc/${node.pid}/maps`, 'utf8').split('\n')) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) rw.. \S+ \S+ 0 *$/.exec(line);
    if (match === null) continue;
    const [, from = '', to = ''] = match;
    const start = Number.parseInt(from, 16);
    const bytes = Buffer.alloc(Number.parseInt(to, 16) - start);
    const length = readSync(memory, bytes, 0, bytes.length, start);
    for (let at = bytes.indexOf(needle); at >= 0 && at < length; at = bytes.indexOf(needle, at + 1)) {
      writeSync(memory, Buffer.of((needle[20] ?? 0) ^ 2), 0, 1, start + at + 20);
      flips++;
    }
  }
  closeSync(memory);
  return flips;
}

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/**
 * Counts the words of text files with counters of a running development cluster, from several writers at once, while
 * nodes are killed and started again (they run below this program, and stop with it); then compares every count with one that a single process made of the same files.
 *
 *     npm start                                          # in one terminal
 *     npx tsx examples/word-count.ts FILE...             # in another
 *
 * Plain adds are never sent twice, so an add whose answer was lost may count or not: each count lies between the adds
 * that were acknowledged and those with the unknown ones on top, and the program prints both.
 *
 * Options: --data DIR (default .memdb), --no-kill, --writers N (default 8), --concurrency N (adds of one writer under way,
 * default 64), --json. Ends with 0 when every count lies where it must.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Client, connect, MemDbError } from '@memdb/client';

/** How often one add is tried that surely had no effect, and a read. */
const attemptsMax = 40;
const pauseMs = 100;
/** Nodes are killed when so many parts of all words are counted. */
const kills = [0.25, 0.6];

interface ClusterFile {
  readonly clientUrl: string;
  readonly nodes: readonly { readonly id: string; readonly address: string; readonly pid: number | null }[];
}

interface Tally {
  expected: bigint;
  acknowledged: bigint;
  unknown: bigint;
}

interface Report {
  files: readonly string[];
  words: number;
  distinct: number;
  countSeconds: number;
  addsPerSecond: number;
  killed: string[];
  acknowledged: number;
  unknown: number;
  /** Adds that were refused without effect, and made again. */
  repeated: number;
  /** Counts that are those of the single process, and those that are not but lie within the bounds. */
  exact: number;
  withinBounds: number;
  outOfBounds: number;
}

const { values: options, positionals: files } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string', default: '.memdb' },
    'no-kill': { type: 'boolean', default: false },
    writers: { type: 'string', default: '8' },
    concurrency: { type: 'string', default: '64' },
    json: { type: 'boolean', default: false },
  },
});
const writers = Number(options.writers);
const concurrency = Number(options.concurrency);
if (files.length === 0 || !(writers >= 1) || !(concurrency >= 1)) {
  process.stderr.write(
    'usage: word-count.ts FILE... [--data DIR] [--no-kill] [--writers N] [--concurrency N] [--json]\n',
  );
  process.exit(2);
}

/** Nodes that were started again; they run below this program. */
const started: ChildProcess[] = [];

/** Each run counts under names of its own. */
const prefix = `words:${process.pid}:${Date.now()}:`;
const words = files.flatMap((file) => wordsOf(readFileSync(file, 'utf8')));
const tallies = new Map<string, Tally>();
for (const word of words) {
  const tally = tallies.get(word);
  if (tally === undefined) tallies.set(word, { expected: 1n, acknowledged: 0n, unknown: 0n });
  else tally.expected++;
}
const report: Report = {
  files,
  words: words.length,
  distinct: tallies.size,
  countSeconds: 0,
  addsPerSecond: 0,
  killed: [],
  acknowledged: 0,
  unknown: 0,
  repeated: 0,
  exact: 0,
  withinBounds: 0,
  outOfBounds: 0,
};

const cluster = readCluster();
const clients = await Promise.all(
  Array.from({ length: writers }, () => connect(cluster.clientUrl, { timeoutMs: 5_000 })),
);
try {
  const begin = performance.now();
  await countAll();
  report.countSeconds = (performance.now() - begin) / 1000;
  report.addsPerSecond = Math.round(words.length / report.countSeconds);
  await compareAll();
} finally {
  await Promise.all(clients.map((client) => client.close()));
  for (const child of started) child.kill('SIGTERM');
}
process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describe(report));
process.exitCode = report.outOfBounds === 0 ? 0 : 1;

/** Lower case, split at spaces and punctuation. */
function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Every writer takes the next word that nobody has taken. */
async function countAll(): Promise<void> {
  const entries = words.entries();
  const dueAt = options['no-kill'] ? [] : kills.map((part) => Math.floor(words.length * part));
  const worker = async (client: Client): Promise<void> => {
    for (const [index, word] of entries) {
      if (dueAt.includes(index)) killOneNode();
      await count(client, word);
    }
  };
  await Promise.all(clients.flatMap((client) => Array.from({ length: concurrency }, () => worker(client))));
}

async function count(client: Client, word: string): Promise<void> {
  const tally = tallyOf(word);
  for (let attempt = 1; ; attempt++) {
    try {
      await client.counter(prefix + word).add(1n);
      tally.acknowledged++;
      report.acknowledged++;
      return;
    } catch (error) {
      if (!(error instanceof MemDbError)) throw error;
      if (error.outcome === 'unknown') {
        tally.unknown++;
        report.unknown++;
        return;
      }
      // It had no effect, now or later: the one case in which an add may be made again.
      if (!error.retryable || attempt === attemptsMax) throw error;
      report.repeated++;
      await pause();
    }
  }
}

async function compareAll(): Promise<void> {
  // One word each at a time, by all writers.
  const entries = tallies.entries();
  const worker = async (client: Client): Promise<void> => {
    for (const [word, { expected, acknowledged, unknown }] of entries) {
      const value = await read(client, word);
      if (value === expected) report.exact++;
      else if (value >= acknowledged && value <= acknowledged + unknown) report.withinBounds++;
      else {
        report.outOfBounds++;
        process.stderr.write(`${word}: ${value}, acknowledged ${acknowledged}, unknown ${unknown}\n`);
      }
    }
  };
  await Promise.all(clients.flatMap((client) => Array.from({ length: concurrency }, () => worker(client))));
}

async function read(client: Client, word: string): Promise<bigint> {
  for (let attempt = 1; ; attempt++) {
    try {
      // All replicas: an add that one of them acknowledged is counted, whoever has died since and come back.
      return await client.counter(prefix + word).get({ consistency: 'all' });
    } catch (error) {
      if (!(error instanceof MemDbError) || !error.retryable || attempt === attemptsMax) throw error;
      await pause();
    }
  }
}

function tallyOf(word: string): Tally {
  const tally = tallies.get(word);
  if (tally === undefined) throw new Error(`nobody has seen the word ${word}`);
  return tally;
}

/** Kills the last node that runs, and has it started again: what it acknowledged alone is on its disk. */
function killOneNode(): void {
  const running = readCluster().nodes.filter((node) => node.pid !== null);
  const victim = running[running.length - 1 - (report.killed.length % running.length)];
  if (victim?.pid == null) return;
  process.kill(victim.pid, 'SIGKILL');
  report.killed.push(victim.address);
  const index = readCluster().nodes.findIndex(({ address }) => address === victim.address);
  const again = (): void => {
    const memdb = join(import.meta.dirname, '..', 'bin', 'memdb.js');
    const command = ['dev', 'start', `${index + 1}`, '--data', options.data];
    started.push(spawn(process.execPath, [memdb, ...command], { stdio: 'ignore' }));
  };
  setTimeout(again, 500);
}

function readCluster(): ClusterFile {
  const path = join(options.data, 'cluster.json');
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ClusterFile;
  } catch (error) {
    process.stderr.write(
      `word-count: no running cluster (${path}): start one with \`npm start\`, or pass --data DIR\n`,
    );
    process.stderr.write(`  ${error instanceof Error ? error.message : String(error)}\n`);
    return process.exit(4);
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, pauseMs));
}

function describe(result: Report): string {
  const count = (value: number): string => value.toLocaleString('en');
  const rows: [string, string][] = [
    ['files', result.files.join(' ')],
    ['words', `${count(result.words)}, ${count(result.distinct)} distinct`],
    ['counted', `${result.countSeconds.toFixed(2)} s, ${count(result.addsPerSecond)} adds/s by ${writers} writers`],
    ['killed', result.killed.length === 0 ? 'no node' : `${result.killed.join(', ')}, with SIGKILL; started again`],
    [
      'adds',
      `${count(result.acknowledged)} acknowledged, ${count(result.unknown)} of unknown outcome, ${count(result.repeated)} refused and repeated`,
    ],
    ['bounds', `${count(result.acknowledged)} ≤ sum of all counts ≤ ${count(result.acknowledged + result.unknown)}`],
    [
      'compared',
      `${count(result.exact)} counts exact, ${count(result.withinBounds)} within their bounds, ${count(result.outOfBounds)} OUT OF BOUNDS`,
    ],
  ];
  return `${rows.map(([name, text]) => `${name.padEnd(10)} ${text}`).join('\n')}\n`;
}

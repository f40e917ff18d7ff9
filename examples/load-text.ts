/**
 * Stores every line of a text file in a running development cluster, kills one node half-way, reads everything back
 * from a quorum and compares byte for byte.
 *
 *     npm start                                          # in one terminal
 *     npx tsx examples/load-text.ts FILE                 # in another
 *
 * Options: --data DIR (default .memdb), --no-kill, --concurrency N (default 256), --json.
 * Ends with 0 when every line came back as it was stored.
 */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Client, connect, MemDbError } from '@memdb/client';

/** How often one line is tried before the example gives up: a node's death takes one or two. */
const attemptsMax = 20;

interface ClusterFile {
  readonly clientUrl: string;
  readonly nodes: readonly { readonly address: string; readonly pid: number | null }[];
}

interface Report {
  file: string;
  lines: number;
  bytes: number;
  writeSeconds: number;
  readSeconds: number;
  operationsPerSecond: number;
  killed: string | null;
  /** Second and further attempts: the client's own, and those of this program. */
  retries: number;
  /** Writes that ended with an unknown outcome; of those, found stored, and written once more. */
  unknown: number;
  unknownStored: number;
  unknownRewritten: number;
  mismatches: number;
  /** Reads in which not all replicas gave the same answer, and in which ways. */
  disagreements: number;
  disagreementKinds: Record<string, number>;
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string', default: '.memdb' },
    'no-kill': { type: 'boolean', default: false },
    concurrency: { type: 'string', default: '256' },
    json: { type: 'boolean', default: false },
  },
});
const file = positionals[0];
const concurrency = Number(options.concurrency);
if (file === undefined || !Number.isInteger(concurrency) || concurrency < 1) {
  process.stderr.write('usage: load-text.ts FILE [--data DIR] [--no-kill] [--concurrency N] [--json]\n');
  process.exit(2);
}

const cluster = readCluster(join(options.data, 'cluster.json'));
const lines = splitLines(readFileSync(file));
const keyOf = (index: number): string => `${basename(file)}:${index + 1}`;

const report: Report = {
  file,
  lines: lines.length,
  bytes: lines.reduce((sum, line) => sum + line.length, 0),
  writeSeconds: 0,
  readSeconds: 0,
  operationsPerSecond: 0,
  killed: null,
  retries: 0,
  unknown: 0,
  unknownStored: 0,
  unknownRewritten: 0,
  mismatches: 0,
  disagreements: 0,
  disagreementKinds: {},
};

const client = await connect(cluster.clientUrl, { timeoutMs: 5_000 });
try {
  report.writeSeconds = await timed(() => store(client));
  report.readSeconds = await timed(() => readBack(client));
  report.retries += client.stats.retries;
} finally {
  await client.close();
}
report.operationsPerSecond = Math.round((2 * lines.length) / (report.writeSeconds + report.readSeconds));
process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describe(report));
process.exitCode = report.mismatches === 0 ? 0 : 1;

async function store(db: Client): Promise<void> {
  const half = Math.floor(lines.length / 2);
  await forEachLine(async (index, line) => {
    if (index === half && !options['no-kill']) killOneNode();
    await storeLine(db, keyOf(index), line);
  });
}

/** Stores one line whatever happens to the nodes. An unknown outcome is settled by looking. */
async function storeLine(db: Client, key: string, line: Uint8Array): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.set(key, line, { consistency: 'quorum' });
    } catch (error) {
      if (!(error instanceof MemDbError) || !error.retryable || attempt === attemptsMax) throw error;
      report.retries++;
      if (error.outcome !== 'unknown') continue;
      report.unknown++;
      const { bytes } = await quorumGet(db, key);
      if (bytes !== undefined && sameBytes(bytes, line)) {
        report.unknownStored++;
        return;
      }
      // Writing it again is safe here: the first copy, should it still arrive, carries the same bytes.
      report.unknownRewritten++;
    }
  }
}

async function readBack(db: Client): Promise<void> {
  await forEachLine(async (index, line) => {
    const { bytes, responses, stamp } = await quorumGet(db, keyOf(index));
    if (bytes === undefined || !sameBytes(bytes, line)) report.mismatches++;
    const kinds = new Set<string>();
    for (const response of responses) {
      if (response.error !== undefined) kinds.add(response.error.code);
      else if (response.stamp?.counter !== stamp.counter || response.stamp.node !== stamp.node) {
        kinds.add(response.bytes === undefined ? 'absent' : 'older value');
      }
    }
    if (kinds.size > 0) report.disagreements++;
    for (const kind of kinds) report.disagreementKinds[kind] = (report.disagreementKinds[kind] ?? 0) + 1;
  });
}

/** Reads may always be repeated. */
async function quorumGet(db: Client, key: string): ReturnType<Client['quorumGet']> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.quorumGet(key);
    } catch (error) {
      if (!(error instanceof MemDbError) || !error.retryable || attempt === attemptsMax) throw error;
      report.retries++;
    }
  }
}

/** Runs `work` for all lines in order of starting, `concurrency` at a time. */
async function forEachLine(work: (index: number, line: Uint8Array) => Promise<void>): Promise<void> {
  const entries = lines.entries();
  const worker = async (): Promise<void> => {
    for (const [index, line] of entries) await work(index, line);
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, lines.length) }, worker));
}

function killOneNode(): void {
  const victim = cluster.nodes.findLast((node) => node.pid !== null);
  if (victim === undefined || victim.pid === null) return;
  process.kill(victim.pid, 'SIGKILL');
  report.killed = victim.address;
}

function readCluster(path: string): ClusterFile {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ClusterFile;
  } catch (error) {
    process.stderr.write(`load-text: no running cluster (${path}): start one with \`npm start\`, or pass --data DIR\n`);
    process.stderr.write(`  ${error instanceof Error ? error.message : String(error)}\n`);
    return process.exit(4);
  }
}

/** The bytes between line feeds; what follows the last one is a line only when it is not empty. */
function splitLines(content: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  let start = 0;
  while (start < content.length) {
    const feed = content.indexOf(0x0a, start);
    const end = feed === -1 ? content.length : feed;
    found.push(content.subarray(start, end));
    start = end + 1;
  }
  return found;
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

function describe(result: Report): string {
  const perSecond = (seconds: number): string => Math.round(result.lines / seconds).toLocaleString('en');
  const kinds = Object.entries(result.disagreementKinds).map(([kind, count]) => `${count} × ${kind}`);
  const rows: [string, string][] = [
    ['file', result.file],
    ['lines', `${result.lines.toLocaleString('en')} (${result.bytes.toLocaleString('en')} bytes)`],
    ['stored', `${result.writeSeconds.toFixed(2)} s, ${perSecond(result.writeSeconds)} operations/s at quorum`],
    ['read back', `${result.readSeconds.toFixed(2)} s, ${perSecond(result.readSeconds)} operations/s with quorumGet`],
    ['killed', result.killed === null ? 'no node' : `${result.killed}, half-way, with SIGKILL`],
    ['retries', String(result.retries)],
    [
      'unknown',
      `${result.unknown} writes; ${result.unknownStored} found stored, ${result.unknownRewritten} written again`,
    ],
    ['disagreed', `${result.disagreements} reads${kinds.length === 0 ? '' : ` (${kinds.join(', ')})`}`],
    ['compared', result.mismatches === 0 ? 'every line came back byte for byte' : `${result.mismatches} lines DIFFER`],
  ];
  return `${rows.map(([name, text]) => `${name.padEnd(10)} ${text}`).join('\n')}\n`;
}

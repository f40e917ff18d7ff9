import { GENERATOR_CORE } from '../children.js';
import type { Context } from '../context.js';
import { type GeneratorHandle, startGenerator, startScanner } from '../generators/generator-handle.js';
import type { RunResult } from '../generators/jobs.js';
import { startMemdb } from '../peers/memdb.js';
import { CONNECTIONS, fill } from './beside-redis.js';
import { prepare, type Side } from './rounds.js';
import { type Rounds, rowOfRounds } from './row.js';

const KEYS = 1_000_000;
/** Requests a second: about half of what one core answers when they come one by one. */
const RATE = 20_000;
/** One client that lists keys, and as many as a node serves at once. */
const SCANS: readonly number[] = [1, 6];

/** What scans do to everybody else: GET at a set rate while all of a million keys are listed, and while they are not. */
export async function scanRows(context: Context): Promise<void> {
  const { children, options, progress, rows, notes } = context;
  const memdb = await startMemdb(children, {
    durability: 'none',
    nodes: 1,
    profileDirectory: options.profileDirectory,
  });
  const generator = startGenerator(children, 'memdb', GENERATOR_CORE, memdb.credentials);
  await generator.connect(memdb.ports, CONNECTIONS);
  const side: Side = { generator, pids: memdb.pids };
  progress('a million keys for scans');
  await fill([side], 0, KEYS);
  await prepare([side], 'get', KEYS);
  for (const scans of SCANS) {
    const scanner = startScanner(children, GENERATOR_CORE, memdb.credentials);
    await scanner.connect(memdb.ports, scans);
    const title = `GET at ${RATE} a second, ${scans === 1 ? 'a scan' : `${scans} scans`}`;
    progress(title);
    const { rounds, keysPerSecond } = await alternate(context, side, scanner);
    rows.push(rowOfRounds(title, 'no scan', rounds, {}));
    notes.push(`${title}: ${Math.round(keysPerSecond).toLocaleString('en')} keys listed a second`);
    await scanner.stop();
  }
  await generator.stop();
  await memdb.stop();
}

async function alternate(
  context: Context,
  side: Side,
  scanner: GeneratorHandle,
): Promise<{ readonly rounds: Rounds; readonly keysPerSecond: number }> {
  const { rounds, seconds } = context.options;
  const load = { kind: 'open', rate: RATE, seconds, serverPids: side.pids } as const;
  const list = { kind: 'scan', keyCount: KEYS, seconds, serverPids: side.pids } as const;
  await Promise.all([side.generator.measure(load), scanner.measure(list)]);
  const results: { memdb: RunResult[]; peer: RunResult[] } = { memdb: [], peer: [] };
  const listed: RunResult[] = [];
  for (let round = 0; round < rounds; round++) {
    const [measured, scan] = await Promise.all([side.generator.measure(load), scanner.measure(list)]);
    results.memdb.push(measured);
    listed.push(scan);
    results.peer.push(await side.generator.measure(load));
  }
  const rates = listed.map(({ operations, seconds: passed }) => operations / passed);
  return { rounds: results, keysPerSecond: rates.reduce((sum, rate) => sum + rate, 0) / rates.length };
}

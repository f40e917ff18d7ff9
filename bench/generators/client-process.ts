/**
 * The process that calls a client library through its public interface, `client-process.js LIBRARY`: `depth` callers,
 * each of which awaits its answer before it asks again. It speaks the generator's jobs.
 */
import { cpuNanoseconds } from '../cpu-time.js';
import type { Job, RunResult } from './jobs.js';
import { keyText, randomOrder, valueText } from './key-space.js';
import type { Operation } from './request-pool.js';

const POOL_REQUESTS = 131_072;
const LEAD_MS = 100;
/** Every so many-th value is compared in full. */
const COMPARED = 64;

interface Library {
  get(key: string): Promise<string | null | undefined>;
  set(key: string, value: string): Promise<unknown>;
}

/** Loads only the library that is measured. */
async function open(name: string | undefined, url: string): Promise<Library> {
  if (name === 'memdb') {
    const { connect } = await import('@memdb/client');
    return await connect(url);
  }
  if (name !== 'ioredis') throw new Error(`no such library: ${name}`);
  const { Redis } = await import('ioredis');
  const redis = new Redis(url, { enableAutoPipelining: true });
  await redis.ping();
  return { get: (key) => redis.get(key), set: (key, value) => redis.set(key, value) };
}

const library = await open(process.argv[2], process.env.MEMDB_BENCH_URL ?? '');
let operation: Operation = 'get';
let keys: string[] = [];
let values: string[] = [];
let cursor = 0;
let operations = 0;
let mismatches = 0;
let running = false;

function prepare(next: Operation, keyCount: number, seed: number): void {
  const order = randomOrder(POOL_REQUESTS, keyCount, seed);
  operation = next;
  keys = Array.from(order, keyText);
  values = Array.from(order, valueText);
  cursor = 0;
}

async function fill(first: number, count: number, depth: number): Promise<void> {
  let next = first;
  const storer = async (): Promise<void> => {
    while (next < first + count) {
      const index = next++;
      await library.set(keyText(index), valueText(index));
    }
  };
  await Promise.all(Array.from({ length: depth }, () => storer()));
}

async function caller(): Promise<void> {
  while (running) {
    const at = cursor++ % POOL_REQUESTS;
    if (operation === 'set') await library.set(keys[at], values[at]);
    else {
      const value = await library.get(keys[at]);
      if (value?.length !== values[at].length || (at % COMPARED === 0 && value !== values[at])) mismatches++;
    }
    operations++;
  }
}

async function measure(job: Job & { kind: 'closed' }): Promise<RunResult> {
  running = true;
  const callers = Promise.all(Array.from({ length: job.depth }, () => caller()));
  // A caller that fails ends the job at once.
  await Promise.race([callers, sleep(LEAD_MS)]);
  const cpu = { own: cpuNanoseconds([process.pid]), server: cpuNanoseconds(job.serverPids) };
  const before = { atMs: performance.now(), operations, mismatches };
  await Promise.race([callers, sleep(job.seconds * 1000)]);
  const result: RunResult = {
    operations: operations - before.operations,
    seconds: (performance.now() - before.atMs) / 1000,
    errors: 0,
    mismatches: mismatches - before.mismatches,
    serverCpuNs: cpuNanoseconds(job.serverPids) - cpu.server,
    generatorCpuNs: cpuNanoseconds([process.pid]) - cpu.own,
    latency: undefined,
  };
  running = false;
  await callers;
  return result;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function run(job: Job): Promise<RunResult | undefined> {
  if (job.kind === 'closed') return await measure(job);
  if (job.kind === 'fill') await fill(job.first, job.count, job.depth);
  else if (job.kind === 'prepare') prepare(job.operation, job.keyCount, job.seed);
  else throw new Error(`a client library does not ${job.kind}`);
  return undefined;
}

process.on('message', (job: Job) => {
  run(job).then(
    (result) => process.send?.({ kind: 'done', result }),
    (error: unknown) => process.send?.({ kind: 'failed', message: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));

import type { Context } from '../context.js';
import type { GeneratorHandle } from '../generators/generator-handle.js';
import type { Job } from '../generators/jobs.js';
import type { Operation } from '../generators/request-pool.js';
import type { Rounds } from './row.js';

/** A server under load: the generator that is connected to it, and the processes whose CPU is counted. */
export interface Side {
  readonly generator: GeneratorHandle;
  readonly pids: readonly number[];
}

type Measured = Job & { readonly kind: 'closed' | 'open' };

/** Share of a round that warms each side up. */
const WARM_UP = 0.5;

/** Encodes the same random requests for both sides. */
export async function prepare(sides: readonly Side[], operation: Operation, keyCount: number): Promise<void> {
  for (const side of sides) await side.generator.ask({ kind: 'prepare', operation, keyCount, seed: 0x6d656d64 });
}

/** A B A B …, after both were warmed up. Depths may differ where concurrency is what is compared. */
export async function closedRounds(
  context: Context,
  memdb: Side,
  peer: Side,
  depth: number,
  peerDepth: number = depth,
): Promise<Rounds> {
  return await alternate(context, memdb, peer, (side, seconds) => {
    return { kind: 'closed', depth: side === memdb ? depth : peerDepth, seconds, serverPids: side.pids };
  });
}

/** The same under a set rate; latency counts from the intended start. */
export async function openRounds(context: Context, memdb: Side, peer: Side, rate: number): Promise<Rounds> {
  return await alternate(context, memdb, peer, (side, seconds) => {
    return { kind: 'open', rate, seconds, serverPids: side.pids };
  });
}

async function alternate(
  context: Context,
  memdb: Side,
  peer: Side,
  job: (side: Side, seconds: number) => Measured,
): Promise<Rounds> {
  const { rounds, seconds } = context.options;
  for (const side of [memdb, peer]) await side.generator.measure(job(side, seconds * WARM_UP));
  const results: { memdb: Rounds['memdb'][number][]; peer: Rounds['peer'][number][] } = { memdb: [], peer: [] };
  for (let round = 0; round < rounds; round++) {
    results.memdb.push(await memdb.generator.measure(job(memdb, seconds)));
    results.peer.push(await peer.generator.measure(job(peer, seconds)));
  }
  return results;
}

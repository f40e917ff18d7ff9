import { GENERATOR_CORE } from '../children.js';
import type { Context } from '../context.js';
import { startGenerator } from '../generators/generator-handle.js';
import { startStub } from '../peers/stub.js';

const CONNECTIONS = 50;
const KEYS = 100_000;

/**
 * What the generator reaches against a responder that does no work. A row whose rate comes near it says little about
 * the server: then its CPU columns count.
 */
export async function measureCeiling(context: Context): Promise<void> {
  const { children, options } = context;
  for (const wire of ['memdb', 'redis'] as const) {
    context.progress(`the generator's ceiling, ${wire}`);
    const stub = await startStub(children, wire, 'get');
    const generator = startGenerator(children, wire, GENERATOR_CORE);
    await generator.connect(stub.ports, CONNECTIONS);
    await generator.ask({ kind: 'prepare', operation: 'get', keyCount: KEYS, seed: 1 });
    for (const depth of [64, 1]) {
      const job = { kind: 'closed', depth, seconds: options.seconds, serverPids: stub.pids } as const;
      await generator.measureUnchecked({ ...job, seconds: options.seconds / 2 });
      const run = await generator.measureUnchecked(job);
      const rate = Math.round(run.operations / run.seconds).toLocaleString('en');
      const cost = Math.round(run.generatorCpuNs / run.operations).toLocaleString('en');
      context.notes.push(`generator's ceiling, ${wire} GET, depth ${depth}: ${rate} ops/s, ${cost} ns of CPU each`);
    }
    await generator.stop();
    await stub.stop();
  }
}

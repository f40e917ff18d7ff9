/** `npm run bench`: starts peers and servers, measures them beside each other, prints what came out. */
import { writeFileSync } from 'node:fs';
import { Children } from './children.js';
import type { Context } from './context.js';
import { describeMachine } from './machine.js';
import { type Options, type Part, parseOptions, USAGE } from './options.js';
import { type Results, reportText } from './report.js';
import { measureCeiling } from './rows/ceiling.js';
import { clientRows } from './rows/client.js';
import { clusterRows } from './rows/cluster.js';
import { durableRows } from './rows/durable.js';
import { latencyRows } from './rows/latency.js';
import { memoryRows } from './rows/memory.js';
import { restartRows } from './rows/restart.js';
import { scanRows } from './rows/scan.js';
import { speedRows } from './rows/speed.js';

const MEASURE: Readonly<Record<Part, (context: Context) => Promise<void>>> = {
  speed: speedRows,
  durable: durableRows,
  cluster: clusterRows,
  memory: memoryRows,
  restart: restartRows,
  client: clientRows,
  latency: latencyRows,
  scan: scanRows,
};

async function measure(options: Options, children: Children): Promise<Results> {
  const machine = describeMachine(options.directory);
  const progress = (text: string): void => {
    process.stderr.write(`${text}\n`);
  };
  const context: Context = { children, options, rows: [], notes: [], missing: [], progress };
  if (options.parts.includes('speed')) await measureCeiling(context);
  for (const part of options.parts) {
    try {
      await MEASURE[part](context);
    } catch (error) {
      // The other parts stand by themselves: a run of minutes is not lost for one of them.
      const message = error instanceof Error ? error.message : String(error);
      context.notes.push(`failed: ${part}: ${message}`);
      progress(`failed: ${part}: ${message}`);
      process.exitCode = 1;
      await children.killAll();
    }
  }
  const { rows, notes, missing } = context;
  return { machine, rounds: options.rounds, seconds: options.seconds, rows, notes, missing };
}

async function main(): Promise<void> {
  let options: Options;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const children = new Children(options.directory);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      children.destroy();
      process.exit(130);
    });
  }
  process.once('exit', () => children.destroy());
  try {
    const results = await measure(options, children);
    process.stdout.write(reportText(results));
    if (options.jsonFile !== undefined) writeFileSync(options.jsonFile, `${JSON.stringify(results, undefined, 2)}\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  } finally {
    children.destroy();
  }
}

await main();

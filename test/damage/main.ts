/**
 * `npm run recovery-exhaustive`: every flipped bit and every cut of a log of 64 KiB, in each of its states.
 * `--sample NAME`: one state only. `--part I --parts N`: only the I-th of N parts, from 1 on.
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { damageSample } from './damage-sample.js';
import { SAMPLE_NAMES } from './log-sample.js';

const { values } = parseArgs({
  options: { sample: { type: 'string' }, part: { type: 'string' }, parts: { type: 'string' } },
});
const names = SAMPLE_NAMES.filter((name) => values.sample === undefined || values.sample === name);
if (names.length === 0) throw new Error(`--sample is one of ${SAMPLE_NAMES.join(', ')}`);

if (values.parts === undefined) {
  const parts = availableParallelism();
  const children = Array.from({ length: parts }, (_, part) => {
    const words = ['--part', `${part + 1}`, '--parts', `${parts}`, '--sample'];
    return Promise.all(names.map((name) => ended([...words, name])));
  });
  const codes = (await Promise.all(children)).flat();
  process.exitCode = codes.every((code) => code === 0) ? 0 : 1;
} else {
  const stratum = { part: Number(values.part ?? 1), parts: Number(values.parts) };
  for (const name of names) {
    const started = process.cpuUsage();
    const { tried, refused, recovered, wrong } = damageSample(name, stratum);
    const { user } = process.cpuUsage(started);
    console.log(
      `${name} ${stratum.part}/${stratum.parts}: ${tried} damages, ${refused} refused with file and offset, ` +
        `${recovered} recovered exactly, ${wrong.length} wrong, ${Math.round(user / 1_000)} ms of CPU`,
    );
    for (const line of wrong) console.log(`  ${line}`);
    if (wrong.length > 0) process.exitCode = 1;
  }
}

function ended(words: readonly string[]): Promise<number | null> {
  return new Promise((resolve) => {
    fork(fileURLToPath(import.meta.url), words).once('exit', resolve);
  });
}

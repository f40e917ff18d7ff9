import { type DamageReport, Damages, type Stratum } from './damages.js';
import { Judge } from './judge.js';
import { logSample, type SampleName } from './log-sample.js';

/** The segments of some are too much to flip one by one: every so manieth of their damages is tried. */
const STRIDES: Readonly<Partial<Record<SampleName, number>>> = { chain: 16, compacted: 16 };
/** A flip among zeros behind the log is much like the next one. */
const ZERO_STRIDE = 61;

/** Tries each damage of the stratum on this log. */
export function damageSample(name: SampleName, stratum: Stratum): DamageReport {
  const sample = logSample(name);
  const parts = stratum.parts * (STRIDES[name] ?? 1);
  const damages = new Damages(sample, new Judge(sample), { part: stratum.part, parts });
  // Nobody looks at where the refusals were made.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  damages.flipBits(ZERO_STRIDE);
  damages.truncate();
  damages.tearTail();
  damages.loseFiles();
  Error.stackTraceLimit = stackTraceLimit;
  return damages.report;
}

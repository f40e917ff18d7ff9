import { SimRandom } from '../harness/sim-random.js';
import { Coverage } from './coverage.js';
import { mutated } from './mutate.js';

/** Something that takes bytes from outside. */
export interface FuzzTarget {
  readonly name: string;
  /** Valid inputs to begin with. */
  readonly corpus: () => Uint8Array[];
  /** Throws when the input does harm: anything but a refusal. */
  readonly run: (input: Uint8Array, random: SimRandom) => void;
}

export interface FuzzOptions {
  readonly seed: number;
  readonly runs: number;
  /** Ends earlier when this says so. */
  readonly until?: () => boolean;
}

export interface FuzzReport {
  readonly runs: number;
  readonly blocks: number;
  readonly corpus: number;
  readonly failure: { readonly run: number; readonly input: Uint8Array; readonly error: unknown } | undefined;
}

/** Inputs kept because they reached something new. */
const CORPUS_MAX = 4096;

/** Changes inputs and keeps those that reach code that none before did. Ends at the first failure. */
export function fuzz(target: FuzzTarget, options: FuzzOptions): FuzzReport {
  const random = new SimRandom(options.seed);
  const corpus = target.corpus();
  const coverage = new Coverage();
  let runs = 0;
  let failure: FuzzReport['failure'];
  while (runs < options.runs && failure === undefined && options.until?.() !== true) {
    // The valid ones first, as they are; then, half of the time, one of the latest finds.
    const chosen = runs < corpus.length ? corpus[runs] : pick(random, corpus);
    const input =
      runs < corpus.length
        ? (chosen ?? new Uint8Array(0))
        : mutated(random, chosen ?? new Uint8Array(0), random.pick(corpus));
    try {
      target.run(input.slice(), random);
    } catch (error) {
      failure = { run: runs, input, error };
    }
    runs++;
    if (coverage.fresh() > 0 && corpus.length < CORPUS_MAX && runs > corpus.length) corpus.push(input);
  }
  const { blocks } = coverage;
  coverage.close();
  return { runs, blocks, corpus: corpus.length, failure };
}

function pick(random: SimRandom, corpus: readonly Uint8Array[]): Uint8Array | undefined {
  const latest = random.chance(0.5) ? Math.max(0, corpus.length - 32) : 0;
  return corpus[latest + random.below(corpus.length - latest)];
}

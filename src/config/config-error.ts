/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  /** Where the value came from: a file name, an environment variable or a flag. */
  readonly source: string;
  /** `section.key`, or undefined when the whole source could not be read. */
  readonly key: string | undefined;
  /** What is wrong and what is allowed, as a sentence for a person. */
  readonly message: string;
}

/** Thrown with everything that is wrong at once, so that one edit can repair it. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map((problem) => `${problem.source}: ${problem.message}`).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

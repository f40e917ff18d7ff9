import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';

export const PARTS = ['speed', 'durable', 'cluster', 'memory', 'restart', 'client', 'latency', 'scan'] as const;
export type Part = (typeof PARTS)[number];

export interface Options {
  readonly parts: readonly Part[];
  /** Measured rounds of each side, in alternation. */
  readonly rounds: number;
  /** Length of one round. */
  readonly seconds: number;
  /** Where the results go as JSON. */
  readonly jsonFile: string | undefined;
  /** Where servers keep their files; rows that sync need a real disk here. */
  readonly directory: string;
  /** Where V8 profiles of the MemDB servers go. */
  readonly profileDirectory: string | undefined;
}

export const USAGE: string = `npm run bench -- WHAT [options]

  node      one node beside Redis, three beside etcd, memory, restart, the client: every figure but latency
  all       the same, and latency under a set rate, without and with scans
  ${PARTS.join(' | ')}
            one part of it

  --rounds N       rounds of each side, in alternation (5)
  --seconds S      length of a round (1)
  --json FILE      the results, for programs
  --directory DIR  where servers keep their files (${tmpdir()}); must be a disk for the rows that sync
  --profile DIR    leave V8 CPU profiles of the MemDB servers there (the figures are then lower)
`;

/** @throws Error with a sentence for the user when the arguments make no sense. */
export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '1' },
      json: { type: 'string' },
      directory: { type: 'string', default: tmpdir() },
      profile: { type: 'string' },
    },
  });
  return {
    parts: partsNamed(positionals),
    rounds: positive('--rounds', values.rounds, Number.isInteger),
    seconds: positive('--seconds', values.seconds, Number.isFinite),
    jsonFile: values.json,
    directory: values.directory,
    profileDirectory: values.profile,
  };
}

function partsNamed(names: readonly string[]): readonly Part[] {
  const chosen = names.flatMap((name): readonly Part[] => {
    if (name === 'all') return PARTS;
    if (name === 'node') return PARTS.filter((part) => part !== 'latency' && part !== 'scan');
    const part = PARTS.find((known) => known === name);
    if (part === undefined) throw new Error(`there is no benchmark "${name}"`);
    return [part];
  });
  if (chosen.length === 0) throw new Error('say what to measure');
  return PARTS.filter((part) => chosen.includes(part));
}

function positive(option: string, text: string, acceptable: (value: number) => boolean): number {
  const value = Number(text);
  if (!acceptable(value) || value <= 0) throw new Error(`${option} needs a positive number, not "${text}"`);
  return value;
}

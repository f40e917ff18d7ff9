/** What the process tells its caller. Fixed: scripts rely on the numbers. */
export const ExitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  /** Also: a comparison failed. */
  notFound: 3,
  unreachable: 4,
  outcomeUnknown: 5,
  /** EX_SOFTWARE of sysexits(3): the node met something it must not survive. */
  fatal: 70,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

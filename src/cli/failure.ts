import { MemDbError } from '@memdb/protocol';
import { CommanderError } from 'commander';
import { ConfigError, type ConfigProblem } from '../config/config-error.js';
import { DiskError } from '../ports/disk.js';
import { CliError } from './cli-error.js';
import { ExitCode } from './exit-code.js';

/** A failed command as scripts (fields) and people (message, hint) see it. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exitCode: ExitCode;
  /** What to do next, when there is something better than the message. */
  readonly hint?: string;
  readonly outcome?: 'not-applied' | 'unknown';
  readonly retryable?: boolean;
  /** Number or address. */
  readonly node?: string | number;
  /** Of a serial operation of unknown outcome: what `resolve` takes. */
  readonly operationId?: string;
  readonly problems?: readonly ConfigProblem[];
}

/** Nobody who could serve the request was reached, or the cluster could not serve it now. */
const unreachableCodes: ReadonlySet<string> = new Set([
  'unavailable',
  'timeout',
  'connection-lost',
  'not-founded',
  'shutting-down',
]);

const hints: Readonly<Record<string, string>> = {
  'authentication-failed': 'check key id and secret in --url or MEMDB_URL against the keys file of the nodes',
  'not-permitted': 'this operation needs a key of another role; make one with: memdb keygen --role admin',
  'wrong-cluster': 'the URL names nodes of different clusters, or this node moved; check the addresses',
  timeout: 'the cluster may be slow or cut off; try a longer --timeout',
  'not-founded': 'the cluster is not formed yet: all founders (the first entries of cluster.seeds) must be running',
};

const nobodyThere =
  'is a cluster running there? Start one with `npm start`, or check the hosts and ports in --url or MEMDB_URL';

/** How far a command came: decides what an error means. */
export interface Progress {
  /** Whether the cluster answered at all. */
  readonly connected: boolean;
  /** False for commands that cannot change anything: a read without an answer is unreachable, not of unknown outcome. */
  readonly mayWrite: boolean;
}

/** Turns anything thrown by a command into what is printed. Unexpected errors keep their message and exit with 1. */
export function describeFailure(error: unknown, progress: Progress): Failure {
  if (error instanceof CliError) return { code: error.code, message: error.message, exitCode: error.exitCode };
  if (error instanceof MemDbError) return describeMemDbError(error, progress);
  if (error instanceof CommanderError) {
    return { code: 'usage', message: error.message.replace(/^error: /, ''), exitCode: ExitCode.usage };
  }
  if (error instanceof ConfigError) {
    return { code: 'config-invalid', message: error.message, exitCode: ExitCode.failed, problems: error.problems };
  }
  if (error instanceof DiskError) {
    return { code: `disk-${error.kind}`, message: error.message, exitCode: ExitCode.failed };
  }
  return { code: 'failed', message: error instanceof Error ? error.message : String(error), exitCode: ExitCode.failed };
}

function describeMemDbError(error: MemDbError, { connected, mayWrite }: Progress): Failure {
  const { code, message, outcome, retryable, node } = error;
  const hint = !connected && unreachableCodes.has(code) ? nobodyThere : hints[code];
  return {
    code,
    message,
    exitCode: exitCodeOf(error, mayWrite),
    ...(hint === undefined ? {} : { hint }),
    outcome: mayWrite ? outcome : 'not-applied',
    retryable,
    ...(error.operationId === undefined ? {} : { operationId: error.operationId }),
    ...(node === undefined || node === 0 || node === '' ? {} : { node }),
  };
}

function exitCodeOf(error: MemDbError, mayWrite: boolean): ExitCode {
  if (mayWrite && error.outcome === 'unknown') return ExitCode.outcomeUnknown;
  return unreachableCodes.has(error.code) ? ExitCode.unreachable : ExitCode.failed;
}

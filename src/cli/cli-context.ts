import type { connect } from '@memdb/client';
import type { CliIo } from './cli-io.js';
import type { ExitCode } from './exit-code.js';
import type { Report } from './report.js';

/** What commands share during one run of the command line. */
export interface CliContext {
  readonly io: CliIo;
  /** Of the program. */
  readonly version: string;
  readonly report: Report;
  /** The client's `connect`; tests pass their own. */
  readonly connect: typeof connect;
  /** A command that ends well but not with 0 (nothing found) says so here; one that fails throws. */
  exitCode: ExitCode;
  /** Set once the cluster has answered. */
  connected: boolean;
  /** Set by commands that change data: decides what an unanswered request means. */
  mayWrite: boolean;
}

import { readFileSync } from 'node:fs';
import { systemErrorCode } from './disk-error.js';

/** What tells one process from a later one that was given the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and the start of the process; empty where there is no `/proc`. */
  readonly startTicks: string;
  /** Changes with each boot of the machine; empty where there is no `/proc`. */
  readonly bootId: string;
}

/** The calling process. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startTicks: startTicks(process.pid) ?? '', bootId: bootId() };
}

/**
 * Whether that very process still runs. A zombie does not: its files are closed.
 * Processes of another PID namespace (a container) cannot be seen and count as gone.
 */
export function isRunning(identity: ProcessIdentity): boolean {
  if (identity.bootId !== bootId()) return false;
  const ticks = startTicks(identity.pid);
  if (ticks === undefined) return false;
  return ticks === '' || identity.startTicks === '' || ticks === identity.startTicks;
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** Undefined: no such process. Empty: it runs, and the system does not tell since when. */
function startTicks(pid: number): string | undefined {
  try {
    return parseStartTicks(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return signalReaches(pid) ? '' : undefined;
  }
}

/** Reads fields 3 (state) and 22 (start) of proc(5) `/proc/pid/stat`; field 2, the name, may hold blanks and brackets. */
export function parseStartTicks(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  return state === 'Z' || state === 'X' ? undefined : fields[19];
}

function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}

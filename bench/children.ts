import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const STOP_TIMEOUT_MS = 20_000;

/** The core that servers are pinned to, and the one for generators. */
export const SERVER_CORE = 0;
export const GENERATOR_CORE = 1;

export interface ChildOptions {
  /** Pin to one core with `taskset`; undefined: wherever the kernel likes. */
  readonly core?: number | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** Open a message channel (for children that are ours). */
  readonly messages?: boolean;
}

/** A process that this benchmark started and ends again, by its pid. Its output goes to a file. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly process: ChildProcess;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  readonly logFile: string;
}

/** Every process and temporary directory of a run, so that nothing outlives it. */
export class Children {
  readonly directory: string;
  private readonly running: Set<Child> = new Set();
  private started = 0;

  constructor(parentDirectory: string) {
    this.directory = mkdtempSync(join(parentDirectory, 'memdb-bench-'));
  }

  /** A directory of its own below the run's. */
  makeDirectory(name: string): string {
    return mkdtempSync(join(this.directory, `${name}-`));
  }

  start(name: string, command: string, args: readonly string[], options: ChildOptions = {}): Child {
    const [file, ...rest] = [...endsWithUs(), ...pinnedTo(options.core), command, ...args];
    this.started++;
    const logFile = join(this.directory, `${this.started}-${name}.log`);
    const log = openSync(logFile, 'a');
    const child = spawn(file, rest, {
      stdio: options.messages === true ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
      env: { ...process.env, ...options.env },
    });
    closeSync(log);
    if (child.pid === undefined) throw new Error(`could not start ${command}`);
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    const entry: Child = { name, pid: child.pid, process: child, ended, logFile };
    this.running.add(entry);
    void ended.then(() => this.running.delete(entry));
    return entry;
  }

  /** Asks the process to end (SIGTERM) and waits; one that does not is killed. */
  async stop(child: Child): Promise<void> {
    child.process.kill('SIGTERM');
    const timer = setTimeout(() => child.process.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await child.ended;
    clearTimeout(timer);
  }

  /** Ends every process that still runs, for a part that failed half-way. */
  async killAll(): Promise<void> {
    const left = [...this.running];
    for (const child of left) child.process.kill('SIGKILL');
    await Promise.all(left.map((child) => child.ended));
  }

  /** Ends everything at once and removes the files. Synchronous: it also runs from signal handlers. */
  destroy(): void {
    for (const child of this.running) child.process.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

/** The last lines of what a child printed, for the message about its failure. */
export function logTail(child: Child, lines = 15): string {
  return readFileSync(child.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
}

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** Whether `command` can be started here; the text is its version line. */
export function versionOf(command: string, args: readonly string[]): string | undefined {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  if (result.error !== undefined || result.status !== 0) return undefined;
  return result.stdout.split('\n', 1)[0].trim();
}

let taskset: boolean | undefined;
let setpriv: boolean | undefined;

/** Whether processes can be pinned to a core. */
export function hasTaskset(): boolean {
  taskset ??= versionOf('taskset', ['--version']) !== undefined;
  return taskset;
}

function pinnedTo(core: number | undefined): string[] {
  return core !== undefined && hasTaskset() ? ['taskset', '-c', String(core)] : [];
}

/** The kernel ends the child when this process ends, even by SIGKILL: prctl(2), PR_SET_PDEATHSIG. */
function endsWithUs(): string[] {
  setpriv ??= versionOf('setpriv', ['--pdeathsig', 'KILL', 'true']) !== undefined;
  return setpriv ? ['setpriv', '--pdeathsig', 'KILL'] : [];
}

/**
 * Calls `attempt` until it answers true, `pauseMs` apart; fails when the child ended or `timeoutMs` passed, with what
 * the child printed last.
 */
export async function untilReady(
  child: Child,
  attempt: () => Promise<boolean>,
  pauseMs = 20,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let running = true;
  void child.ended.then(() => {
    running = false;
  });
  while (!(await attempt())) {
    if (!running) throw new Error(`${child.name} ended before it served:\n${logTail(child)}`);
    if (performance.now() > deadline) throw new Error(`${child.name} did not serve in time:\n${logTail(child)}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

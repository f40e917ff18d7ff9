import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isNodeReport, type NodeReport } from './parent-channel.js';

/** The process that this is, started once more. */
const program = fileURLToPath(new URL('../main.js', import.meta.url));

export interface ChildNodeOptions {
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Standard output and error are appended to it. */
  readonly logFile: string;
  readonly onReport: (report: NodeReport) => void;
  /** Called once, last, with how it ended: an exit code or a signal. */
  readonly onExit: (how: string, clean: boolean) => void;
}

/** A node in a process of its own. */
export interface ChildNode {
  readonly pid: number | undefined;
  readonly running: boolean;
  signal(name: 'SIGTERM' | 'SIGKILL'): void;
}

/**
 * Starts `memdb` with `arguments`. The child leads a process group of its own, so that Ctrl-C in the terminal reaches
 * only this process, which then stops its nodes one signal each. A channel tells the child when this process is gone.
 */
export function startChildNode(options: ChildNodeOptions): ChildNode {
  const log = openSync(options.logFile, 'a', 0o600);
  let running = true;
  let child: ChildProcess;
  try {
    child = spawn(process.execPath, [...process.execArgv, program, ...options.arguments], {
      env: options.environment,
      stdio: ['ignore', log, log, 'ipc'],
      detached: true,
    });
  } finally {
    closeSync(log);
  }
  const ended = (how: string, clean: boolean): void => {
    if (!running) return;
    running = false;
    options.onExit(how, clean);
  };
  child.on('message', (message) => {
    if (isNodeReport(message)) options.onReport(message);
  });
  child.once('error', (error) => ended(error.message, false));
  child.once('exit', (code, signal) => ended(signal === null ? `exit code ${code}` : signal, code === 0));
  return {
    pid: child.pid,
    get running() {
      return running;
    },
    signal: (name) => {
      if (running) child.kill(name);
    },
  };
}

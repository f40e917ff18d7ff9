import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

/** Far beyond what anything here takes, so that a missing event fails its test with what was printed instead. */
const eventDeadlineMs = 90_000;

export const repository: string = fileURLToPath(new URL('../../../', import.meta.url));
const memdb = join(repository, 'bin/memdb.js');

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface StartOptions {
  readonly directory: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: Uint8Array;
  /** Leads a process group, and signals go to all of it, as from a terminal. */
  readonly group?: boolean;
  /** A command that replaces itself with the program: its process id stays. `ip netns exec NAME`, for example. */
  readonly through?: readonly string[];
}

/** A program under test; it is killed when its test ends. */
export class Program {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #name: string;
  /** As `process.kill` takes it. */
  readonly #target: number;
  readonly #stdout: Buffer[] = [];
  #stderr = '';
  #waiting: (() => void)[] = [];
  #running = true;

  constructor(t: ExecutionContext, script: string, words: readonly string[], options: StartOptions) {
    this.#name = words.join(' ');
    const [command = process.execPath, ...rest] = [...(options.through ?? []), process.execPath, script, ...words];
    const child = spawn(command, rest, {
      cwd: options.directory,
      env: { ...withoutMemDb(process.env), ...options.environment },
      stdio: 'pipe',
      detached: options.group === true,
    });
    this.#target = options.group === true ? -(child.pid ?? 0) : (child.pid ?? 0);
    this.#child = child;
    child.stdout.on('data', (chunk: Buffer) => {
      this.#stdout.push(chunk);
      this.#look();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
      this.#look();
    });
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.#running = false;
        resolve({ code, signal, stdout: Buffer.concat(this.#stdout), stderr: this.#stderr });
        this.#look();
      });
    });
    t.teardown(async () => {
      if (this.#running) this.signal('SIGKILL');
      await this.ended;
    });
  }

  get running(): boolean {
    return this.#running;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get stdout(): string {
    return Buffer.concat(this.#stdout).toString();
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Of a process that has just ended by itself: nothing. What it printed may still be on its way. */
  signal(name: NodeJS.Signals): void {
    const hasEnded = this.#child.exitCode !== null || this.#child.signalCode !== null;
    if (!hasEnded || this.#target < 0) process.kill(this.#target, name);
  }

  /** Resolves with the first match in what it printed; rejects when it ended, or takes forever, without. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    return await this.until(() => pattern.exec(this.stdout) ?? pattern.exec(this.#stderr), String(pattern));
  }

  /** Resolves with the first log line with this event that comes after the first `skip` ones. */
  async logged(event: string, skip = 0): Promise<Record<string, unknown>> {
    return await this.until(() => this.#logLines().filter((line) => line.event === event)[skip], `event ${event}`);
  }

  async until<Found>(look: () => Found | null | undefined, what: string): Promise<Found> {
    const found = look();
    if (found !== null && found !== undefined) return found;
    return await new Promise((resolve, reject) => {
      const give = (reason: string): void => {
        clearTimeout(deadline);
        reject(new Error(`memdb ${this.#name}: ${reason} ${what}\nstdout: ${this.stdout}\nstderr: ${this.#stderr}`));
      };
      const deadline = setTimeout(() => give('never printed'), eventDeadlineMs);
      const check = (): void => {
        const now = look();
        if (now !== null && now !== undefined) {
          clearTimeout(deadline);
          resolve(now);
        } else if (this.#running) this.#waiting.push(check);
        else give('ended without');
      };
      check();
    });
  }

  #look(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const check of waiting) check();
  }

  #logLines(): Record<string, unknown>[] {
    const whole = this.#stderr.split('\n').slice(0, -1);
    return whole.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

/** Starts `memdb` with `words`. */
export function startMemDb(t: ExecutionContext, words: readonly string[], options: StartOptions): Program {
  return new Program(t, memdb, words, options);
}

/** Runs `memdb` with `words` to its end. */
export async function runMemDb(t: ExecutionContext, words: readonly string[], options: StartOptions): Promise<Ended> {
  return await startMemDb(t, words, options).ended;
}

/** A directory that goes when the test ends. */
export function temporaryDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'memdb-e2e-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/**
 * The first of `nodes` ports in a row that are free, with those 100 above free too, and the one 200 above. Below the range that the system
 * gives to outgoing connections.
 */
export async function freePorts(nodes: number): Promise<number> {
  for (;;) {
    const first = 12_000 + Math.floor(Math.random() * 18_000);
    const ports = Array.from({ length: nodes }, (_, offset) => [first + offset, first + 100 + offset]).flat();
    const free = await Promise.all([...ports, first + 200].map(isFree));
    if (free.every((yes) => yes)) return first;
  }
}

/** Whether a process with this number exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function withoutMemDb(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('MEMDB_')));
}

import { fileURLToPath } from 'node:url';
import { type Child, type ChildOptions, type Children, logTail } from '../children.js';
import type { Answer, Credentials, Job, RunResult } from './jobs.js';

/** Jobs that say what they found. */
type Measured = Job & { readonly kind: 'closed' | 'open' | 'scan' };

const GENERATOR_FILE = fileURLToPath(new URL('./generator-process.js', import.meta.url));
const SCAN_FILE = fileURLToPath(new URL('./scan-process.js', import.meta.url));
const CLIENT_FILE = fileURLToPath(new URL('./client-process.js', import.meta.url));

/** A process that sends pre-encoded requests. Credentials are for MemDB; without them no handshake takes place. */
export function startGenerator(
  children: Children,
  wire: 'memdb' | 'redis' | 'etcd',
  core: number | undefined,
  credentials?: Credentials,
): GeneratorHandle {
  const env = credentials === undefined ? {} : { MEMDB_BENCH_CREDENTIALS: JSON.stringify(credentials) };
  return new GeneratorHandle(children, `generator-${wire}`, [GENERATOR_FILE, wire], { core, env });
}

/** A process that calls a client library; `url` says where the server is. */
export function startClient(
  children: Children,
  library: 'memdb' | 'ioredis',
  core: number | undefined,
  url: string,
): GeneratorHandle {
  const options = { core, env: { MEMDB_BENCH_URL: url } };
  return new GeneratorHandle(children, `client-${library}`, [CLIENT_FILE, library], options);
}

/** A process that lists all keys of a MemDB node. */
export function startScanner(children: Children, core: number | undefined, credentials: Credentials): GeneratorHandle {
  const env = { MEMDB_BENCH_CREDENTIALS: JSON.stringify(credentials) };
  return new GeneratorHandle(children, 'scanner', [SCAN_FILE], { core, env });
}

/** The harness's end of a process that loads a server. */
export class GeneratorHandle {
  private readonly children: Children;
  private readonly child: Child;

  constructor(children: Children, name: string, args: readonly string[], options: ChildOptions) {
    this.children = children;
    this.child = children.start(name, process.execPath, args, { ...options, messages: true });
  }

  async connect(ports: readonly number[], connections: number): Promise<void> {
    await this.ask({ kind: 'connect', ports, connections });
  }

  /** Runs a job that measures; an error or a wrong value in any reply fails the benchmark. */
  async measure(job: Measured): Promise<RunResult> {
    const result = await this.measureUnchecked(job);
    if (result.errors > 0 || result.mismatches > 0) {
      throw new Error(`${this.child.name}: ${result.errors} error replies, ${result.mismatches} wrong values`);
    }
    return result;
  }

  /** As `measure`, against a responder that is known to answer nonsense. */
  async measureUnchecked(job: Measured): Promise<RunResult> {
    const result = await this.ask(job);
    if (result === undefined || result.operations === 0) throw new Error(`${this.child.name} measured nothing`);
    return result;
  }

  async ask(job: Job): Promise<RunResult | undefined> {
    const answer = await new Promise<Answer>((resolve, reject) => {
      const { process: channel } = this.child;
      const onExit = (): void => reject(new Error(`${this.child.name} ended:\n${logTail(this.child)}`));
      channel.once('exit', onExit);
      channel.once('message', (message) => {
        channel.removeListener('exit', onExit);
        resolve(message as Answer);
      });
      channel.send(job);
    });
    if (answer.kind === 'failed') throw new Error(`${this.child.name}: ${answer.message}`);
    return answer.result;
  }

  async stop(): Promise<void> {
    await this.children.stop(this.child);
  }
}

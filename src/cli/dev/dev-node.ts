import { type ChildNode, startChildNode } from '../../platform/child-node.js';
import type { Timer, Timers } from '../../ports/timers.js';
import { CliError } from '../cli-error.js';
import { ExitCode } from '../exit-code.js';
import { type DevNodePlan, nodeEnvironment } from './dev-plan.js';

/** A node that takes longer than this has a problem that its log explains; recovery of large data may be that. */
const servingTimeoutMs = 60_000;
/** Between the polite and the last signal. */
const stopTimeoutMs = 10_000;

export interface ServingNode {
  readonly id: string;
  readonly number: number;
}

export interface DevNodeOptions {
  readonly plan: DevNodePlan;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timers: Timers;
  /** It ended although nobody asked it to. Not called when it never came up. */
  readonly onDeath: (how: string) => void;
  /** It is no longer part of its cluster, and ends. */
  readonly onDeparted: (message: string, isOrderly: boolean) => void;
}

type State =
  | {
      readonly kind: 'starting';
      readonly resolve: (node: ServingNode | undefined) => void;
      readonly reject: (error: Error) => void;
    }
  | { readonly kind: 'serving' }
  | { readonly kind: 'stopping' }
  | { readonly kind: 'ended' };

/** One node process of a development cluster, from spawn to exit. */
export class DevNode {
  readonly plan: DevNodePlan;
  /** Resolves when it serves, or is no longer part of its cluster; rejects when it cannot, with what its log says. */
  readonly serving: Promise<ServingNode | undefined>;
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>;
  readonly #child: ChildNode;
  readonly #timers: Timers;
  readonly #onDeath: (how: string) => void;
  readonly #onDeparted: (message: string, isOrderly: boolean) => void;
  #timer: Timer | undefined;
  #state: State = { kind: 'ended' };
  #waitingFor = 'it is still reading its data';
  #resolveEnded: () => void = () => {};

  constructor(options: DevNodeOptions) {
    const { plan, timers } = options;
    this.plan = plan;
    this.#timers = timers;
    this.#onDeath = options.onDeath;
    this.#onDeparted = options.onDeparted;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.serving = new Promise((resolve, reject) => {
      this.#state = { kind: 'starting', resolve, reject };
    });
    this.#watch();
    const disarm = (): void => this.#unwatch();
    this.serving.then(disarm, disarm);
    this.#child = startChildNode({
      arguments: ['server', '--config', plan.configFile, '--parent-channel'],
      environment: nodeEnvironment(options.environment),
      logFile: plan.logFile,
      onReport: (report) => {
        if (report.kind === 'failed') this.#fail(report.message);
        else if (report.kind === 'departed') this.#depart(report.message, report.isOrderly);
        else if (report.kind === 'waiting') {
          // A node that joins takes its time, and says how far it is.
          this.#waitingFor = report.reason;
          this.#watch();
        } else if (report.kind === 'serving' && this.#state.kind === 'starting') {
          const { resolve } = this.#state;
          this.#state = { kind: 'serving' };
          resolve({ id: report.id, number: report.number });
        }
      },
      onExit: (how) => this.#exited(how),
    });
  }

  get pid(): number | null {
    return this.#child.running ? (this.#child.pid ?? null) : null;
  }

  /** Ends the process: politely, and after 10 s, or when `now`, at once. */
  async stop(now: boolean): Promise<void> {
    if (this.#state.kind === 'starting') this.#fail('was stopped');
    if (this.#state.kind !== 'ended') this.#state = { kind: 'stopping' };
    this.#child.signal(now ? 'SIGKILL' : 'SIGTERM');
    const timer = this.#timers.start(stopTimeoutMs, () => this.#child.signal('SIGKILL'));
    await this.ended;
    this.#timers.stop(timer);
  }

  #watch(): void {
    if (this.#state.kind !== 'starting') return;
    this.#unwatch();
    this.#timer = this.#timers.start(servingTimeoutMs, () => {
      this.#fail(`does not serve after ${servingTimeoutMs / 1000} s: ${this.#waitingFor}`);
    });
  }

  #unwatch(): void {
    if (this.#timer !== undefined) this.#timers.stop(this.#timer);
  }

  #depart(message: string, isOrderly: boolean): void {
    const state = this.#state;
    if (state.kind !== 'starting' && state.kind !== 'serving') return;
    this.#state = { kind: 'stopping' };
    this.#onDeparted(message, isOrderly);
    if (state.kind === 'starting') state.resolve(undefined);
  }

  #fail(message: string): void {
    if (this.#state.kind !== 'starting') return;
    const { reject } = this.#state;
    this.#state = { kind: 'stopping' };
    reject(
      new CliError('node-failed', ExitCode.failed, `${this.plan.name}: ${message}\nits log is ${this.plan.logFile}`),
    );
  }

  #exited(how: string): void {
    const state = this.#state;
    if (state.kind === 'starting') this.#fail(`ended before it served (${how})`);
    this.#state = { kind: 'ended' };
    if (state.kind === 'serving') this.#onDeath(how);
    this.#resolveEnded();
  }
}

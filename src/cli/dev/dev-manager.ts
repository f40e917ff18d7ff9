import { type ChildNode, startChildNode } from '../../platform/child-node.js';
import type { Timers } from '../../ports/timers.js';
import { CliError } from '../cli-error.js';
import { ExitCode } from '../exit-code.js';
import { type DevManagerPlan, nodeEnvironment } from './dev-plan.js';

/** It listens before it has reached any node. */
const listeningTimeoutMs = 30_000;
/** Between the polite and the last signal: it holds nothing that could be lost. */
const stopTimeoutMs = 2000;

export interface DevManagerOptions {
  readonly plan: DevManagerPlan;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timers: Timers;
  /** It ended although nobody asked it to. */
  readonly onDeath: (how: string) => void;
}

/** The manager process of a development cluster, from spawn to exit. */
export class DevManager {
  /** Resolves with the URL of the dashboard; rejects when it cannot listen, with what its log says. */
  readonly listening: Promise<string>;
  readonly #ended: Promise<void>;
  readonly #child: ChildNode;
  readonly #timers: Timers;
  #isStopping = false;

  constructor({ plan, environment, timers, onDeath }: DevManagerOptions) {
    this.#timers = timers;
    let ended: () => void = () => {};
    this.#ended = new Promise((resolve) => {
      ended = resolve;
    });
    let listening: (url: string) => void = () => {};
    let failed: (error: Error) => void = () => {};
    let hasListened = false;
    this.listening = new Promise((resolve, reject) => {
      listening = resolve;
      failed = reject;
    });
    const fail = (message: string): void => {
      const text = `the manager: ${message}\nits log is ${plan.logFile}; --manager-port chooses another port`;
      failed(new CliError('manager-failed', ExitCode.failed, text));
    };
    const timer = timers.start(listeningTimeoutMs, () => fail(`does not listen after ${listeningTimeoutMs / 1000} s`));
    this.#child = startChildNode({
      arguments: ['manager', '--config', plan.configFile, '--parent-channel'],
      environment: nodeEnvironment(environment),
      logFile: plan.logFile,
      onReport: (report) => {
        if (report.kind === 'failed') fail(report.message);
        if (report.kind !== 'listening') return;
        timers.stop(timer);
        hasListened = true;
        listening(report.url);
      },
      onExit: (how) => {
        timers.stop(timer);
        fail(`ended (${how})`);
        if (hasListened && !this.#isStopping) onDeath(how);
        ended();
      },
    });
  }

  get pid(): number | null {
    return this.#child.running ? (this.#child.pid ?? null) : null;
  }

  async stop(now: boolean): Promise<void> {
    this.#isStopping = true;
    this.listening.catch(() => {});
    this.#child.signal(now ? 'SIGKILL' : 'SIGTERM');
    const timer = this.#timers.start(stopTimeoutMs, () => this.#child.signal('SIGKILL'));
    await this.#ended;
    this.#timers.stop(timer);
  }
}

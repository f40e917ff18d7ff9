import { MemDbError } from '@memdb/protocol';
import { formatAddress, isLoopback } from '../../config/address.js';
import type { ConfiguredLogLevel, MemDbConfig } from '../../config/config.js';
import type { KeyRing } from '../../config/key-ring.js';
import type { LoadedConfig } from '../../config/load-config.js';
import { createNode, type Node } from '../../node.js';
import type { Departure } from '../../node-departure.js';
import { FileDisk } from '../../platform/file-disk.js';
import { watchForChange } from '../../platform/file-watch.js';
import { HttpHealth } from '../../platform/http-health.js';
import { JsonTelemetry } from '../../platform/json-telemetry.js';
import { OwnProcess } from '../../platform/own-process.js';
import type { ParentChannel } from '../../platform/parent-channel.js';
import { sourceStack } from '../../platform/source-stack.js';
import { SystemClock } from '../../platform/system-clock.js';
import { SystemRandom } from '../../platform/system-random.js';
import { SystemTimers } from '../../platform/system-timers.js';
import { TcpTransport } from '../../platform/tcp-transport.js';
import type { LogLevel } from '../../ports/telemetry.js';
import type { CliIo } from '../cli-io.js';
import { ExitCode } from '../exit-code.js';
import { StopRequest } from '../stop-request.js';
import { loadKeys } from './load-keys.js';
import { planReload } from './reload.js';
import { isListenFailure, listenError } from './start-error.js';

/** How often a starting node is asked whether it serves yet. */
const readyPollMs = 10;
/** Beyond the request timeout that a drain waits for: closing connections and the last sync. */
const drainGraceMs = 10_000;

export interface ServerProcessOptions {
  /** Reads the configuration; called again for each reload. Throws `ConfigError`. */
  readonly load: () => LoadedConfig;
  readonly io: CliIo;
  readonly parent: ParentChannel | undefined;
  /** Of the program. */
  readonly version: string;
}

/** One node as a process: the real ports, signals, reload, and the ways it ends. */
export class ServerProcess {
  /** Resolves with the exit code once the node has ended in order. */
  readonly ended: Promise<ExitCode>;
  readonly #options: ServerProcessOptions;
  readonly #clock: SystemClock = new SystemClock();
  readonly #timers: SystemTimers = new SystemTimers();
  readonly #keys: KeyRing;
  readonly #telemetry: JsonTelemetry;
  readonly #node: Node;
  readonly #http: HttpHealth;
  #config: MemDbConfig;
  #resolveEnded: (code: ExitCode) => void = () => {};
  #unwatchKeys: () => void = () => {};
  #stopping = false;
  /** What the cluster agreed on, if it did. */
  #agreedLevel: ConfiguredLogLevel | undefined;

  /** Reads configuration and keys and assembles the node. Throws `ConfigError`. */
  constructor(options: ServerProcessOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    const loaded = options.load();
    this.#config = loaded.config;
    const { storage, node, auth, log } = loaded.config;
    const keys = loadKeys(auth.keysFile, options.io);
    this.#keys = keys.ring;
    const telemetry = new JsonTelemetry({ level: log.level, format: log.format });
    this.#telemetry = telemetry;
    for (const message of [...loaded.warnings, ...keys.warnings]) telemetry.log('warn', 'config-warning', { message });
    this.#node = createNode({
      clock: this.#clock,
      timers: this.#timers,
      random: new SystemRandom(),
      disk: storage.durability === 'none' ? undefined : new FileDisk(node.dataDir),
      transport: new TcpTransport({
        acceptFailed: (error) => telemetry.log('warn', 'accept-failed', { message: error.message }),
      }),
      telemetry,
      config: loaded.config,
      keys: this.#keys,
      onFatal: (error) => this.#fatal(error),
      onDeparted: (departure) => this.#depart(departure),
      onAgreed: ({ logLevel }) => {
        this.#agreedLevel = logLevel;
        telemetry.setLevel(logLevel ?? this.#config.log.level);
      },
      process: new OwnProcess(options.version, telemetry, () => this.stop('an administrator asked')),
    });
    this.#http = new HttpHealth({
      live: () => undefined,
      ready: () => this.#node.ready(),
      metrics: () => telemetry.metricsText(),
    });
  }

  /** Resolves once connections are accepted; the cluster may form later. Rejects with what a person can do. */
  async start(): Promise<void> {
    process.on('uncaughtException', (error) => this.#fatal(error));
    const { node } = this.#config;
    this.#warnIfOpen();
    await this.#listenHttp();
    try {
      await new Promise<void>((resolve, reject) => {
        this.#node.start((error) => (error === undefined ? resolve() : reject(error)));
      });
    } catch (error) {
      await this.#http.close();
      this.#telemetry.flush();
      throw isListenFailure(error) ? listenError(node.listen, this.#flag('--listen'), error) : error;
    }
    this.#listenToSignals();
    this.#options.parent?.onGone(() => this.stop('the parent process ended'));
    this.#watchKeys();
    this.#announceServing();
  }

  /** Drains, syncs and ends: with 0 unless something else is said. */
  stop(cause: string, code: ExitCode = ExitCode.done): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#telemetry.log('info', 'stopping', { message: `${cause}: finishing what was accepted` });
    this.#unwatchKeys();
    this.#timers.start(this.#config.limits.requestTimeoutMs + drainGraceMs, () => {
      this.#exit(
        ExitCode.failed,
        'error',
        'stop-stuck',
        'the node did not finish in time; what was acknowledged is safe',
      );
    });
    this.#node.drain((error) => {
      if (error === undefined) this.#exit(code, 'info', 'stopped', 'everything accepted was answered and synced');
      else this.#exit(ExitCode.failed, 'error', 'stop-failed', error.message);
    });
  }

  /** Reads configuration and keys again and applies what can change while running; a mistake in them changes nothing. */
  reload(cause: string): void {
    try {
      const { config, applied, needRestart } = planReload(this.#config, this.#options.load().config);
      const keys = loadKeys(config.auth.keysFile, this.#options.io);
      this.#config = config;
      this.#keys.replaceWith(keys.ring);
      this.#telemetry.setLevel(this.#agreedLevel ?? config.log.level);
      this.#node.reload(config);
      this.#watchKeys();
      for (const message of keys.warnings) this.#telemetry.log('warn', 'config-warning', { message });
      this.#telemetry.log('info', 'reloaded', { cause, applied: applied.join(', '), keys: keys.ring.describe() });
      if (needRestart.length > 0) {
        const message = `changed, but only a restart applies it: ${needRestart.join(', ')}`;
        this.#telemetry.log('warn', 'reload-needs-restart', { message, settings: needRestart.join(', ') });
      }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#telemetry.log('error', 'reload-failed', { cause, message: `nothing was changed: ${message}` });
    }
  }

  #listenToSignals(): void {
    const stop = new StopRequest(this.#clock, () => this.reload('SIGHUP'));
    void stop.requested.then((cause) => this.stop(cause));
    stop.onAgain(() => {
      this.#exit(ExitCode.failed, 'warn', 'stopped-at-once', 'told again to end: not waiting for the rest');
    });
  }

  async #listenHttp(): Promise<void> {
    const { http } = this.#config.node;
    if (http === undefined) return;
    try {
      await this.#http.listen(http);
    } catch (error) {
      throw listenError(http, this.#flag('--http'), error);
    }
  }

  /** What a person would use to choose another address: `memdb dev` chooses for its nodes. */
  #flag(own: string): string {
    return this.#options.parent === undefined ? own : 'memdb dev --port';
  }

  #warnIfOpen(): void {
    const { listen } = this.#config.node;
    if (isLoopback(listen.host)) return;
    this.#telemetry.log('warn', 'not-encrypted', {
      message: `${formatAddress(listen)} is reachable from other machines and traffic is authenticated but not encrypted: keep it inside a trusted network`,
    });
  }

  #watchKeys(): void {
    this.#unwatchKeys();
    this.#unwatchKeys = watchForChange(this.#config.auth.keysFile, () => this.reload('keys-file'));
  }

  /** Says once when the node serves, and until then what it waits for. */
  #announceServing(reasonBefore?: string): void {
    if (this.#stopping) return;
    const reason = this.#node.ready();
    if (reason !== undefined) {
      if (reason !== reasonBefore) {
        this.#telemetry.log('info', 'waiting', { message: reason });
        this.#options.parent?.send({ kind: 'waiting', reason });
      }
      this.#timers.start(readyPollMs, () => this.#announceServing(reason));
      return;
    }
    const { uuid, number } = this.#node;
    this.#telemetry.log('info', 'serving', {
      node: uuid,
      member: number,
      address: formatAddress(this.#config.node.advertise),
    });
    this.#options.parent?.send({ kind: 'serving', id: uuid, number });
  }

  /** A node that left ends as it should; one that was removed is told so, and does not come back by itself. */
  #depart({ isOrderly, message }: Departure): void {
    this.#options.parent?.send({ kind: 'departed', message, isOrderly });
    this.stop(message, isOrderly ? ExitCode.done : ExitCode.failed);
  }

  /** Nothing more may be acknowledged: the process ends without another word to anybody. */
  #fatal(error: Error): void {
    // Not a bug: the other nodes know a reason, and the sentence says what to do.
    if (error instanceof MemDbError) this.#exit(ExitCode.failed, 'error', 'refused', error.message);
    this.#telemetry.log('error', 'fatal', { message: error.message, stack: sourceStack(error.stack ?? '') });
    this.#telemetry.flush();
    process.exit(ExitCode.fatal);
  }

  #exit(code: ExitCode, level: LogLevel, event: string, message: string): void {
    this.#telemetry.log(level, event, { message });
    this.#telemetry.flush();
    // Worker threads and open connections must not keep a finished node alive.
    if (code !== ExitCode.done) process.exit(code);
    void this.#http.close().then(() => process.exit(code));
    this.#resolveEnded(code);
  }
}

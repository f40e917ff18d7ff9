import type { WireTopology } from '@memdb/protocol';
import { createNode, type Node } from '../../src/node.js';
import type { Departure } from '../../src/node-departure.js';
import type { NodeConfig } from '../../src/node-options.js';
import type { RecordedLine } from './sim-telemetry.js';
import type { SimCrashOptions, SimPorts, SimWorld } from './sim-world.js';
import { TEST_NODE_KEYS } from './test-keys.js';

/** Every node of a simulated cluster listens here; the host is the node's name. */
export const SIM_PORT = 10_000;

export interface SimClusterOptions {
  readonly nodes: number;
  readonly founders?: number;
  /** Hosts that nodes dial first; default: all. */
  readonly seeds?: readonly string[];
  readonly replicationFactor?: number;
  readonly partitions?: number;
  readonly durability?: 'sync' | 'interval' | 'none';
  readonly segmentBytes?: number;
  readonly valueBytesMax?: number;
  readonly memoryBytesMax?: number;
  readonly entriesMax?: number;
  readonly eviction?: 'reject' | 'lru';
  readonly compression?: boolean;
  /** Ends that a fault explains, such as that of a node whose disk failed to sync: they are not fatal. */
  readonly isExpectedEnd?: (error: Error) => boolean;
  /** Reasons for which a start may fail. */
  readonly isExpectedRefusal?: (error: Error) => boolean;
  /** A process ends now, however; and one has recovered what its disk holds. */
  readonly onEnd?: (name: string, node: Node) => void;
  readonly onRecovered?: (name: string, node: Node) => void;
  /** A process is to be started. */
  readonly onStarting?: (name: string) => void;
  /** Every line that a node logs. */
  readonly onLine?: (name: string, line: RecordedLine) => void;
}

/** The real node code, several times, in one simulated world. */
export class SimCluster {
  readonly world: SimWorld;
  readonly names: readonly string[];
  /** Nodes whose invariants broke or whose disk failed, with the error. */
  readonly fatal: Map<string, Error> = new Map();
  /** Nodes without which the cluster goes on: their processes have ended. */
  readonly departed: Map<string, Departure> = new Map();
  readonly #options: SimClusterOptions;
  readonly #nodes: Map<string, Node> = new Map();
  readonly #ports: Map<string, SimPorts> = new Map();
  /** Whoever was a founder, and lost its disk, is none any more. */
  readonly #wiped: Set<string> = new Set();

  constructor(world: SimWorld, options: SimClusterOptions) {
    this.world = world;
    this.#options = options;
    this.names = Array.from({ length: options.nodes }, (_, index) => `n${index + 1}`);
  }

  get durability(): 'sync' | 'interval' | 'none' {
    return this.#options.durability ?? 'sync';
  }

  /** The newest epoch that any node is in; undefined before there is one. */
  get topology(): WireTopology | undefined {
    let newest: WireTopology | undefined;
    for (const { topology } of this.#nodes.values()) {
      if (topology !== undefined && topology.epoch > (newest?.epoch ?? 0)) newest = topology;
    }
    return newest;
  }

  /** The nodes that are in the newest epoch, whatever their standing; all there are before there is one. */
  get members(): readonly string[] {
    const { topology } = this;
    if (topology === undefined) return this.names;
    const uuids = new Set(topology.nodes.map(({ uuid }) => uuid));
    return this.names.filter((name) => uuids.has(this.#nodes.get(name)?.uuid ?? ''));
  }

  /** The nodes that are in the cluster, or were until they were removed; all there are before there is one. */
  get admitted(): readonly string[] {
    const admitted = this.names.filter((name) => (this.#nodes.get(name)?.number ?? 0) !== 0);
    return admitted.length === 0 ? this.names : admitted;
  }

  /** Owners of each partition. */
  get replicationFactor(): number {
    return this.topology?.replicas ?? 0;
  }

  node(name: string): Node {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`${name} was never started`);
    return node;
  }

  ports(name: string): SimPorts {
    const ports = this.#ports.get(name);
    if (ports === undefined) throw new Error(`${name} was never started`);
    return ports;
  }

  /** Starts nodes, on their own names as hosts or another one, or saying that they are there. A failure is thrown. */
  start(names: readonly string[] = this.names, host?: string, advertised?: string): void {
    for (const name of names) {
      this.#options.onStarting?.(name);
      const ports = this.world.createPorts(name);
      this.#ports.set(name, ports);
      const { onLine } = this.#options;
      if (onLine !== undefined) ports.telemetry.onLine = (line): void => onLine(name, line);
      const { durability } = this;
      const node: Node = createNode({
        ...ports,
        disk: durability === 'none' ? undefined : ports.disk,
        config: this.#config(name, host ?? name, advertised ?? host ?? name),
        keys: TEST_NODE_KEYS,
        onFatal: (error) => {
          if (this.#options.isExpectedEnd?.(error) !== true) this.fatal.set(name, error);
          if (this.world.isRunning(name)) this.crash(name, { powerLoss: false });
        },
        onDeparted: (departure) => {
          this.departed.set(name, departure);
          node.drain((error) => {
            if (error !== undefined) throw error;
            if (this.#nodes.get(name) === node && this.world.isRunning(name)) this.stop(name);
          });
        },
      });
      this.#nodes.set(name, node);
      node.start((error) => {
        if (error !== undefined) throw new Error(`${name} did not start: ${error.message}`, { cause: error });
      });
      // The log is read back before anything else happens.
      this.#options.onRecovered?.(name, node);
    }
  }

  /** Starts a node whose start may fail for a reason that a fault explains; the error then, and the node is down. */
  tryStart(name: string): Error | undefined {
    try {
      this.start([name]);
      return undefined;
    } catch (error) {
      const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      if (!(reason instanceof Error) || this.#options.isExpectedRefusal?.(reason) !== true) throw error;
      if (this.world.isRunning(name)) this.world.crash(name, { powerLoss: false });
      return reason;
    }
  }

  /** Runs until the named nodes serve and reach one another. Throws after 30 virtual seconds. */
  awaitReady(names: readonly string[] = this.#expected): void {
    const ready = (): boolean =>
      names.every((name) => {
        const node = this.node(name);
        const { membership, topology } = node;
        if (node.ready() !== undefined || membership === undefined) return false;
        const others = (topology?.nodes ?? []).filter((member) =>
          names.some((other) => this.#nodes.get(other)?.uuid === member.uuid),
        );
        return others.every((member) => membership.reachable(member.number));
      });
    if (this.world.runUntil(ready, this.world.nowMs + 30_000)) return;
    const states = names.map((name) => `${name}: ${this.node(name).ready() ?? 'ready'}`);
    throw new Error(`the cluster is not ready after 30 s: ${states.join('; ')}\n${this.log(names)}`);
  }

  /** Empties the disk of a node that is down: it comes back as another one, which waits to be admitted. */
  wipe(name: string): void {
    this.world.disk(name).wipe();
    this.#wiped.add(name);
  }

  crash(name: string, options?: SimCrashOptions): void {
    this.#options.onEnd?.(name, this.node(name));
    this.world.crash(name, options);
  }

  /** The process of a node that has drained ends. */
  stop(name: string): void {
    this.#options.onEnd?.(name, this.node(name));
    this.world.stop(name);
  }

  /** Ends a node in order, as SIGTERM does. */
  shutDown(name: string): void {
    let done = false;
    this.node(name).drain((error) => {
      if (error !== undefined) throw error;
      done = true;
    });
    if (!this.world.runUntil(() => done, this.world.nowMs + 10_000)) throw new Error(`${name} did not stop`);
    this.stop(name);
  }

  /** The last lines that nodes logged, for messages of failed tests. */
  log(names: readonly string[] = this.names): string {
    return names
      .filter((name) => this.#ports.has(name))
      .flatMap((name) =>
        (this.#ports.get(name)?.telemetry.lines ?? []).slice(-8).map((line) => `${name} ${JSON.stringify(line)}`),
      )
      .join('\n');
  }

  /** Who is to be ready: the founders, and whoever was admitted since. */
  get #expected(): readonly string[] {
    const { members, names } = this;
    const founders = names.slice(0, this.#options.founders ?? names.length);
    return this.topology === undefined ? founders : members;
  }

  #config(name: string, host: string, advertised: string): NodeConfig {
    const options = this.#options;
    const founders = options.founders ?? options.nodes;
    const known = options.seeds ?? this.names;
    const seeds = this.#wiped.has(name) ? [...known.filter((seed) => seed !== name), name] : known;
    return {
      node: {
        listen: { host, port: SIM_PORT },
        advertise: { host: advertised, port: SIM_PORT },
        http: undefined,
        zone: '',
        host: name,
        weight: 1,
      },
      cluster: {
        name: 'sim',
        seeds: seeds.map((seed) => ({ host: seed, port: SIM_PORT })),
        founders,
        replicationFactor: options.replicationFactor ?? 3,
        partitions: options.partitions ?? 16,
      },
      storage: {
        durability: this.durability,
        syncIntervalMs: 100,
        segmentBytes: options.segmentBytes ?? 1024 * 1024,
        memoryBytesMax: options.memoryBytesMax ?? 0,
        entriesMax: options.entriesMax ?? 0,
        eviction: options.eviction ?? 'reject',
        compression: options.compression === true ? 'on' : 'off',
      },
      limits: {
        keyBytesMax: 4096,
        valueBytesMax: options.valueBytesMax ?? 256 * 1024,
        connectionsMax: 1000,
        inflightMax: 8192,
        requestTimeoutMs: 2000,
      },
    };
  }
}

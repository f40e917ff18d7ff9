import { createNode, type Node } from '../../src/node.js';
import { SystemClock } from '../../src/platform/system-clock.js';
import { SystemRandom } from '../../src/platform/system-random.js';
import { SystemTimers } from '../../src/platform/system-timers.js';
import { TcpTransport } from '../../src/platform/tcp-transport.js';
import type { LogFields, LogLevel } from '../../src/ports/telemetry.js';
import { BareClient, type BareReply } from './bare-client.js';
import { NullTelemetry } from './null-telemetry.js';
import { TEST_NODE_KEYS } from './test-keys.js';

/** Telemetry that keeps log lines. */
class KeptLog extends NullTelemetry {
  readonly lines: { level: LogLevel; event: string; fields: LogFields }[] = [];

  override log(level: LogLevel = 'info', event = '', fields: LogFields = {}): void {
    this.lines.push({ level, event, fields });
  }
}

/** One node in this process, on a real TCP socket of the loopback, without a disk. */
export class RealNode {
  readonly node: Node;
  readonly ports: { readonly random: SystemRandom; readonly transport: TcpTransport };
  readonly log: KeptLog['lines'];

  private constructor(node: Node, ports: RealNode['ports'], log: KeptLog['lines']) {
    this.node = node;
    this.ports = ports;
    this.log = log;
  }

  static async start(limits: { connectionsMax?: number } = {}): Promise<RealNode> {
    const telemetry = new KeptLog();
    const ports = { random: new SystemRandom(), transport: new TcpTransport() };
    const node = createNode({
      ...ports,
      clock: new SystemClock(),
      timers: new SystemTimers(),
      disk: undefined,
      telemetry,
      keys: TEST_NODE_KEYS,
      onFatal: (error) => {
        throw error;
      },
      config: {
        node: {
          listen: { host: '127.0.0.1', port: 0 },
          advertise: { host: '127.0.0.1', port: 0 },
          http: undefined,
          zone: '',
          host: 'test',
          weight: 1,
        },
        cluster: { name: 'test', seeds: [], founders: 1, replicationFactor: 3, partitions: 16 },
        storage: {
          durability: 'none',
          syncIntervalMs: 100,
          segmentBytes: 4 * 1024 * 1024,
          memoryBytesMax: 0,
          entriesMax: 0,
          eviction: 'reject',
        },
        limits: {
          keyBytesMax: 4096,
          valueBytesMax: 1024 * 1024,
          connectionsMax: limits.connectionsMax ?? 5000,
          inflightMax: 8192,
          requestTimeoutMs: 2000,
        },
      },
    });
    await new Promise<void>((resolve, reject) =>
      node.start((error) => (error === undefined ? resolve() : reject(error))),
    );
    return new RealNode(node, ports, telemetry.lines);
  }

  stop(): Promise<void> {
    return new Promise((resolve, reject) =>
      this.node.stop((error) => (error === undefined ? resolve() : reject(error))),
    );
  }

  /** An authenticated client. */
  async connect(): Promise<BareClient> {
    const client = new BareClient(this.ports, this.node.address);
    await until(() => client.ready || client.closed);
    return client;
  }

  set(client: BareClient, key: string, value: string): Promise<BareReply> {
    return new Promise((resolve) => client.set(key, value, 2, resolve));
  }

  get(client: BareClient, key: string): Promise<BareReply> {
    return new Promise((resolve) => client.get(key, 2, resolve));
  }
}

/** Resolves when the condition holds, looked at once per turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

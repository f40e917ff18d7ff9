import { cpuNanoseconds } from '../cpu-time.js';
import { Histogram } from './histogram.js';
import type { Job, RunResult } from './jobs.js';
import { randomOrder, sequentialOrder } from './key-space.js';
import { LoadConnection, ReceiveBuffer } from './load-connection.js';
import type { Operation, RequestPool } from './request-pool.js';
import type { ReplyReader, Wire } from './wire.js';

/** Random requests per pool; when there are more keys, as many as keys. A multiple of 1024 (`INTENDED_SLOTS`). */
const POOL_REQUESTS = 131_072;
/** A fill is encoded in pieces, so that a million values need not be in memory at once. */
const FILL_PIECE = 102_400;
/** The loop runs this long before the measured window begins. */
const LEAD_MS = 100;

interface Snapshot {
  readonly atMs: number;
  readonly operations: number;
  readonly errors: number;
  readonly mismatches: number;
  readonly serverCpuNs: number;
  readonly generatorCpuNs: number;
}

/** Connections to one kind of server, and the loads they can carry. One job runs at a time. */
export class Generator {
  private readonly wire: Wire;
  private readonly receive: ReceiveBuffer = new ReceiveBuffer();
  private readonly latency: Histogram = new Histogram();
  private connections: LoadConnection[] = [];
  private reader: ReplyReader | undefined;
  private operations = 0;
  private onIdle: (() => void) | undefined;
  private fail: (error: Error) => void = () => {};

  constructor(wire: Wire) {
    this.wire = wire;
  }

  async run(job: Job): Promise<RunResult | undefined> {
    const failed = new Promise<never>((_, reject) => {
      this.fail = reject;
    });
    return await Promise.race([failed, this.start(job)]);
  }

  private async start(job: Job): Promise<RunResult | undefined> {
    switch (job.kind) {
      case 'connect':
        await this.connect(job.ports, job.connections);
        return undefined;
      case 'fill':
        await this.fill(job.first, job.count, job.depth);
        return undefined;
      case 'prepare':
        this.prepare(job.operation, job.keyCount, job.seed);
        return undefined;
      case 'closed':
        return await this.closedLoop(job.depth, job.seconds, job.serverPids);
      case 'open':
        return await this.openLoop(job.rate, job.seconds, job.serverPids);
      case 'scan':
        throw new Error('a generator does not scan');
      case 'disconnect':
        for (const connection of this.connections) connection.close();
        this.connections = [];
        return undefined;
    }
  }

  private async connect(ports: readonly number[], count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const port = ports[index % ports.length];
      await new Promise<void>((resolve) => {
        const load = { replied: () => {}, failed: (error: Error) => this.fail(error) };
        this.connections.push(new LoadConnection(port, this.wire, this.receive, load, resolve));
      });
    }
  }

  private prepare(operation: Operation, keyCount: number, seed: number): void {
    const requests = Math.ceil(Math.max(POOL_REQUESTS, keyCount) / 1024) * 1024;
    this.usePool(this.wire.pool(operation, randomOrder(requests, keyCount, seed)));
    // Connections begin at different places of the same random sequence.
    const stride = Math.floor(requests / this.connections.length);
    this.connections.forEach((connection, index) => {
      connection.sendCursor = index * stride;
      connection.receiveCursor = index * stride;
    });
  }

  private usePool(pool: RequestPool): void {
    this.reader = this.wire.reader(pool);
    for (const connection of this.connections) {
      connection.pool = pool;
      connection.reader = this.reader;
    }
  }

  private async fill(first: number, count: number, depth: number): Promise<void> {
    for (let done = 0; done < count; done += FILL_PIECE) {
      const piece = Math.min(FILL_PIECE, count - done);
      this.usePool(this.wire.pool('set', sequentialOrder(first + done, piece)));
      await this.sendOnce(piece, depth);
      const { errors } = this.reader as ReplyReader;
      if (errors > 0) throw new Error(`${errors} of ${piece} values were not stored`);
    }
  }

  /** Sends each request of the pool once, whichever connection is free. */
  private async sendOnce(count: number, depth: number): Promise<void> {
    let sent = 0;
    let replied = 0;
    await new Promise<void>((resolve) => {
      const next = (connection: LoadConnection, wanted: number): void => {
        const burst = Math.min(wanted, count - sent);
        if (burst === 0) return;
        connection.sendCursor = sent;
        sent += burst;
        connection.send(burst);
      };
      this.everyConnection((connection, replies) => {
        replied += replies;
        if (replied === count) resolve();
        else next(connection, replies);
      });
      for (const connection of this.connections) next(connection, depth);
    });
  }

  private async closedLoop(depth: number, seconds: number, pids: readonly number[]): Promise<RunResult> {
    const timed = depth === 1;
    let running = true;
    this.everyConnection((connection, replies) => {
      this.operations += replies;
      if (timed) {
        const now = performance.now();
        this.latency.record(now - connection.sentAt);
        connection.sentAt = now;
      }
      if (running) connection.send(replies);
      else this.whenIdle();
    });
    for (const connection of this.connections) {
      connection.sentAt = performance.now();
      connection.send(depth);
    }
    await sleep(LEAD_MS);
    this.latency.clear();
    const before = this.snapshot(pids);
    await sleep(seconds * 1000);
    const after = this.snapshot(pids);
    const latency = timed ? this.latency.percentiles() : undefined;
    running = false;
    await this.idle();
    return difference(before, after, latency);
  }

  private async openLoop(rate: number, seconds: number, pids: readonly number[]): Promise<RunResult> {
    this.everyConnection((_connection, replies) => {
      this.operations += replies;
      this.whenIdle();
    });
    this.latency.clear();
    for (const connection of this.connections) connection.latency = this.latency;
    const before = this.snapshot(pids);
    await this.paced(rate, seconds);
    const after = this.snapshot(pids);
    await this.idle();
    for (const connection of this.connections) connection.latency = undefined;
    return difference(before, after, this.latency.percentiles());
  }

  /**
   * Request i is due at i / rate seconds, whether or not earlier ones were answered: a server that stalls is charged
   * for the requests that had to wait (no coordinated omission).
   */
  private async paced(rate: number, seconds: number): Promise<void> {
    const startMs = performance.now();
    const total = Math.floor(rate * seconds);
    let sent = 0;
    while (sent < total) {
      const due = Math.min(total, Math.floor(((performance.now() - startMs) * rate) / 1000));
      for (; sent < due; sent++) {
        const connection = this.connections[sent % this.connections.length];
        if (connection.full) break; // stays due, and its latency counts from when it was
        connection.sendIntended(startMs + (sent * 1000) / rate);
      }
      // Every turn of the loop, not every tick of a timer: a millisecond would be most of what is measured.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private everyConnection(replied: (connection: LoadConnection, replies: number) => void): void {
    const load = { replied, failed: (error: Error) => this.fail(error) };
    for (const connection of this.connections) connection.load = load;
  }

  private whenIdle(): void {
    if (this.onIdle === undefined || this.connections.some((connection) => connection.outstanding > 0)) return;
    const done = this.onIdle;
    this.onIdle = undefined;
    done();
  }

  /** Resolves once every request was answered. */
  private async idle(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.onIdle = resolve;
      this.whenIdle();
    });
  }

  private snapshot(pids: readonly number[]): Snapshot {
    return {
      atMs: performance.now(),
      operations: this.operations,
      errors: this.reader?.errors ?? 0,
      mismatches: this.reader?.mismatches ?? 0,
      serverCpuNs: cpuNanoseconds(pids),
      generatorCpuNs: cpuNanoseconds([process.pid]),
    };
  }
}

function difference(before: Snapshot, after: Snapshot, latency: RunResult['latency']): RunResult {
  return {
    operations: after.operations - before.operations,
    seconds: (after.atMs - before.atMs) / 1000,
    errors: after.errors - before.errors,
    mismatches: after.mismatches - before.mismatches,
    serverCpuNs: after.serverCpuNs - before.serverCpuNs,
    generatorCpuNs: after.generatorCpuNs - before.generatorCpuNs,
    latency,
  };
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

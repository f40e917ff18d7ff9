/**
 * The process that scans all keys of a node, over and over: each page is asked for as soon as the one before is there. It
 * speaks the generator's jobs.
 */
import { connect, type Socket } from 'node:net';
import {
  Flag,
  FRAME_HEADER_BYTES,
  FrameReader,
  frameFlags,
  Opcode,
  type ScanPlace,
  writeFrameHeader,
} from '@memdb/protocol';
import { cpuNanoseconds } from '../cpu-time.js';
import type { Credentials, Job, RunResult } from './jobs.js';
import { MemdbOpening } from './memdb-opening.js';

const PAGE_BYTES_MAX: number = 1024 * 1024;
const DEADLINE_MS = 10_000;
const START: ScanPlace = { partition: 0, position: 0, after: new Uint8Array(0) };
const credentials = JSON.parse(process.env.MEMDB_BENCH_CREDENTIALS ?? '') as Credentials;

/** One connection that scans as long as it is told to. */
class Scanner {
  private readonly socket: Socket;
  private readonly opening: MemdbOpening = new MemdbOpening(credentials);
  private readonly frames: FrameReader;
  private open = false;
  private running = false;
  /** A page is on its way. */
  private asking = false;
  private place: ScanPlace = START;
  private keysOfPass = 0;
  /** Keys that came, and how many each whole scan had. */
  keys = 0;
  readonly passes: number[] = [];
  private readonly fail: (error: Error) => void;

  constructor(port: number, ready: () => void, fail: (error: Error) => void) {
    this.fail = fail;
    this.frames = new FrameReader({
      maxFrameBytes: PAGE_BYTES_MAX,
      onFrame: (bytes, view, start) => this.onPage(bytes, view, start),
    });
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('connect', () => this.socket.write(this.opening.start()));
    this.socket.on('error', fail);
    this.socket.on('close', () => fail(new Error('the node closed a connection that scans')));
    this.socket.on('data', (bytes) => {
      if (this.open) {
        this.frames.push(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length);
        return;
      }
      const step = this.opening.receive(bytes);
      if (step.send !== undefined) this.socket.write(step.send);
      this.open = step.done;
      if (this.open) ready();
    });
  }

  start(): void {
    this.running = true;
    if (!this.asking) this.ask();
  }

  stop(): void {
    this.running = false;
  }

  private ask(): void {
    const { partition, position, after } = this.place;
    const body = FRAME_HEADER_BYTES + 12;
    const request = new Uint8Array(body + after.length);
    const view = new DataView(request.buffer);
    writeFrameHeader(view, 0, 12 + after.length, Opcode.scan, 0, 1, DEADLINE_MS, 0, 0);
    view.setUint32(FRAME_HEADER_BYTES, partition, true);
    view.setUint32(FRAME_HEADER_BYTES + 4, position, true);
    view.setUint16(FRAME_HEADER_BYTES + 10, after.length, true);
    request.set(after, body);
    this.socket.write(request);
    this.asking = true;
  }

  private onPage(bytes: Uint8Array, view: DataView, start: number): void {
    if ((frameFlags(view, start) & Flag.error) !== 0) {
      this.fail(new Error('a page of the scan was refused'));
      return;
    }
    // Only what the next request needs: this process shares a core with the one that measures.
    const body = start + FRAME_HEADER_BYTES;
    const count = view.getUint32(body + 12, true);
    this.keys += count;
    this.keysOfPass += count;
    if (view.getUint8(body) === 1) {
      this.passes.push(this.keysOfPass);
      this.keysOfPass = 0;
      this.place = START;
    } else {
      const after = bytes.slice(body + 16, body + 16 + view.getUint16(body + 2, true));
      this.place = { partition: view.getUint32(body + 4, true), position: view.getUint32(body + 8, true), after };
    }
    this.asking = false;
    if (this.running) this.ask();
  }
}

let scanners: Scanner[] = [];
let failed: (error: Error) => void = () => {};

async function open(ports: readonly number[], connections: number): Promise<void> {
  for (let index = 0; index < connections; index++) {
    await new Promise<void>((resolve) => {
      scanners.push(new Scanner(ports[index % ports.length], resolve, (error) => failed(error)));
    });
  }
}

/** Scans for so many seconds; `operations` counts keys. A scan that did not bring exactly `keyCount` is a mismatch. */
async function scan(seconds: number, keyCount: number, pids: readonly number[]): Promise<RunResult> {
  const before = { keys: sum((scanner) => scanner.keys), server: cpuNanoseconds(pids), atMs: performance.now() };
  const passed = scanners.map((scanner) => scanner.passes.length);
  const own = cpuNanoseconds([process.pid]);
  for (const scanner of scanners) scanner.start();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  for (const scanner of scanners) scanner.stop();
  const wrong = (scanner: Scanner, index: number): number =>
    scanner.passes.slice(passed[index]).filter((keys) => keys !== keyCount).length;
  return {
    operations: sum((scanner) => scanner.keys) - before.keys,
    seconds: (performance.now() - before.atMs) / 1000,
    errors: 0,
    mismatches: sum(wrong),
    serverCpuNs: cpuNanoseconds(pids) - before.server,
    generatorCpuNs: cpuNanoseconds([process.pid]) - own,
    latency: undefined,
  };
}

function sum(figure: (scanner: Scanner, index: number) => number): number {
  return scanners.reduce((total, scanner, index) => total + figure(scanner, index), 0);
}

async function run(job: Job): Promise<RunResult | undefined> {
  if (job.kind === 'connect') await open(job.ports, job.connections);
  else if (job.kind === 'scan') return await scan(job.seconds, job.keyCount, job.serverPids);
  else if (job.kind === 'disconnect') scanners = [];
  else throw new Error(`a scanner does not ${job.kind}`);
  return undefined;
}

process.on('message', (job: Job) => {
  const failure = new Promise<never>((_, reject) => {
    failed = reject;
  });
  Promise.race([failure, run(job)]).then(
    (result) => process.send?.({ kind: 'done', result }),
    (error: unknown) => process.send?.({ kind: 'failed', message: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));

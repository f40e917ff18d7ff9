import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { keyHash } from '@memdb/protocol';
import { RecordKind, recordBytes } from '../../src/model/record.js';
import { FileDisk } from '../../src/platform/file-disk.js';
import { SystemClock } from '../../src/platform/system-clock.js';
import { SystemTimers } from '../../src/platform/system-timers.js';
import type { Telemetry } from '../../src/ports/telemetry.js';
import { Store, type StoreOptions } from '../../src/storage/store.js';

/**
 * Nanoseconds of the storage engine's hot paths, without network: append, lookup, a run from a peer, and recovery.
 * `node dist/test/micro/storage.js [keys] [--eviction lru]`
 */
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { eviction: { type: 'string', default: 'reject' }, fill: { type: 'string' } },
});
const KEY_BYTES = 16;
const VALUE_BYTES = 100;
const SEGMENT_BYTES: number = 16 * 1024 * 1024;
const SEED = 1234;
const SILENT: Telemetry = {
  log: () => {},
  counter: () => ({ value: 0 }),
  gauge: () => {},
  histogram: () => ({ observe: () => {} }),
};

const keyCount = Number(positionals[0] ?? 1_000_000);
const keys = makeKeys(keyCount);
const keyView = new DataView(keys.buffer);
const value = new Uint8Array(VALUE_BYTES).fill(120);

function makeKeys(count: number): Uint8Array {
  const bytes = new Uint8Array(count * KEY_BYTES);
  for (let key = 0; key < count; key++) bytes.set(Buffer.from(`key:${String(key).padStart(12, '0')}`), key * KEY_BYTES);
  return bytes;
}

function options(disk: FileDisk | undefined): StoreOptions {
  return {
    disk,
    timers: new SystemTimers(),
    clock: new SystemClock(),
    telemetry: SILENT,
    durability: disk === undefined ? 'none' : 'sync',
    syncIntervalMs: 100,
    segmentBytes: SEGMENT_BYTES,
    partitions: 256,
    hashSeed: SEED,
    memoryBytesMax: 0,
    entriesMax: 0,
    eviction: flags.eviction === 'lru' ? 'lru' : 'reject',
    onDurable: () => {},
    onRoom: () => {},
    onFatal: (error) => {
      throw error;
    },
  };
}

function put(store: Store, key: number, counter: number): void {
  const start = key * KEY_BYTES;
  const hash = keyHash(keys, keyView, start, KEY_BYTES, SEED);
  if (store.room(recordBytes(KEY_BYTES, VALUE_BYTES), RecordKind.value) !== 'ok') throw new Error('no room');
  store.append(RecordKind.value, counter, 1, hash, keys, start, KEY_BYTES, value, 0, VALUE_BYTES, 0);
}

/** What has gone by since `begin`: on a busy machine the processor time holds when the other does not. */
class Stopwatch {
  readonly #startedMs = performance.now();
  readonly #startedCpu = process.cpuUsage();

  report(what: string, operations: number): void {
    const wallMs = performance.now() - this.#startedMs;
    const { user, system } = process.cpuUsage(this.#startedCpu);
    const cpuMs = (user + system) / 1000;
    const each = (ms: number): string => ((ms * 1e6) / operations).toFixed(0).padStart(6);
    process.stdout.write(
      `${what.padEnd(44)} ${each(wallMs)} ns each, of the processor ${each(cpuMs)}; ${wallMs.toFixed(0)} ms, ${cpuMs.toFixed(0)}\n`,
    );
  }
}

function timed(what: string, operations: number, work: () => void): void {
  const stopwatch = new Stopwatch();
  work();
  stopwatch.report(what, operations);
}

function inMemory(): void {
  const store = Store.open(options(undefined));
  timed(`append, ${keyCount} fresh keys`, keyCount, () => {
    for (let key = 0; key < keyCount; key++) put(store, key, key + 1);
  });
  const { accountedBytes, indexBytes } = store.stats();
  process.stdout.write(
    `accounted ${(accountedBytes / keyCount).toFixed(1)} bytes a key, index ${(indexBytes / keyCount).toFixed(1)}\n`,
  );
  timed('append, overwriting', keyCount, () => {
    for (let key = 0; key < keyCount; key++) put(store, (key * 7919) % keyCount, keyCount + key + 1);
  });
  for (const among of [Math.min(100_000, keyCount), keyCount]) {
    let found = 0;
    timed(`lookup, hit, among ${among} of the keys`, keyCount, () => {
      for (let turn = 0; turn < keyCount; turn++) {
        const start = ((turn * 7919) % among) * KEY_BYTES;
        const hash = keyHash(keys, keyView, start, KEY_BYTES, SEED);
        if (store.lookup(hash, keys, keyView, start, KEY_BYTES)) found += store.found.valueLength;
      }
    });
    if (found !== keyCount * VALUE_BYTES) throw new Error('a key is missing');
  }
  slices(store);
  store.close(() => {});
}

/** A scan of everything, slice by slice: each must stay well below a millisecond. */
function slices(store: Store): void {
  const window = store.scanWindow;
  for (const prefix of ['', 'key:0000001']) {
    const bytes = new TextEncoder().encode(prefix);
    const sliceMs: number[] = [];
    timed(`scan, prefix "${prefix}"`, keyCount, () => {
      for (let partition = 0; partition < store.placement.partitions; partition++) {
        for (let from = 0; from < 2 ** 32; from = window.end) {
          const startedMs = performance.now();
          window.collect(partition, from, new Uint8Array(0), bytes, false);
          sliceMs.push(performance.now() - startedMs);
        }
      }
    });
    sliceMs.sort((left, right) => left - right);
    const at = (share: number): string => sliceMs[Math.floor((sliceMs.length - 1) * share)].toFixed(3);
    process.stdout.write(
      `  ${sliceMs.length} slices: median ${at(0.5)} ms, 99 % ${at(0.99)} ms, longest ${at(1)} ms\n`,
    );
  }
}

function smallSet(): void {
  const count = 100_000;
  const store = Store.open(options(undefined));
  for (let key = 0; key < count; key++) put(store, key, key + 1);
  for (let round = 0; round < 3; round++) {
    timed('lookup, hit, store of 100000 keys', 1_000_000, () => {
      for (let turn = 0; turn < 1_000_000; turn++) {
        const start = ((turn * 7919) % count) * KEY_BYTES;
        const hash = keyHash(keys, keyView, start, KEY_BYTES, SEED);
        if (!store.lookup(hash, keys, keyView, start, KEY_BYTES)) throw new Error('a key is missing');
      }
    });
  }
  store.close(() => {});
}

function runs(): void {
  const sender = Store.open(options(undefined));
  const receiver = Store.open(options(undefined));
  const count = Math.min(keyCount, 500_000);
  for (let key = 0; key < count; key++) put(sender, key, key + 1);
  for (const skipHeld of [false, true]) {
    const cursor = sender.logCursor(0);
    let { segment } = cursor;
    let start = 0;
    let end = 0;
    timed(skipHeld ? 'run of a peer, all held' : 'run of a peer, 64 KiB', count, () => {
      while (cursor.next()) {
        if (cursor.segment !== segment || end - start > 65_536) {
          receiver.ingestRun(segment.bytes, segment.view, start, end, segment.generation, start, skipHeld, () => {});
          segment = cursor.segment;
          start = cursor.offset;
        }
        if (start === 0) start = cursor.offset;
        end = cursor.offset + cursor.bytes;
      }
      receiver.ingestRun(segment.bytes, segment.view, start, end, segment.generation, start, skipHeld, () => {});
    });
  }
  if (receiver.stats().keys !== count) throw new Error('a record is missing');
  for (const store of [sender, receiver]) store.close(() => {});
}

/** What a process does until it is killed. */
async function fillUntilKilled(directory: string): Promise<void> {
  const disk = new FileDisk(directory);
  disk.lock();
  const store = Store.open(options(disk));
  const stopwatch = new Stopwatch();
  for (let key = 0; key < keyCount; ) {
    for (let batch = 0; batch < 64 && key < keyCount; batch++) {
      if (store.room(recordBytes(KEY_BYTES, VALUE_BYTES), RecordKind.value) !== 'ok') break;
      put(store, key, ++key);
    }
    store.commit();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise<void>((resolve) => store.syncNow(resolve));
  stopwatch.report('append, commit every 64, synced at the end', keyCount);
  process.send?.('filled');
}

async function recovery(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'memdb-storage-'));
  try {
    const child = fork(fileURLToPath(import.meta.url), [`${keyCount}`, '--fill', directory]);
    child.once('message', () => child.kill('SIGKILL'));
    await new Promise((resolve) => child.once('exit', resolve));
    for (const how of ['after a kill', 'after a clean end', 'after a clean end']) {
      const disk = new FileDisk(directory);
      disk.lock();
      const opening = new Stopwatch();
      const again = Store.open(options(disk));
      opening.report(`recovery ${how}`, keyCount);
      if (again.stats().keys !== keyCount) throw new Error(`${again.stats().keys} keys came back`);
      await new Promise<void>((resolve, reject) => again.close((error) => (error ? reject(error) : resolve())));
      disk.unlock();
      await disk.close();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (flags.fill === undefined) {
  smallSet();
  inMemory();
  runs();
  await recovery();
} else {
  await fillUntilKilled(flags.fill);
}

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyHash } from '@memdb/protocol';
import { RecordKind, recordBytes } from '../../src/model/record.js';
import { FileDisk } from '../../src/platform/file-disk.js';
import { SystemClock } from '../../src/platform/system-clock.js';
import { SystemTimers } from '../../src/platform/system-timers.js';
import type { Counter, Histogram, Telemetry } from '../../src/ports/telemetry.js';
import { type Durability, Store } from '../../src/storage/store.js';

/**
 * Overwrites the same keys over and over: what disk and memory grow to, and what compaction costs.
 * `node dist/test/micro/compaction.js [writes] [longest value]`: files hold the longest value that the configuration
 * allows, 8 MiB by default.
 */
const KEYS = 100_000;
const WRITES = Number(process.argv[2] ?? 20_000_000);
const LONGEST_VALUE_BYTES = Number(process.argv[3] ?? 8 * 1024 * 1024);
const KEY_BYTES = 16;
const VALUE_BYTES = 100;
/** The default. */
const SEGMENT_BYTES: number = 16 * 1024 * 1024;
/** Writes of one turn: 50 connections with a few requests each. */
const TURN_WRITES = 256;
const HASH_SEED = 7;
const MB = 1e6;
const NS_PER_US = 1000;

async function overwrite(directory: string, durability: Durability): Promise<string> {
  const disk = durability === 'none' ? undefined : new FileDisk(directory);
  disk?.lock();
  const meters = new Meters();
  let wake = (): void => {};
  const store = Store.open({
    disk,
    timers: new SystemTimers(),
    clock: new SystemClock(),
    telemetry: meters,
    durability,
    syncIntervalMs: 100,
    segmentBytes: SEGMENT_BYTES,
    recordBytesMax: recordBytes(KEY_BYTES, LONGEST_VALUE_BYTES),
    partitions: 256,
    hashSeed: HASH_SEED,
    memoryBytesMax: 0,
    entriesMax: 0,
    eviction: 'reject',
    onDurable: () => wake(),
    onRoom: () => wake(),
    onFatal: (error) => {
      throw error;
    },
  });
  const writer = new Writer(store);
  const peak = { disk: 0, memory: 0 };
  const cpuBefore = process.cpuUsage();
  for (let written = 0; written < WRITES; ) {
    for (let turn = 0; turn < TURN_WRITES && writer.put(); turn++) written++;
    store.commit();
    await new Promise((resolve) => setImmediate(resolve));
    const { logBytesOnDisk, accountedBytes } = store.stats();
    // The first round only fills the store.
    if (written < 2 * KEYS) continue;
    peak.disk = Math.max(peak.disk, logBytesOnDisk);
    peak.memory = Math.max(peak.memory, accountedBytes);
  }
  const cpu = process.cpuUsage(cpuBefore);
  const { liveBytes } = store.stats();
  await new Promise<void>((resolve) => store.syncNow(resolve));
  await rest();
  const after = store.stats();
  const onDisk = disk === undefined ? 0 : bytesIn(join(directory, 'log'));
  await new Promise<void>((resolve) => store.close(() => resolve()));
  disk?.unlock();
  await disk?.close();
  wake = () => {};
  const appended = WRITES * recordBytes(KEY_BYTES, VALUE_BYTES);
  const copied = meters.value('compaction_copied_bytes_total');
  const slices = meters.slices;
  const times = (bytes: number): string => (bytes / liveBytes).toFixed(2);
  const cpuNs = ((cpu.user + cpu.system) * NS_PER_US) / WRITES;
  return [
    `compaction, ${durability}: ${(liveBytes / MB).toFixed(1)} MB live`,
    `peak of disk ${times(peak.disk)} ×, of memory with index and spare buffers ${times(peak.memory)} ×`,
    `at rest ${times(after.logBytesOnDisk)} × (files ${times(onDisk)} ×) and ${times(after.accountedBytes)} ×`,
    `write amplification ${(1 + copied / appended).toFixed(2)}`,
    `${slices.count} slices, longest ${(slices.max * 1000).toFixed(2)} ms, ${slices.above} above 1 ms`,
    `files made ${meters.value('log_files_made_total')}, used again ${meters.value('log_files_recycled_total')}`,
    `${cpuNs.toFixed(0)} ns of processor a write`,
  ].join('; ');
}

/** Gives compaction the time to come to rest. */
function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 3000));
}

function bytesIn(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

class Writer {
  readonly #store: Store;
  readonly #bytes = new Uint8Array(KEY_BYTES + VALUE_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  #count = 0;
  #state = 1;

  constructor(store: Store) {
    this.#store = store;
  }

  /** False when there is no room now. */
  put(): boolean {
    if (this.#store.room(recordBytes(KEY_BYTES, VALUE_BYTES), RecordKind.value) !== 'ok') return false;
    // Every key once, then at random (a linear congruential generator is random enough).
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    const key = this.#count < KEYS ? this.#count : Math.floor((this.#state / 2 ** 32) * KEYS);
    this.#view.setUint32(KEY_BYTES - 4, key, true);
    this.#view.setUint32(KEY_BYTES, ++this.#count, true);
    const hash = keyHash(this.#bytes, this.#view, 0, KEY_BYTES, HASH_SEED);
    const { value } = RecordKind;
    this.#store.append(value, this.#count, 1, hash, this.#bytes, 0, KEY_BYTES, this.#bytes, KEY_BYTES, VALUE_BYTES, 0);
    return true;
  }
}

/** Telemetry that can be read. */
class Meters implements Telemetry {
  readonly slices: { count: number; max: number; above: number } = { count: 0, max: 0, above: 0 };
  readonly #counters = new Map<string, Counter>();

  log(): void {}
  gauge(): void {}

  counter(name: string): Counter {
    const counter = this.#counters.get(name) ?? { value: 0 };
    this.#counters.set(name, counter);
    return counter;
  }

  histogram(name: string): Histogram {
    const { slices } = this;
    if (name !== 'compaction_slice_seconds') return { observe: () => {} };
    return {
      observe: (seconds) => {
        slices.count++;
        slices.max = Math.max(slices.max, seconds);
        if (seconds > 0.001) slices.above++;
      },
    };
  }

  value(name: string): number {
    return this.#counters.get(name)?.value ?? 0;
  }
}

for (const durability of ['sync', 'none'] as const) {
  const directory = mkdtempSync(join(tmpdir(), 'memdb-compaction-'));
  try {
    process.stdout.write(`${await overwrite(directory, durability)}\n`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

import { type Client, createClient, MemDbError } from '@memdb/client';
import { readManifest } from '../../src/cli/backup/backup-manifest.js';
import { restoreBackup } from '../../src/cli/backup/restore-backup.js';
import { takeBackup } from '../../src/cli/backup/take-backup.js';
import { verifyBackup } from '../../src/cli/backup/verify-backup.js';
import { CliError } from '../../src/cli/cli-error.js';
import { contentOf } from './history.js';
import { SIM_PORT } from './sim-cluster.js';
import type { SimRandom } from './sim-random.js';
import type { SimPorts } from './sim-world.js';
import { TEST_KEYS } from './test-keys.js';
import type { Begun, WorkloadContext } from './workload.js';

const DIRECTORY = 'backup';
const TIMEOUT_MS = 1000;
const INDEX_BYTES: number = 64 * 1024;

/**
 * Somebody who takes a backup into one directory over and over, while clients write and nodes die. One that succeeds is
 * looked into at once: nothing of it is damaged, and it holds what a read of every key at quorum, begun when the backup
 * was and answered when it was done, may return. One that fails leaves the one before as it was.
 */
export class BackupActor {
  /** Backups that succeeded. */
  taken = 0;
  readonly #context: WorkloadContext;
  readonly #intervalMs: number;
  readonly #random: SimRandom;
  readonly #ports: SimPorts;
  #client: Client | undefined;
  #runs = false;

  constructor(context: WorkloadContext, intervalMs: number) {
    this.#context = context;
    this.#intervalMs = intervalMs;
    this.#random = context.world.random.fork('backups');
    this.#ports = context.world.createPorts('backup', true);
  }

  /** Takes backups until a moment of the world. */
  run(untilMs: number): void {
    const { world } = this.#context;
    const atMs = world.nowMs + this.#intervalMs * this.#random.between(0.5, 1.5);
    if (atMs > untilMs) return;
    world.at(atMs, () => {
      this.#take();
      this.run(untilMs);
    });
  }

  unanswered(): string[] {
    return this.#runs ? ['a backup did not end'] : [];
  }

  #take(): void {
    if (this.#runs) return;
    const { world, broken, journal, workload } = this.#context;
    this.#runs = true;
    world.chains++;
    const begun = workload.beginRead('', 'a backup begins');
    this.#backUp(begun)
      .catch((error: unknown) => {
        // Too few nodes, or one that went away, is nothing; a log that does not verify would be.
        const isOrdinary = error instanceof CliError ? error.code === 'nodes-missing' : error instanceof MemDbError;
        if (!isOrdinary) {
          broken.add(`a backup threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
        } else journal.note(undefined, () => `a backup failed: ${String(error)}`);
      })
      .finally(() => {
        this.#runs = false;
        world.chains--;
      });
  }

  async #backUp(begun: Begun): Promise<void> {
    const { cluster, journal } = this.#context;
    const { disk, clock } = this.#ports;
    this.#client ??= createClient({
      ports: this.#ports,
      seeds: cluster.names.map((host) => ({ host, port: SIM_PORT })),
      key: TEST_KEYS.client,
      timeoutMs: TIMEOUT_MS,
    });
    const client = this.#client;
    await client.ready();
    const options = { client, disk, directory: DIRECTORY, nowMs: clock.wallMs(), timeoutMs: TIMEOUT_MS };
    const result = await takeBackup({ ...options, onProgress: () => {} });
    this.taken++;
    journal.note(undefined, () => `a backup of ${result.bytes} bytes, ${result.freshBytes} of them fresh, is done`);
    await this.#judge(client, begun);
  }

  async #judge(client: Client, begun: Begun): Promise<void> {
    const { broken, options, workload } = this.#context;
    const { disk, clock } = this.#ports;
    const manifest = readManifest(disk, DIRECTORY);
    if (manifest === undefined) {
      broken.add('there is no manifest after a backup that succeeded');
      return;
    }
    for (const { file, offset, reason } of verifyBackup(disk, manifest).damage) {
      broken.add(`a backup is damaged: ${file} at ${offset}: ${reason}`);
    }
    const restored = new Map<string, string>();
    await restoreBackup({
      client: collector(client, restored),
      disk,
      directory: DIRECTORY,
      manifest,
      existing: 'overwrite',
      indexBytesMax: INDEX_BYTES,
      nowMs: () => clock.wallMs(),
      timeoutMs: TIMEOUT_MS,
      onProgress: () => {},
    });
    for (const key of restored.keys()) {
      if (!options.keys.includes(key)) broken.add('a backup has it although nobody wrote it', key);
    }
    for (const key of options.keys) {
      workload.answerRead(key, begun, true, undefined, contentOf(restored.get(key)), false);
    }
  }
}

/** A client whose writes end up in a map. */
function collector(client: Client, into: Map<string, string>): Client {
  const text = (bytes: string | Uint8Array): string =>
    typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString();
  const set = (key: string | Uint8Array, value: string | Uint8Array): Promise<void> => {
    into.set(text(key), text(value));
    return Promise.resolve();
  };
  const setMany = async (entries: Iterable<readonly [string | Uint8Array, string | Uint8Array]>): Promise<object[]> => {
    const all = [...entries];
    for (const [key, value] of all) await set(key, value);
    return all.map(([key]) => ({ key, error: undefined }));
  };
  return Object.create(client, { set: { value: set }, setMany: { value: setMany } }) as Client;
}

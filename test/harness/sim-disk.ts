import { loadBlockCodec } from '../../src/platform/block-codec.js';
import { compressImage } from '../../src/platform/compressed-image.js';
import { expandFile, expandFilePart, missingCodec } from '../../src/platform/expand-file.js';
import { type CompressedPlace, type Disk, DiskError, type DiskFile } from '../../src/ports/disk.js';
import { parentOf, type SimDiskImage } from './sim-disk-image.js';
import { SIM_EVENT, SimCall } from './sim-event.js';
import type { SimFaultCounters } from './sim-faults.js';
import { SimFile } from './sim-file.js';
import type { SimHost } from './sim-host.js';
import type { SimRandom } from './sim-random.js';
import type { SimScheduler } from './sim-scheduler.js';
import type { SimTrace } from './sim-trace.js';

/** Writing zeros takes this long per MiB. */
const PREALLOCATE_MS_PER_MIB = 1;
/** Writing and syncing a file as a whole, beside the sync itself. */
const REPLACE_MS_PER_MIB = 2;

export interface SimDiskContext {
  readonly scheduler: SimScheduler;
  readonly trace: SimTrace;
  readonly random: SimRandom;
  readonly faults: SimFaultCounters;
  readonly host: SimHost;
  readonly image: SimDiskImage;
}

/** The disk of a node as one of its processes sees it. */
export class SimDisk implements Disk {
  readonly #context: SimDiskContext;

  constructor(context: SimDiskContext) {
    this.#context = context;
  }

  lock(): void {
    const { image, host } = this.#context;
    if (image.lockedBy?.alive) {
      throw new DiskError('locked', 'LOCK', `the disk is in use by process ${image.lockedBy.number}`);
    }
    image.lockedBy = host;
  }

  unlock(): void {
    const { image, host } = this.#context;
    if (image.lockedBy === host) image.lockedBy = undefined;
  }

  list(directory: string): string[] {
    return this.#context.image.list(normal(directory));
  }

  makeDirectory(directory: string): void {
    const { image } = this.#context;
    const path = normal(directory);
    if (image.has(path)) return;
    this.makeDirectory(parentOf(path));
    image.set(path, 'directory');
  }

  exists(path: string): boolean {
    return this.#context.image.has(normal(path));
  }

  read(path: string): Uint8Array {
    return this.#file(path).content();
  }

  replace(path: string, bytes: Uint8Array): void {
    const { image, faults, trace } = this.#context;
    const name = normal(path);
    this.#mustHaveParent(name);
    trace.bytes(bytes, 0, bytes.length);
    // The old file stays until the new one is complete.
    if (bytes.length > image.freeBytes()) {
      faults.bump('disk-full');
      throw new DiskError('full', path, `no room to replace ${path}`);
    }
    image.set(name, new SimFile(bytes.slice()));
    image.syncNames(parentOf(name));
  }

  open(path: string): DiskFile {
    return new SimDiskFile(this.#context, path, this.#file(path));
  }

  preallocate(path: string, bytes: number, done: (error?: DiskError) => void): void {
    const { scheduler, random, image, faults, host } = this.#context;
    const finish = (): void => {
      const name = normal(path);
      if (bytes > image.freeBytes()) {
        faults.bump('disk-full');
        done(new DiskError('full', path, `no room for ${path}`));
      } else if (!image.hasDirectory(parentOf(name))) {
        done(new DiskError('missing', path, `no directory for ${path}`));
      } else {
        image.set(name, new SimFile(new Uint8Array(bytes)));
        image.syncNames(parentOf(name));
        done();
      }
    };
    const delayMs = random.between(0.5, 2) * (1 + (bytes / 2 ** 20) * PREALLOCATE_MS_PER_MIB);
    scheduler.schedule(new SimCall(host, SIM_EVENT.disk, finish), scheduler.nowMs + delayMs);
  }

  replaceLater(path: string, bytes: Uint8Array, done: (error?: DiskError) => void): void {
    const { image, faults, trace } = this.#context;
    const name = normal(path);
    const expected = bytes.slice();
    this.#inBackground(bytes.length, () => {
      if (!image.hasDirectory(parentOf(name))) {
        done(new DiskError('missing', path, `no directory for ${path}`));
        return;
      }
      if (!sameContent(bytes, expected)) throw new Error(`what replaces ${path} changed before it was done`);
      trace.bytes(bytes, 0, bytes.length);
      if (bytes.length > image.freeBytes()) {
        faults.bump('disk-full');
        done(new DiskError('full', path, `no room to replace ${path}`));
      } else if (this.#syncFails()) {
        done(new DiskError('io', path, `syncing ${path} failed`));
      } else {
        // The new name can be lost until the directory is synced.
        image.set(name, new SimFile(expected));
        this.#inBackground(0, () => {
          image.syncNames(parentOf(name));
          done();
        });
      }
    });
  }

  compress(
    from: string,
    to: string,
    bytes: number,
    done: (error: DiskError | undefined, stored: number) => void,
  ): void {
    const { image, faults } = this.#context;
    const name = normal(to);
    this.#inBackground(bytes, () => {
      const source = image.file(normal(from));
      if (source === undefined) {
        done(new DiskError('missing', to, `no file ${from}`), 0);
        return;
      }
      if (source.size < bytes) {
        done(new DiskError('io', to, `${from} ends before byte ${bytes}`), 0);
        return;
      }
      const codec = loadBlockCodec();
      if (codec === undefined) {
        done(missingCodec(from), 0);
        return;
      }
      const compressed = compressImage(source.content().subarray(0, bytes), codec);
      if (compressed.length > image.freeBytes()) {
        faults.bump('disk-full');
        done(new DiskError('full', to, `no room for ${to}`), 0);
      } else if (this.#syncFails()) {
        done(new DiskError('io', to, `syncing ${to} failed`), 0);
      } else {
        image.set(name, new SimFile(compressed));
        image.syncNames(parentOf(name));
        done(undefined, compressed.length);
      }
    });
  }

  readCompressed(path: string): Uint8Array {
    return expandFile(path, this.read(path));
  }

  readCompressedLater(
    path: string,
    place: CompressedPlace,
    length: number,
    done: (error: DiskError | undefined, bytes: Uint8Array, next: CompressedPlace) => void,
  ): void {
    this.#inBackground(length, () => {
      try {
        const file = this.#file(path);
        const read = (at: number, bytes: number): Uint8Array => {
          const target = new Uint8Array(bytes);
          return target.subarray(0, file.read(target, 0, bytes, at));
        };
        const { content, next } = expandFilePart(path, read, place, length);
        done(undefined, content, next);
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        done(error, new Uint8Array(0), place);
      }
    });
  }

  rename(from: string, to: string, done: (error?: DiskError) => void): void {
    const { image } = this.#context;
    this.#inBackground(0, () => {
      const file = image.file(normal(from));
      if (file === undefined) {
        done(new DiskError('missing', from, `no file ${from}`));
        return;
      }
      // One step: a file system keeps the old name or the new one, never both or none.
      image.syncNames(parentOf(normal(from)));
      image.set(normal(to), file);
      image.remove(normal(from));
      image.syncNames(parentOf(normal(to)));
      done();
    });
  }

  remove(path: string): void {
    this.#context.image.remove(normal(path));
  }

  readLater(
    path: string,
    position: number,
    length: number,
    done: (error: DiskError | undefined, bytes: Uint8Array) => void,
  ): void {
    this.#inBackground(length, () => {
      const file = this.#context.image.file(normal(path));
      if (file === undefined) {
        done(new DiskError('missing', path, `no file ${path}`), new Uint8Array(0));
        return;
      }
      const bytes = new Uint8Array(length);
      done(undefined, bytes.subarray(0, file.read(bytes, 0, length, position)));
    });
  }

  removeLater(path: string, done: (error?: DiskError) => void): void {
    this.#inBackground(0, () => {
      this.remove(path);
      done();
    });
  }

  syncDirectory(directory: string): void {
    const path = normal(directory);
    if (!this.#context.image.hasDirectory(path)) {
      throw new DiskError('missing', directory, `no directory ${directory}`);
    }
    this.#context.image.syncNames(path);
  }

  #inBackground(bytes: number, finish: () => void): void {
    const { scheduler, random, host, image } = this.#context;
    const { syncMsMin, syncMsMax } = image.behaviour;
    const delayMs = random.between(syncMsMin, syncMsMax) + (bytes / 2 ** 20) * REPLACE_MS_PER_MIB;
    scheduler.schedule(new SimCall(host, SIM_EVENT.disk, finish), scheduler.nowMs + delayMs);
  }

  #syncFails(): boolean {
    const { random, faults, image } = this.#context;
    const { behaviour } = image;
    const fails = behaviour.failSyncs > 0 || random.chance(behaviour.syncErrorChance);
    if (behaviour.failSyncs > 0) behaviour.failSyncs--;
    if (fails) faults.bump('sync-failed');
    return fails;
  }

  #file(path: string): SimFile {
    const file = this.#context.image.file(normal(path));
    if (file === undefined) throw new DiskError('missing', path, `no file ${path}`);
    return file;
  }

  #mustHaveParent(path: string): void {
    if (!this.#context.image.hasDirectory(parentOf(path))) {
      throw new DiskError('missing', path, `no directory for ${path}`);
    }
  }
}

class SimDiskFile implements DiskFile {
  readonly path: string;
  readonly #context: SimDiskContext;
  readonly #file: SimFile;
  #failed = false;
  #closed = false;

  constructor(context: SimDiskContext, path: string, file: SimFile) {
    this.#context = context;
    this.path = path;
    this.#file = file;
  }

  size(): number {
    return this.#file.size;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    this.#mustBeUsable();
    return this.#file.read(target, offset, length, position);
  }

  write(source: Uint8Array, offset: number, length: number, position: number): void {
    this.#mustBeUsable();
    const { image, random, trace, faults } = this.#context;
    trace.word(position);
    trace.bytes(source, offset, offset + length);
    if (image.behaviour.failWrites > 0) {
      image.behaviour.failWrites--;
      faults.bump('write-failed');
      this.#file.write(source, offset, random.below(length), position);
      throw new DiskError('io', this.path, `writing to ${this.path} failed`);
    }
    const growth = Math.max(0, position + length - this.#file.size);
    const free = growth === 0 ? 0 : image.freeBytes();
    if (growth > free) {
      faults.bump('disk-full');
      this.#file.write(source, offset, Math.max(0, length - (growth - free)), position);
      throw new DiskError('full', this.path, `no room to write to ${this.path}`);
    }
    this.#file.write(source, offset, length, position);
  }

  sync(done: (error?: DiskError) => void): void {
    this.#mustBeUsable();
    if (this.#failed) throw new Error(`${this.path} failed to sync before and was synced again`);
    const { scheduler, random, faults, host, image } = this.#context;
    const { behaviour } = image;
    const slow = random.chance(behaviour.slowChance);
    if (slow) faults.bump('sync-slow');
    const delayMs = random.between(behaviour.syncMsMin, behaviour.syncMsMax) + (slow ? behaviour.slowMs : 0);
    const fails = behaviour.failSyncs > 0 || random.chance(behaviour.syncErrorChance);
    if (behaviour.failSyncs > 0) behaviour.failSyncs--;
    const layer = this.#file.beginSync();
    const finish = (): void => {
      if (!fails) {
        this.#file.syncDone(layer);
        done();
        return;
      }
      faults.bump('sync-failed');
      this.#failed = true;
      this.#file.syncFailed(layer);
      done(new DiskError('io', this.path, `syncing ${this.path} failed`));
    };
    scheduler.schedule(new SimCall(host, SIM_EVENT.disk, finish), scheduler.nowMs + delayMs);
  }

  close(): void {
    this.#closed = true;
  }

  #mustBeUsable(): void {
    if (this.#closed) throw new Error(`${this.path} is closed`);
    if (!this.#context.host.alive) throw new Error(`${this.path} belongs to a process that died`);
  }
}

function sameContent(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

function normal(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

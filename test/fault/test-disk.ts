import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { removeLeftMounts } from './leftovers.js';
import { run } from './machine.js';

const MIB = 1024 * 1024;
/** EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH: nothing that was not synced reaches the device any more. */
const SHUTDOWN =
  'open(my $f, "<", $ARGV[0]) or die $!; my $flags = pack("L", 2); ioctl($f, 0x8004587d, $flags) or die $!';

/**
 * A small memory file system, to be filled up; an `Ext4Image` lies in one too. All that is mounted is
 * unmounted when the test ends; the name of the directory is this process's own.
 */
export class MemoryDisk {
  readonly directory: string;
  readonly #filler: string;

  constructor(t: ExecutionContext, mebibytes: number) {
    removeLeftMounts();
    this.directory = mkdtempSync(join(tmpdir(), `memdb-disk-${process.pid}-`));
    this.#filler = join(this.directory, 'filler');
    run('mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'memdb-fault', this.directory);
    t.teardown(() => {
      run('umount', '--lazy', this.directory);
      rmSync(this.directory, { recursive: true });
    });
  }

  /** Takes all space that is left. Returns how many bytes that were. */
  fill(): number {
    const file = openSync(this.#filler, 'a');
    let filled = 0;
    try {
      for (let chunk = new Uint8Array(MIB); chunk.length > 0; ) {
        try {
          const count = writeSync(file, chunk);
          filled += count;
        } catch (error) {
          if (!isNoSpace(error)) throw error;
          chunk = chunk.subarray(0, chunk.length / 2);
        }
      }
    } finally {
      closeSync(file);
    }
    return filled;
  }

  /** Gives back what `fill` took. */
  free(): void {
    rmSync(this.#filler);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.directory);
    return bavail * bsize;
  }
}

/** An ext4 file system in a sparse file on a `MemoryDisk`. */
export class Ext4Image {
  /** Where it is mounted. */
  readonly directory: string;
  readonly #image: string;
  #mounted = false;

  /** Without a journal a failed write of data is all that fails. */
  constructor(
    t: ExecutionContext,
    memory: MemoryDisk,
    options: { readonly mebibytes: number; readonly journal: boolean },
  ) {
    this.#image = join(memory.directory, 'image');
    this.directory = join(memory.directory, 'mounted');
    mkdirSync(this.directory);
    closeSync(openSync(this.#image, 'w'));
    truncateSync(this.#image, options.mebibytes * MIB);
    run(
      'mkfs.ext4',
      '-q',
      '-F',
      '-b',
      '4096',
      '-O',
      options.journal ? 'has_journal' : '^has_journal',
      '-E',
      'lazy_itable_init=0',
      this.#image,
    );
    this.mount();
    t.teardown(() => {
      if (!this.#mounted) return;
      run('umount', '--lazy', this.directory);
    });
  }

  mount(): void {
    const device = run('losetup', '--find', '--show', this.#image).trim();
    // The loop driver reports a write that was cut short as complete: a device that lies, which nobody can survive.
    // Page by page, a write succeeds or fails as a whole.
    writeFileSync(`/sys/block/${basename(device)}/queue/max_sectors_kb`, '4');
    run('mount', device, this.directory);
    // It is in use: it goes when it is unmounted, whoever does that.
    run('losetup', '--detach', device);
    this.#mounted = true;
  }

  /** Also forgets what the page cache held. Every process that used it has ended. */
  unmount(): void {
    run('umount', this.directory);
    this.#mounted = false;
  }

  /** The power is cut: every call on it fails from now on, and what was not synced is gone after the next mount. */
  cutPower(): void {
    run('perl', '-e', SHUTDOWN, this.directory);
  }

  /**
   * Gives the blocks of the image that hold only zeros back, so that writing them needs space again. Whoever writes
   * must stand still: what comes between looking and giving back would be lost.
   */
  punchZeros(): void {
    run('sync', '--file-system', this.directory);
    run('fallocate', '--dig-holes', this.#image);
  }
}

function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOSPC';
}

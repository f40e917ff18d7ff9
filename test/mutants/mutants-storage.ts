import type { Mutant } from './mutants.js';

const WRITER = 'dist/src/storage/log-writer.js';
const RECOVERY = 'dist/src/storage/recovery.js';

/** Planted in the log and its recovery. */
export const STORAGE_MUTANTS: readonly Mutant[] = [
  {
    name: 'acknowledges-before-sync',
    why: 'A record counts as durable when it is written, not when it is synced.',
    workload: 'slow',
    file: 'dist/src/storage/store.js',
    find: "return this.#options.durability === 'sync' ? writer.syncedLsn : writer.writtenLsn;",
    replace: 'return writer.writtenLsn;',
  },
  {
    name: 'sync-covers-what-came-later',
    why: 'When a sync ends, what was written while it ran counts as synced.',
    workload: 'forgetful',
    file: WRITER,
    find: 'this.syncedLsn = this.#syncMark.lsn;',
    replace: 'this.syncedLsn = this.writtenLsn;',
  },
  {
    name: 'one-of-two-files-synced',
    why: 'A batch over two segments counts as synced when one of them is.',
    workload: 'churn',
    file: WRITER,
    find: 'if (--this.#syncsRunning === 0)',
    replace: 'if (--this.#syncsRunning === this.#syncing.length - 1)',
  },
  {
    name: 'failed-sync-forgiven',
    why: 'A failed sync is taken for one that succeeded.',
    file: WRITER,
    find: "if (error !== undefined) { this.#failed(segment, 'sync', error); return; }",
    replace: '',
  },
  {
    name: 'tail-kept-without-proof',
    why: 'A start goes on behind a tail that nothing proves durable, instead of writing it anew.',
    file: RECOVERY,
    find: 'const unproven = hasRecordsBehind(this.#chain.slice(index), offset);',
    replace: 'const unproven = false;',
  },
  {
    name: 'torn-tail-kept',
    why: 'Recovery does not verify checksums.',
    file: 'dist/src/storage/chain-reader.js',
    find: 'if (view.getInt32(offset + 4, true) !== checksum)',
    replace: 'if (false)',
  },
  {
    name: 'newest-is-last',
    why: 'The index follows the record appended last, not the one with the highest stamp.',
    file: 'dist/src/storage/catalog.js',
    find: 'const order = compareStamps(counter, node, heldCounter, heldNode); if (order > 0) return Verdict.newest;',
    replace:
      'const order = compareStamps(counter, node, heldCounter, heldNode); if (order !== 0) return Verdict.newest;',
  },
  {
    name: 'ties-ignore-the-node',
    why: 'Of two stamps with the same counter the one that came first wins, whichever node made it.',
    file: 'dist/src/storage/catalog.js',
    find: 'const order = compareStamps(counter, node, heldCounter, heldNode);',
    replace: 'const order = counter - heldCounter;',
  },
];

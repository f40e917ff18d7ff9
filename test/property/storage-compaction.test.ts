import test from 'ava';
import { SimRandom } from '../harness/sim-random.js';
import { purge, StorageModel } from '../harness/storage-model.js';
import { StorageWorld } from '../harness/storage-world.js';

/** Runs of each mode; `MEMDB_COMPACTION_SEEDS` for more, `MEMDB_COMPACTION_SEED` for one. */
const SEEDS = Number(process.env.MEMDB_COMPACTION_SEEDS ?? 60);
const FIRST_SEED = Number(process.env.MEMDB_COMPACTION_SEED ?? 1);
const STEPS = 400;
const KEYS = 10;

type Step =
  | { readonly kind: 'set'; readonly key: number; readonly size: number; readonly age: number }
  | { readonly kind: 'delete' | 'purge'; readonly key: number }
  | { readonly kind: 'meta'; readonly key: number }
  | { readonly kind: 'commit' | 'settle' | 'close' | 'check' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'crash'; readonly powerLoss: boolean };

function randomStep(random: SimRandom): Step {
  const key = random.below(KEYS);
  const dice = random.below(100);
  if (dice < 45) {
    const size = random.pick([random.below(600), random.below(40_000), random.below(40_000)]);
    return { kind: 'set', key, size, age: random.chance(0.2) ? random.below(7) : 0 };
  }
  if (dice < 53) return { kind: 'delete', key };
  if (dice < 58) return { kind: 'purge', key };
  if (dice < 61) return { kind: 'meta', key: random.below(4) };
  if (dice < 76) return { kind: 'commit' };
  if (dice < 81) return { kind: random.pick(['settle', 'check'] as const) };
  if (dice < 97) return { kind: 'wait', ms: random.pick([random.below(5), random.below(50), random.below(600)]) };
  if (dice < 98) return { kind: 'close' };
  return { kind: 'crash', powerLoss: random.chance(0.7) };
}

/** A store under compaction, the slow one beside it, and how much compaction there was. */
class Run {
  readonly world: StorageWorld;
  readonly model: StorageModel = new StorageModel();
  readonly metas: Map<string, { value: string; lsn: number }[]> = new Map();
  readonly used = new Set<number>();
  counter = 10;
  /** A node refuses what comes with a stamp at or below its floor. */
  floor = 0;
  compacted = 0;
  savedBytes = 0;
  recycled = 0;

  constructor(seed: number, durability: 'sync' | 'interval') {
    this.world = new StorageWorld(seed, { durability, syncIntervalMs: 5, compression: seed % 2 === 0 });
  }

  apply(action: Step): void {
    const { world, model } = this;
    switch (action.kind) {
      case 'set': {
        const counter = Math.max(1, this.counter - action.age);
        const name = `key ${action.key}`;
        // Two versions never share a stamp.
        if (this.used.has(counter) || counter <= this.floor) return;
        this.used.add(counter);
        const value = String.fromCharCode(97 + (counter % 26)).repeat(action.size);
        model.add({ lsn: world.set(name, value, counter), key: name, value, counter });
        this.counter++;
        return;
      }
      case 'delete': {
        const name = `key ${action.key}`;
        this.used.add(this.counter);
        model.add({ lsn: world.delete(name, this.counter), key: name, value: undefined, counter: this.counter });
        this.counter++;
        return;
      }
      case 'purge':
        if (purge(world, `key ${action.key}`)) this.floor = this.counter - 1;
        return;
      case 'meta': {
        const name = `meta ${action.key}`;
        const value = `${this.counter++}`;
        const lsn = world.store.putMeta(name, new Uint8Array(Buffer.from(value)));
        this.metas.set(name, [...(this.metas.get(name) ?? []), { value, lsn }]);
        return;
      }
      case 'commit':
        world.store.commit();
        return;
      case 'settle':
        world.settle();
        return;
      case 'check':
        model.check(world);
        return;
      case 'wait':
        world.run(action.ms);
        return;
      case 'close':
        this.restart(() => world.close(), true);
        return;
      case 'crash':
        this.restart(() => world.crash({ powerLoss: action.powerLoss }), false);
        return;
    }
  }

  restart(end: () => void, clean: boolean): void {
    const { world, model } = this;
    const { lastLsn, syncedLsn } = world.store;
    this.compacted += world.metric('compaction_groups_total');
    this.savedBytes += world.metric('log_compression_saved_bytes_total');
    this.recycled += world.metric('log_files_recycled_total');
    end();
    world.open();
    const kept = world.store.lastLsn;
    if (kept > lastLsn) throw new Error(`the log ends at ${kept}, but only ${lastLsn} was appended`);
    if (kept < (clean ? lastLsn : syncedLsn)) throw new Error(`the log ends at ${kept}, durable was ${syncedLsn}`);
    model.cut(kept);
    model.check(world);
    for (const [name, values] of this.metas) {
      const left = values.filter(({ lsn }) => lsn <= kept);
      this.metas.set(name, left);
      const bytes = world.store.meta(name);
      const actual = bytes && Buffer.from(bytes).toString();
      if (actual !== left.at(-1)?.value) throw new Error(`${name} is ${actual}, expected ${left.at(-1)?.value}`);
    }
  }
}

for (const durability of ['sync', 'interval'] as const) {
  test(`${durability}: whatever compaction does and whenever it crashes, every key keeps its newest version`, (t) => {
    let compacted = 0;
    let recycled = 0;
    let savedBytes = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const random = new SimRandom(seed);
      const run = new Run(seed, durability);
      try {
        for (let step = 0; step < STEPS; step++) run.apply(randomStep(random));
        run.restart(() => run.world.crash({ powerLoss: true }), false);
      } catch (error) {
        const repeat = `MEMDB_COMPACTION_SEED=${seed} MEMDB_COMPACTION_SEEDS=1 npx ava dist/test/property/storage-compaction.test.js`;
        throw new Error(`${durability}, seed ${seed}; to repeat: ${repeat}`, { cause: error });
      }
      compacted += run.compacted;
      recycled += run.recycled;
      savedBytes += run.savedBytes;
    }
    t.true(compacted > SEEDS, `only ${compacted} groups were compacted`);
    t.true(recycled > SEEDS, `only ${recycled} files were used again`);
    t.true(savedBytes > SEEDS * 10_000, `compression saved only ${savedBytes} bytes`);
  });
}

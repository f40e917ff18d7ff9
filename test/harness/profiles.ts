import type { FaultKind } from './fault-plan.js';
import type { SimRandom } from './sim-random.js';

/** What kind of load a run has, drawn from its seed, and what else the run must be like for it to show something. */
export interface Profile {
  readonly nodes: number;
  readonly bareClients: number;
  readonly realClients: number;
  /** Clients of serial keys. */
  readonly serialClients: number;
  readonly keys: number;
  /** Of most keys; 0: as short as can be. */
  readonly keyBytes: number;
  readonly largeShare: number;
  readonly batchShare: number;
  readonly ttlShare: number;
  /** Share of deletions among the writes. */
  readonly deleteShare: number;
  readonly scanShare: number;
  readonly valueBytesMax: number;
  readonly segmentBytes: number;
  /** Operations begun in the load phase, on average. */
  readonly operations: number;
  /** Virtual time of the load. */
  readonly loadMs: number;
  /** Nobody asks anything for so long between two bursts; 0: there are no bursts. */
  readonly silenceMs: number;
  /** Faults of every run, and whether others are drawn beside them; undefined: all are drawn. */
  readonly faults?: { readonly always: readonly FaultKind[]; readonly others: boolean };
  /** Mean time between two faults. */
  readonly faultMs: number;
  /** A sync takes up to this long: a slow disk leaves more for a power cut to lose. */
  readonly syncMsMax: number;
  /** Power cuts in mode `interval`: what was acknowledged last may be lost, and only what holds all the same is checked. */
  readonly forgets: boolean;
  readonly partitions: number;
  readonly compression: boolean;
  /** Bounds on what a node holds; 0: none. */
  readonly memoryBytesMax: number;
  readonly entriesMax: number;
  readonly eviction: 'reject' | 'lru';
  /** Mean time between two backups; 0: none are taken. */
  readonly backupMs: number;
  /** Mean time between two changes of the epoch; 0: there is one epoch. */
  readonly epochMs: number;
  /** Counters that are counted with beside all else, and the mean time between two requests about them. */
  readonly counters: number;
  readonly counterMs: number;
  /** Nodes that wait to join. */
  readonly spares: number;
  /** Mean time between two changes of who owns what; 0: that stays. */
  readonly moveMs: number;
}

type ProfileMaker = (random: SimRandom) => Profile;

/** The load phase of a run, unless its kind takes longer. */
const LOAD_MS = 6000;

const mixed: ProfileMaker = (random) => {
  const valueBytesMax = random.pick([4096, 16_384, 65_536]);
  return {
    valueBytesMax,
    // Small ones fill up, and a full disk has no room for the next.
    segmentBytes: random.pick([8, 16, 32]) * Math.max(16_384, valueBytesMax),
    nodes: random.chance(0.35) ? 5 : 3,
    bareClients: 1 + random.below(4),
    realClients: 1 + random.below(3),
    serialClients: 0,
    keys: random.pick([3, 12, 60, 200]),
    keyBytes: 0,
    largeShare: random.pick([0, 0.02, 0.05]),
    batchShare: 0.03,
    ttlShare: random.pick([0, 0, 0.1]),
    deleteShare: random.pick([0.1, 0.2, 0.4]),
    scanShare: 0.005,
    operations: 2600,
    loadMs: LOAD_MS,
    silenceMs: 0,
    faultMs: random.pick([200, 500, 1200]),
    syncMsMax: random.pick([3, 3, 15, 40]),
    forgets: false,
    partitions: 16,
    compression: false,
    memoryBytesMax: 0,
    entriesMax: 0,
    eviction: 'reject',
    backupMs: 0,
    epochMs: 0,
    counters: 2,
    counterMs: 60,
    spares: 0,
    moveMs: 0,
  };
};

/** Segments fill up, and most of what they hold is dead soon. */
const churn: ProfileMaker = (random) => ({
  ...mixed(random),
  keys: random.pick([12, 60]),
  largeShare: 0.4,
  deleteShare: 0.5,
  valueBytesMax: 4096,
  segmentBytes: 131_072,
  compression: random.chance(0.5),
});

const serial: ProfileMaker = (random) => ({
  ...mixed(random),
  keys: 12,
  bareClients: 1,
  realClients: 0,
  serialClients: 2 + random.below(6),
  largeShare: 0,
  ttlShare: 0,
  scanShare: 0,
  operations: 2000,
  faultMs: random.pick([200, 500]),
});

/** Workloads by name: `npm run sim -- --workload NAME`. */
export const PROFILES: Readonly<Record<string, ProfileMaker>> = {
  /** A bit of everything. */
  default: mixed,
  /** Everybody writes the same few keys. */
  hot: (random) => ({ ...mixed(random), keys: 1 + random.below(3) }),
  /** Many keys, few writes to each: what is lost once is not hidden by the next write. */
  wide: (random) => ({ ...mixed(random), keys: 600 }),
  /** Values of all sizes up to the limit. */
  large: (random) => ({ ...mixed(random), largeShare: 0.5, operations: 1000 }),
  churn,
  /** Nothing but the client library, with many batches. */
  client: (random) => ({ ...mixed(random), bareClients: 0, realClients: 2 + random.below(4), batchShare: 0.2 }),
  /** Values that expire, and scans. */
  expiry: (random) => ({
    ...mixed(random),
    keys: random.pick([12, 60, 200]),
    realClients: 3 + random.below(3),
    ttlShare: 0.5,
    scanShare: 0.02,
  }),
  /** Scans of more keys than fit into a page. */
  scans: (random) => ({
    ...mixed(random),
    keys: 300,
    keyBytes: 300,
    partitions: random.pick([1, 2]),
    realClients: 3,
    scanShare: 0.05,
    operations: 1600,
  }),
  /** Nothing but the bare protocol. */
  bare: (random) => ({ ...mixed(random), bareClients: 2 + random.below(5), realClients: 0 }),
  /** Nodes die and come back under bare clients, and nothing else explains an answer that is late. */
  deaths: (random) => ({
    ...mixed(random),
    bareClients: 4,
    realClients: 0,
    faults: { always: ['kill', 'power-loss'], others: false },
    faultMs: 500,
  }),
  /** Disks have no room for long, and everybody writes a lot. */
  full: (random) => ({
    ...churn(random),
    keys: random.pick([12, 60]),
    largeShare: 0.9,
    deleteShare: 0.1,
    bareClients: 3,
    operations: 3500,
    faults: { always: ['disk-full'], others: random.chance(0.5) },
    faultMs: 500,
  }),
  /** Few keys at once on disks that are slow, so that a lot is written and not yet durable. */
  slow: (random) => ({
    ...mixed(random),
    keys: 1 + random.below(3),
    bareClients: 4,
    deleteShare: 0.1,
    syncMsMax: 40,
    faults: { always: ['power-loss', 'slow-disk'], others: random.chance(0.5) },
  }),
  /** Coordinators die with what they have sent and not yet synced: only comparison brings it to everybody. */
  losses: (random) => ({
    ...mixed(random),
    keys: 400,
    bareClients: 4,
    ttlShare: 0,
    syncMsMax: 40,
    faults: { always: ['power-loss', 'sync-error'], others: random.chance(0.3) },
    faultMs: 250,
  }),
  /** Power cuts in mode `interval`: stamps are not given twice all the same, and replicas end up equal. */
  forgetful: (random) => ({
    ...mixed(random),
    forgets: true,
    syncMsMax: 40,
    faults: { always: ['power-loss', 'all-lose-power'], others: random.chance(0.5) },
    faultMs: 500,
  }),
  /** Bursts on few keys, and silences in which deletions are purged while nodes come and go. */
  purge: (random) => ({
    ...mixed(random),
    keys: random.pick([4, 6, 12]),
    partitions: random.pick([1, 2]),
    ttlShare: random.pick([0, 0.1]),
    deleteShare: 0.5,
    operations: 1000,
    loadMs: 30_000,
    silenceMs: 4000,
    faults: { always: ['kill', 'power-loss'], others: random.chance(0.5) },
    faultMs: 1200,
  }),
  /** What was purged lies in the log for long, hidden by tombstones that compaction carries on. */
  sediment: (random) => ({
    ...churn(random),
    keys: 200,
    largeShare: 0.6,
    deleteShare: 0.2,
    partitions: random.pick([1, 2, 4]),
    operations: 1400,
    loadMs: 25_000,
    silenceMs: 2500,
    faults: { always: ['kill', 'power-loss'], others: random.chance(0.5) },
    faultMs: 1200,
  }),
  /** The least recently used keys go. */
  lru: (random) => {
    const byEntries = random.chance(0.5);
    return {
      ...churn(random),
      keys: 400,
      largeShare: byEntries ? 0.1 : 0.8,
      ttlShare: 0,
      deleteShare: 0.1,
      scanShare: 0.01,
      memoryBytesMax: byEntries ? 0 : 700_000,
      entriesMax: byEntries ? 60 : 0,
      eviction: 'lru',
      operations: 3500,
      loadMs: 10_000,
    };
  },
  /** Writes are refused when memory is full. */
  reject: (random) => ({
    ...churn(random),
    keys: 200,
    deleteShare: 0.3,
    memoryBytesMax: random.chance(0.5) ? 0 : 900_000,
    entriesMax: 80,
    operations: 3500,
  }),
  /** Bits of one replica flip; nobody dies meanwhile. */
  rot: (random) => ({
    ...churn(random),
    compression: false,
    largeShare: 0.1,
    keys: random.pick([12, 60, 200]),
    operations: 2000,
    loadMs: 15_000,
    faults: { always: ['bit-rot', 'reset', 'slow-disk'], others: false },
    faultMs: 700,
  }),
  /** Backups are taken over and over. */
  backup: (random) => ({
    ...churn(random),
    keys: random.pick([12, 60, 200]),
    realClients: 2,
    loadMs: 8000,
    backupMs: 500,
    // More lies in memory that is not on the disk, and may be gone by the next backup.
    syncMsMax: random.pick([3, 40]),
    faults: { always: ['power-loss'], others: true },
  }),
  /** Clients count at all nodes. Disks are slow, so that much of it is not durable yet when something happens. */
  counters: (random) => {
    const forgets = random.chance(0.2);
    // Bits flip where nobody dies, and entries are lost on one replica.
    const rots = !forgets && random.chance(0.3);
    const always: FaultKind[] = rots
      ? ['bit-rot', 'reset', 'slow-disk']
      : forgets
        ? ['power-loss', 'all-lose-power']
        : random.pick([['power-loss'], ['power-loss', 'sync-error'], []]);
    return {
      ...mixed(random),
      counters: 1 + random.below(5),
      counterMs: random.pick([2, 4, 10]),
      partitions: random.pick([1, 4, 16]),
      operations: 600,
      segmentBytes: 131_072,
      valueBytesMax: 4096,
      syncMsMax: random.pick([3, 15, 40]),
      epochMs: forgets ? 0 : random.pick([0, 0, 200]),
      faultMs: random.pick([200, 500]),
      loadMs: rots ? 10_000 : LOAD_MS,
      faults: { always, others: !rots },
      forgets,
    };
  },
  /** Serial and plain operations on the same keys, each sent again to other nodes until it is answered. */
  serial,
  /** The same while epochs follow each other. */
  'serial-epochs': (random) => ({ ...serial(random), epochMs: random.pick([50, 200, 800]) }),
  /** Epochs follow each other, proposed by several nodes at once; who owns what stays. */
  epochs: (random) => ({ ...mixed(random), epochMs: random.pick([50, 200, 800]) }),
  /** Partitions move: nodes join, leave, are removed and replaced, weights change, and changes are aborted. */
  moves: (random) => ({
    ...mixed(random),
    nodes: 3,
    spares: 1 + random.below(3),
    keys: random.pick([12, 60, 200]),
    partitions: random.pick([4, 16]),
    ttlShare: random.pick([0, 0, 0, 0.1]),
    syncMsMax: random.pick([3, 15, 40]),
    operations: 3000,
    loadMs: 10_000,
    moveMs: random.pick([50, 400]),
    faultMs: random.pick([300, 800, 2000]),
    faults: { always: [], others: true },
  }),
};

/** How often each is drawn when none is named. */
const DRAWN: readonly string[] = [
  ...Array.from({ length: 8 }, () => 'default'),
  ...['hot', 'hot', 'wide', 'wide', 'large', 'client', 'client', 'bare', 'expiry', 'scans'],
  ...['churn', 'deaths', 'full', 'slow', 'losses', 'forgetful', 'purge', 'sediment', 'lru', 'reject', 'rot', 'backup'],
  ...['epochs', 'epochs', 'serial', 'serial', 'serial', 'serial-epochs', 'counters', 'counters', 'moves', 'moves'],
];

export function profileNameOf(name: string | undefined, random: SimRandom): string {
  return name ?? random.pick(DRAWN);
}

/** What a kind of load must bring about in some of its runs, or it shows nothing: metrics of the nodes that rise. */
export const MUST_RISE: Readonly<Record<string, readonly string[]>> = {
  default: ['writes_restamped_total', 'reads_written_back_total', 'audit_repaired_total'],
  churn: ['compaction_groups_total', 'audit_purged_total'],
  scans: ['scan_pages_total'],
  full: ['streams_refused_total'],
  losses: ['audit_repaired_total'],
  purge: ['audit_purged_total'],
  sediment: ['audit_purged_total', 'compaction_groups_total'],
  lru: ['evictions_total', 'compaction_groups_total'],
  reject: ['compaction_groups_total'],
  rot: ['scrub_corrupt_total where=memory', 'scrub_corrupt_total where=file', 'audit_repaired_total'],
  backup: ['backups'],
  epochs: ['epochs_entered_total'],
  counters: ['counters_written_back_total', 'audit_repaired_total'],
  moves: [
    'transfer_partitions_total',
    'transfer_bytes_total',
    'transfer_partitions_dropped_total',
    'audit_purged_total',
  ],
  serial: ['serial_operations_total'],
};

import type { SimRandom } from './sim-random.js';

/** What kind of load a run has, drawn from its seed. */
export interface Profile {
  readonly nodes: number;
  readonly bareClients: number;
  readonly realClients: number;
  readonly keys: number;
  readonly largeShare: number;
  readonly batchShare: number;
  readonly ttlShare: number;
  /** Share of deletions among the writes. */
  readonly deleteShare: number;
  readonly scanShare: number;
  readonly valueBytesMax: number;
  readonly segmentBytes: number;
  /** Operations begun in a load phase of the usual length, on average. */
  readonly operations: number;
}

type ProfileMaker = (random: SimRandom) => Profile;

const mixed: ProfileMaker = (random) => {
  const valueBytesMax = random.pick([4096, 16_384, 65_536]);
  return {
    valueBytesMax,
    // Small ones fill up, and a full disk has no room for the next.
    segmentBytes: random.pick([8, 16, 32]) * Math.max(16_384, valueBytesMax),
    nodes: random.chance(0.35) ? 5 : 3,
    bareClients: 1 + random.below(4),
    realClients: 1 + random.below(3),
    keys: random.pick([3, 12, 60, 200]),
    largeShare: random.pick([0, 0.02, 0.05]),
    batchShare: 0.03,
    ttlShare: random.pick([0, 0, 0.1]),
    deleteShare: random.pick([0.1, 0.2, 0.4]),
    scanShare: 0.005,
    operations: 2600,
  };
};

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
  /** Segments fill up, most of what they hold is dead soon, and deletions are purged. */
  churn: (random) => ({
    ...mixed(random),
    keys: random.pick([12, 60]),
    largeShare: 0.4,
    deleteShare: 0.5,
    valueBytesMax: 4096,
    segmentBytes: 131_072,
  }),
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
  /** Nothing but the bare protocol. */
  bare: (random) => ({ ...mixed(random), bareClients: 2 + random.below(5), realClients: 0 }),
};

/** How often each is drawn when none is named. */
const DRAWN: readonly string[] = [
  'default',
  'default',
  'default',
  'default',
  'hot',
  'wide',
  'large',
  'client',
  'bare',
  'expiry',
];

export function profileNameOf(name: string | undefined, random: SimRandom): string {
  return name ?? random.pick(DRAWN);
}

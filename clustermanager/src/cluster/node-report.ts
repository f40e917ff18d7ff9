import { z } from 'zod';

/**
 * What nodes tell of themselves (`status` and `metrics`, PROTOCOL.md). Nodes of other versions may say more or less:
 * only what is used here is named, and all that is not essential may be missing.
 */
const memberSchema = z.looseObject({
  number: z.number(),
  reachable: z.boolean(),
  state: z.string().optional(),
  stream: z.string().optional(),
  lagRecords: z.number().optional(),
});

const storageSchema = z.looseObject({
  keys: z.number(),
  tombstones: z.number(),
  liveBytes: z.number(),
  deadBytes: z.number(),
  accountedBytes: z.number(),
  logBytesOnDisk: z.number(),
  segments: z.number(),
});

const statusSchema = z.looseObject({
  uuid: z.string(),
  number: z.number(),
  generation: z.number(),
  phase: z.string(),
  ready: z.union([z.literal(true), z.string()]),
  epoch: z.number(),
  release: z.string().optional(),
  pid: z.number().optional(),
  startedAtMs: z.number().optional(),
  residentBytes: z.number().optional(),
  cpuSeconds: z.number().optional(),
  eventLoopDelaySeconds: z.number().optional(),
  members: z.array(memberSchema),
  storage: storageSchema.optional(),
  transfer: z.looseObject({ partitions: z.number(), filled: z.number(), bytesTaken: z.number() }).optional(),
  lastLsn: z.number(),
  durableLsn: z.number(),
  connections: z.number(),
  pending: z.number(),
});

const metricsSchema = z.object({
  /** By name and labels, as in `operations_total{operation="get"}`. */
  counters: z.record(z.string(), z.number()),
  gauges: z.record(z.string(), z.number()),
  /** Counts per bucket; the last one is for what lies above all bounds. */
  histograms: z.record(z.string(), z.array(z.number())),
  /** Upper bounds of the buckets in seconds. */
  bounds: z.array(z.number()),
});

export type NodeStatus = z.infer<typeof statusSchema>;
export type NodeMetrics = z.infer<typeof metricsSchema>;

/** Throws ZodError when a node says something else. */
export function parseStatus(status: unknown): NodeStatus {
  return statusSchema.parse(status);
}

/** Throws ZodError when a node says something else. */
export function parseMetrics(metrics: unknown): NodeMetrics {
  return metricsSchema.parse(metrics);
}

import { z } from '@hono/zod-openapi';

/** What the REST API takes and gives. The OpenAPI document and the checks come from these same schemas. */
const time = z.number().int().describe('Unix milliseconds');

export const loginSchema = z.object({
  adminKey: z
    .string()
    .min(1)
    .max(1024)
    .describe('SECRET, ID:SECRET, or the memdb:// URL, of a key of role admin as `memdb keygen` made it'),
});

export const tokenSchema = z
  .object({
    token: z.string().describe('to be sent as Authorization: Bearer TOKEN'),
    expiresAtMs: time,
    name: z.string().describe('id of the admin key'),
  })
  .openapi('Token');

export const pendingSchema = z
  .object({
    begunInEpoch: z.number().int(),
    isPaused: z.boolean(),
    changes: z.array(z.string()).describe('in words'),
    partitionsMoving: z.number().int().describe('partitions that get another owner'),
    copies: z.number().int().describe('copies of partitions that nodes take'),
    copiesDone: z.number().int(),
    bytesTaken: z.number(),
  })
  .openapi('PendingChange');

export const clusterSchema = z
  .object({
    name: z.string(),
    id: z.string().optional(),
    epoch: z.number().int().describe('0: no node has told it yet'),
    health: z.enum(['ok', 'degraded', 'critical', 'unknown']),
    reasons: z.array(z.string()).describe('why it is not ok, worst first'),
    partitions: z.number().int(),
    replicas: z.number().int().describe('owners that each partition has'),
    replicationFactor: z.number().int(),
    underReplicated: z.number().int().describe('partitions of which an owner does not answer'),
    unavailable: z.number().int().describe('partitions of which no majority answers: no quorum'),
    nodes: z.object({ total: z.number().int(), up: z.number().int() }),
    keys: z.number().describe('about: copies divided by replicas'),
    liveBytes: z.number().describe('of all copies'),
    residentBytes: z.number(),
    diskBytes: z.number(),
    operationsPerSecond: z.number(),
    conflicts: z.number().describe('since each node started'),
    pending: pendingSchema.nullable(),
    atMs: time,
  })
  .openapi('Cluster');

export const peerLagSchema = z.object({
  number: z.number().int(),
  reachable: z.boolean(),
  state: z.string().optional(),
  stream: z.string().optional().describe('how its records reach that peer'),
  lagRecords: z.number().optional().describe('records that the peer has not acknowledged'),
});

export const nodeSchema = z
  .object({
    number: z.number().int(),
    id: z.string(),
    address: z.string(),
    http: z.string(),
    zone: z.string(),
    host: z.string(),
    weight: z.number(),
    standing: z.enum(['member', 'joining', 'departing']),
    state: z.enum(['up', 'starting', 'draining', 'unreachable', 'suspect', 'dead']),
    sinceMs: time.describe('Unix milliseconds: since when, as far as this manager saw'),
    reason: z.string().optional().describe('why it is not up'),
    unheardBy: z.array(z.number().int()).describe('nodes that do not hear it'),
    heardAtMs: time.optional().describe('Unix milliseconds of its last answer; what follows is from then'),
    version: z.string().optional(),
    generation: z.number().int().optional().describe('how often its directory was started'),
    pid: z.number().int().optional(),
    uptimeMs: z.number().optional(),
    epoch: z.number().int().optional(),
    share: z.number().describe('of all replicas that it owns, 0 to 1'),
    load: z
      .object({
        operationsPerSecond: z.number(),
        connections: z.number().int(),
        pending: z.number().int().describe('requests that are not answered yet'),
        cpuSeconds: z.number().optional(),
        eventLoopDelaySeconds: z.number().optional(),
        residentBytes: z.number().optional(),
      })
      .optional(),
    storage: z
      .object({
        keys: z.number(),
        tombstones: z.number(),
        liveBytes: z.number(),
        deadBytes: z.number(),
        accountedBytes: z.number(),
        diskBytes: z.number(),
        segments: z.number(),
        unsyncedRecords: z.number().describe('appended and not durable yet'),
      })
      .optional(),
    lag: z.array(peerLagSchema).describe('towards each other node'),
  })
  .openapi('Node');

export const nodesSchema = z.object({ nodes: z.array(nodeSchema) });

export const nodeParameter = z.object({
  id: z.string().max(64).describe('number or UUID of the node'),
});

export const killQuery = z.object({
  graceful: z.enum(['true', 'false']).optional().describe('true: it finishes what it accepted and exits with 0'),
});

export const killedSchema = z
  .object({
    node: z.number().int(),
    id: z.string(),
    graceful: z.boolean(),
    requestedAtMs: time,
    endedAfterMs: z.number().nullable().describe('until it answered no more; null: it still does'),
    noticedAfterMs: z.number().nullable().describe('until other nodes missed it; null: they have not yet'),
    noticedBy: z.array(z.number().int()),
  })
  .openapi('Killed');

export const ringSchema = z
  .object({
    epoch: z.number().int(),
    partitions: z.number().int().describe('partition p covers the p-th of as many equal arcs of the 2^32 key hashes'),
    replicas: z.number().int(),
    owners: z.array(z.array(z.number().int())).describe('by partition: its preference list'),
    nextOwners: z.array(z.array(z.number().int())).nullable().describe('as they will be after the pending change'),
    nodes: z.array(
      z.object({ number: z.number().int(), zone: z.string(), host: z.string(), state: z.string(), share: z.number() }),
    ),
  })
  .openapi('Ring');

export const previewSchema = z.looseObject({}).openapi('Preview');

export const valueSchema = z.object({
  value: z.string().optional().describe('where it is UTF-8'),
  valueBase64: z.string().optional().describe('where it is not'),
  bytes: z.number().int().optional(),
  cut: z.boolean().optional().describe('only its beginning is shown'),
});

export const stampSchema = z.object({ counter: z.number(), node: z.number().int() });

export const explanationSchema = z
  .object({
    key: z.string(),
    hash: z.number().int(),
    partition: z.number().int(),
    epoch: z.number().int(),
    found: z.boolean(),
    ...valueSchema.shape,
    stamp: stampSchema,
    agreed: z.boolean().describe('whether every replica that answered holds this version'),
    why: z.string(),
    replicas: z.array(
      z.object({
        node: z.number().int(),
        state: z.string(),
        place: z.number().int().describe('in the preference list, from 1'),
        holds: z.enum(['newest', 'older', 'nothing', 'no-answer']),
        found: z.boolean().optional(),
        ...valueSchema.shape,
        stamp: stampSchema.optional(),
        writtenBy: z.number().int().optional().describe('node that coordinated the write'),
        error: z.string().optional(),
      }),
    ),
  })
  .openapi('Explanation');

export const keyParameter = z.object({
  key: z.string().min(1).max(16_384).describe('percent-encoded'),
});

export const keyQuery = z.object({
  encoding: z.enum(['utf8', 'base64url']).optional().describe('of the key in the path; utf8 when absent'),
});

export const putSchema = z
  .object({
    value: z.string().optional(),
    valueBase64: z.base64().optional(),
    ttlMs: z.number().int().min(1).optional(),
  })
  .refine(({ value, valueBase64 }) => (value === undefined) !== (valueBase64 === undefined), {
    message: 'give value or valueBase64, one of them',
  });

export const sampleSchema = z
  .object({
    atMs: time,
    operations: z.record(z.string(), z.number()).describe('a second, by kind'),
    latency: z
      .record(z.string(), z.object({ p50: z.number(), p99: z.number() }))
      .describe('seconds, by kind, of the last 10 seconds; measured on a sample of the operations'),
    nodes: z.record(z.string(), z.object({ operations: z.number() })),
  })
  .openapi('Sample');

export const summarySchema = z.object({ intervalMs: z.number(), samples: z.array(sampleSchema) });

export const eventSchema = z
  .object({
    cursor: z.string(),
    atMs: time,
    kind: z.string(),
    severity: z.enum(['info', 'good', 'warning', 'critical']),
    message: z.string(),
    node: z.number().int().optional(),
  })
  .openapi('Event');

export const eventsSchema = z.object({ cursor: z.string(), events: z.array(eventSchema) });

export const storedSchema = z.object({ key: z.string(), stored: z.boolean() });

export const idempotencyHeader = z.object({
  'idempotency-key': z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe('a repeat with the same key gets the answer of the first and does nothing'),
});

export const askedSchema = z
  .object({
    asked: z.string(),
    epoch: z.number().int().describe('when it was asked; a later one shows what became of it'),
  })
  .openapi('Asked');

export const previewQuery = z.object({
  kind: z.enum(['leave', 'remove', 'replace', 'weigh', 'replicate']),
  node: z.string().optional().describe('number or UUID'),
  weight: z.coerce.number().min(0).max(655).optional(),
  replicas: z.coerce.number().int().min(1).max(7).optional(),
});

const conflictVersionSchema = z.object({ ...valueSchema.shape, found: z.boolean(), stamp: stampSchema });

export const conflictsSchema = z
  .object({
    total: z.number().describe('counted since each node started; the list is of the latest'),
    conflicts: z.array(
      z.object({
        atMs: time,
        key: z.string(),
        seenBy: z.number().int().describe('node that coordinated the winner'),
        winner: conflictVersionSchema,
        loser: conflictVersionSchema,
      }),
    ),
  })
  .openapi('Conflicts');

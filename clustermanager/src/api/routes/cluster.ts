import { createRoute } from '@hono/zod-openapi';
import { describeCluster, describeRing } from '../../cluster/describe.js';
import { POLL_MS } from '../../limits.js';
import type { Api, ApiContext } from '../context.js';
import { ApiError } from '../problem.js';
import { bearer, responses } from '../responses.js';
import { clusterSchema, eventsSchema, ringSchema, summarySchema } from '../schemas.js';

const cluster = createRoute({
  method: 'get',
  path: '/cluster',
  summary: 'How the cluster is',
  security: bearer,
  responses: responses(clusterSchema, 'name, epoch, sizes, health, pending change'),
});

const ring = createRoute({
  method: 'get',
  path: '/ring',
  summary: 'Who owns what',
  security: bearer,
  responses: responses(ringSchema, 'partitions and their preference lists'),
});

const summary = createRoute({
  method: 'get',
  path: '/metrics/summary',
  summary: 'What the charts draw: the last five minutes',
  security: bearer,
  responses: responses(summarySchema, 'a sample each second'),
});

const events = createRoute({
  method: 'get',
  path: '/events',
  summary: 'What happened lately',
  security: bearer,
  responses: responses(eventsSchema, 'the last events, oldest first'),
});

export function registerCluster(api: Api, { options, world, link, watcher, events: log }: ApiContext): void {
  api.openapi(cluster, (context) => {
    const facts = { name: options.clusterName, lastError: link.lastError, nowMs: world.wallMs() };
    return context.json(describeCluster(watcher, facts), 200);
  });
  api.openapi(ring, (context) => {
    const described = describeRing(watcher);
    if (described === undefined) throw new ApiError(503, 'unavailable', `No node has answered yet: ${link.lastError}`);
    return context.json(described, 200);
  });
  api.openapi(summary, (context) => {
    const samples = watcher.rates.samples.map((sample) => ({ ...sample, nodes: { ...sample.nodes } }));
    return context.json({ intervalMs: POLL_MS, samples }, 200);
  });
  api.openapi(events, (context) => context.json({ cursor: log.cursor, events: [...log.recent] }, 200));
}

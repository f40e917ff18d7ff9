import { createRoute, type z } from '@hono/zod-openapi';
import type { ClusterChange } from '@memdb/client';
import { listConflicts } from '../../cluster/conflicts.js';
import { runAction } from '../action.js';
import type { Api, ApiContext } from '../context.js';
import { ApiError } from '../problem.js';
import { bearer, responses } from '../responses.js';
import {
  askedSchema,
  conflictsSchema,
  idempotencyHeader,
  nodeParameter,
  previewQuery,
  previewSchema,
} from '../schemas.js';
import { nodeNamed } from './nodes.js';

type NodeAction = 'leave' | 'remove' | 'replace';

const summaries: Readonly<Record<NodeAction, string>> = {
  leave: 'The node hands over what it owns, and then exits',
  remove: 'For a dead node: the others take over what it owned, for good',
  replace: 'For a dead node: what it owned goes to the next node that joins',
};

/** Changes of who owns what: asked for here, decided by the nodes; the epochs that follow show what becomes of them. */
export function registerChanges(api: Api, context: ApiContext): void {
  for (const kind of ['leave', 'remove', 'replace'] as const)
    registerNodeChange(api, context, 'post', `/${kind}`, kind);
  registerNodeChange(api, context, 'delete', '', 'leave');
  for (const kind of ['pause', 'resume', 'abort'] as const) {
    const route = createRoute({
      method: 'post',
      path: `/topology/${kind}`,
      summary: `The change that is pending: ${kind}`,
      security: bearer,
      request: { headers: idempotencyHeader },
      responses: responses(askedSchema, 'it was asked for'),
    });
    api.openapi(route, async (request) => {
      return (await runAction(request, context, { name: kind, act: () => ask(context, { kind }) })) as never;
    });
  }
  registerPreview(api, context);
  registerConflictList(api, context);
}

function registerNodeChange(
  api: Api,
  context: ApiContext,
  method: 'post' | 'delete',
  suffix: string,
  kind: NodeAction,
): void {
  const route = createRoute({
    method,
    path: `/nodes/{id}${suffix}`,
    summary: summaries[kind],
    security: bearer,
    request: { params: nodeParameter, headers: idempotencyHeader },
    responses: responses(askedSchema, 'it was asked for'),
  });
  api.openapi(route, async (request) => {
    const node = nodeNamed(context, request.req.valid('param').id).number;
    const act = (): Promise<object> => ask(context, { kind, node });
    return (await runAction(request, context, { name: kind, node, act })) as never;
  });
}

function registerPreview(api: Api, context: ApiContext): void {
  const route = createRoute({
    method: 'get',
    path: '/topology/preview',
    summary: 'What a change would move, in bytes, and which partitions would be without a quorum',
    security: bearer,
    request: { query: previewQuery },
    responses: responses(previewSchema, 'the preview'),
  });
  api.openapi(route, async (request) => {
    const change = changeOf(request.req.valid('query'), context);
    return request.json({ ...(await context.link.open.admin.preview(change)) }, 200);
  });
}

function registerConflictList(api: Api, { link, watcher }: ApiContext): void {
  const route = createRoute({
    method: 'get',
    path: '/conflicts',
    summary: 'Writes that lost to one that had not seen them, with both values',
    security: bearer,
    responses: responses(conflictsSchema, 'those that the nodes remember, the newest first'),
  });
  api.openapi(route, async (request) => request.json(await listConflicts(link.open, watcher.nodes), 200));
}

async function ask({ link, watcher }: ApiContext, change: ClusterChange): Promise<object> {
  await link.open.admin.change(change);
  return { asked: change.kind, epoch: watcher.topology?.epoch ?? 0 };
}

function changeOf(query: z.infer<typeof previewQuery>, context: ApiContext): ClusterChange {
  const node = (): number => {
    if (query.node === undefined) throw new ApiError(400, 'bad-request', `kind=${query.kind} needs node=`);
    return nodeNamed(context, query.node).number;
  };
  switch (query.kind) {
    case 'leave':
    case 'remove':
    case 'replace':
      return { kind: query.kind, node: node() };
    case 'weigh':
      if (query.weight === undefined) throw new ApiError(400, 'bad-request', 'kind=weigh needs weight=');
      return { kind: 'weigh', node: node(), weight: query.weight };
    case 'replicate':
      if (query.replicas === undefined) throw new ApiError(400, 'bad-request', 'kind=replicate needs replicas=');
      return { kind: 'replicate', replicationFactor: query.replicas };
  }
}

import { createRoute } from '@hono/zod-openapi';
import { describeNodes } from '../../cluster/describe.js';
import { isServing } from '../../cluster/health.js';
import { killNode } from '../../cluster/kill-node.js';
import type { NodeView } from '../../cluster/node-view.js';
import { runAction } from '../action.js';
import type { Api, ApiContext } from '../context.js';
import { ApiError } from '../problem.js';
import { bearer, responses } from '../responses.js';
import { idempotencyHeader, killedSchema, killQuery, nodeParameter, nodeSchema, nodesSchema } from '../schemas.js';

const list = createRoute({
  method: 'get',
  path: '/nodes',
  summary: 'All nodes, dead and unreachable ones too, with since when and why',
  security: bearer,
  responses: responses(nodesSchema, 'in the order of their numbers'),
});

const one = createRoute({
  method: 'get',
  path: '/nodes/{id}',
  summary: 'One node',
  security: bearer,
  request: { params: nodeParameter },
  responses: responses(nodeSchema, 'the node'),
});

const kill = createRoute({
  method: 'post',
  path: '/nodes/{id}/kill',
  summary: 'Ends the process of a node at once; what it owns stays its own',
  security: bearer,
  request: { params: nodeParameter, query: killQuery, headers: idempotencyHeader },
  responses: responses(killedSchema, 'when it ended, and when the cluster noticed'),
});

/** The node of that number or UUID; throws `no-such-node`. */
export function nodeNamed({ watcher }: ApiContext, id: string): NodeView {
  const node = watcher.node(id);
  if (node !== undefined) return node;
  const known = watcher.nodes.map(({ number }) => number).join(', ');
  throw new ApiError(404, 'no-such-node', `There is no node "${id}"; the cluster has ${known || 'not answered yet'}.`);
}

export function registerNodes(api: Api, context: ApiContext): void {
  const { watcher, world, link } = context;
  api.openapi(list, (request) => request.json({ nodes: describeNodes(watcher, world.wallMs()) }, 200));
  api.openapi(one, (request) => {
    const { number } = nodeNamed(context, request.req.valid('param').id);
    const node = describeNodes(watcher, world.wallMs()).find((candidate) => candidate.number === number);
    if (node === undefined) throw new Error(`invariant: node ${number} is listed`);
    return request.json(node, 200);
  });
  api.openapi(kill, async (request) => {
    const node = nodeNamed(context, request.req.valid('param').id);
    const graceful = request.req.valid('query').graceful === 'true';
    const others = watcher.nodes.filter((other) => other.number !== node.number && isServing(other));
    return (await runAction(request, context, {
      name: graceful ? 'graceful kill' : 'kill',
      node: node.number,
      act: () => killNode(link.open, world, node, others, graceful),
    })) as never;
  });
}

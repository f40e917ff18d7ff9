import { createHash } from 'node:crypto';
import { createRoute, type z } from '@hono/zod-openapi';
import { explainKey } from '../../cluster/explain.js';
import { VALUE_BYTES_MAX } from '../../limits.js';
import { runAction } from '../action.js';
import type { Api, ApiContext } from '../context.js';
import { ApiError } from '../problem.js';
import { bearer, responses } from '../responses.js';
import { explanationSchema, idempotencyHeader, keyParameter, keyQuery, putSchema, storedSchema } from '../schemas.js';

const request = { params: keyParameter, query: keyQuery };

const explain = createRoute({
  method: 'get',
  path: '/keys/{key}',
  summary: 'Where a key is, which version each replica holds, and why one of them wins',
  security: bearer,
  request,
  responses: responses(explanationSchema, 'the explanation'),
});

const put = createRoute({
  method: 'put',
  path: '/keys/{key}',
  summary: 'Stores a value at quorum',
  security: bearer,
  request: {
    ...request,
    headers: idempotencyHeader,
    body: { content: { 'application/json': { schema: putSchema } }, required: true },
  },
  responses: responses(storedSchema, 'it is stored'),
});

const remove = createRoute({
  method: 'delete',
  path: '/keys/{key}',
  summary: 'Deletes a key at quorum',
  security: bearer,
  request: { ...request, headers: idempotencyHeader },
  responses: responses(storedSchema, 'it is deleted'),
});

export function registerKeys(api: Api, context: ApiContext): void {
  const { link, watcher } = context;
  api.openapi(explain, async (request) => {
    const key = keyOf(request.req.valid('param'), request.req.valid('query'));
    return request.json(await explainKey(link.open, watcher.nodes, key), 200);
  });
  api.openapi(put, async (request) => {
    const key = keyOf(request.req.valid('param'), request.req.valid('query'));
    const value = valueBytes(request.req.valid('json'));
    const { ttlMs } = request.req.valid('json');
    const act = async (): Promise<object> => {
      await link.open.set(key, value, ttlMs === undefined ? {} : { ttlMs });
      return { key: keyText(key), stored: true };
    };
    return (await runAction(request, context, { name: 'set', fields: auditKey(key), act })) as never;
  });
  api.openapi(remove, async (request) => {
    const key = keyOf(request.req.valid('param'), request.req.valid('query'));
    const act = async (): Promise<object> => {
      await link.open.delete(key);
      return { key: keyText(key), stored: false };
    };
    return (await runAction(request, context, { name: 'delete', fields: auditKey(key), act })) as never;
  });
}

function keyOf({ key }: z.infer<typeof keyParameter>, { encoding }: z.infer<typeof keyQuery>): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(key, encoding === 'base64url' ? 'base64url' : 'utf8'));
  if (bytes.length === 0) throw new ApiError(400, 'key-empty', 'A key has at least 1 byte.');
  return bytes;
}

function valueBytes({ value, valueBase64 }: z.infer<typeof putSchema>): Uint8Array {
  const bytes = value === undefined ? Buffer.from(valueBase64 ?? '', 'base64') : Buffer.from(value);
  if (bytes.length > VALUE_BYTES_MAX) {
    throw new ApiError(413, 'value-too-large', `Through the manager a value has at most ${VALUE_BYTES_MAX} bytes.`);
  }
  return new Uint8Array(bytes);
}

function keyText(key: Uint8Array): string {
  return Buffer.from(key).toString();
}

/** Keys may be secrets: the audit log names them by a hash. */
function auditKey(key: Uint8Array): { readonly keySha256: string } {
  return { keySha256: createHash('sha256').update(key).digest('hex').slice(0, 16) };
}

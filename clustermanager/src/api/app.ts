import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { BODY_BYTES_MAX, VALUE_BODY_BYTES_MAX } from '../limits.js';
import type { StaticFiles } from '../platform/static-files.js';
import type { Api, ApiContext, ApiEnvironment } from './context.js';
import { describeOpenApi } from './open-api.js';
import { ApiError, answerProblem } from './problem.js';
import { registerChanges } from './routes/changes.js';
import { registerCluster } from './routes/cluster.js';
import { registerKeys } from './routes/keys.js';
import { registerLogin } from './routes/login.js';
import { registerNodes } from './routes/nodes.js';

const PREFIX = '/api/v1';

/** Everything that the manager answers over HTTP. */
export function createApp(context: ApiContext, files: StaticFiles): Api {
  const { options, watcher } = context;
  const app = newApi();
  app.onError((error, request) => {
    const isExpected = error instanceof ApiError || error.name === 'MemDbError';
    if (!isExpected) {
      options.telemetry.log('error', 'request-failed', { message: error.message, path: request.req.path });
    }
    return answerProblem(request, error);
  });
  app.notFound((request) => {
    return answerProblem(request, new ApiError(404, 'not-found', `There is nothing at ${request.req.path}.`));
  });
  countRequests(app, context);
  app.use('*', async (request, next) => {
    await next();
    for (const [name, value] of SECURITY_HEADERS) request.res.headers.set(name, value);
  });
  if (options.corsOrigins.length > 0) {
    app.use(
      `${PREFIX}/*`,
      cors({ origin: [...options.corsOrigins], allowHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key'] }),
    );
  }
  app.route(PREFIX, createApi(context));
  describeOpenApi(app, options.version);
  app.get('/livez', (request) => request.text('ok\n'));
  app.get('/readyz', (request) => {
    const isReady = watcher.topology !== undefined;
    return isReady ? request.text('ok\n') : request.text(`no node has answered yet: ${context.link.lastError}\n`, 503);
  });
  app.get('/metrics', async (request) => {
    const text = await options.telemetry.metricsText();
    return request.body(text, 200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' });
  });
  app.get('*', (request) => {
    const file = files.find(request.req.path);
    if (file === undefined) throw new ApiError(404, 'not-found', `There is nothing at ${request.req.path}.`);
    return request.body(file.bytes, 200, file.headers);
  });
  return app;
}

function createApi(context: ApiContext): Api {
  const api = newApi();
  const limit = (maxSize: number): MiddlewareHandler<ApiEnvironment> =>
    bodyLimit({
      maxSize,
      onError: () => {
        throw new ApiError(413, 'body-too-large', `The body of this request has at most ${maxSize} bytes.`);
      },
    });
  const limitValue = limit(VALUE_BODY_BYTES_MAX);
  const limitBody = limit(BODY_BYTES_MAX);
  api.use('*', (request, next) => {
    return request.req.path.startsWith(`${PREFIX}/keys/`) ? limitValue(request, next) : limitBody(request, next);
  });
  api.use('*', async (request, next) => {
    request.header('Cache-Control', 'no-store');
    if (request.req.path !== `${PREFIX}/login`) authenticate(request, context);
    await next();
  });
  registerLogin(api, context);
  registerCluster(api, context);
  registerNodes(api, context);
  registerKeys(api, context);
  registerChanges(api, context);
  return api;
}

function authenticate(request: Context<ApiEnvironment>, { tokens, world }: ApiContext): void {
  const [scheme, token = ''] = (request.req.header('Authorization') ?? '').split(' ', 2);
  const principal = scheme?.toLowerCase() === 'bearer' ? tokens.verify(token, world.wallMs()) : undefined;
  if (principal === undefined) {
    throw new ApiError(401, 'not-authenticated', `Send Authorization: Bearer TOKEN; POST ${PREFIX}/login gives one.`, {
      'WWW-Authenticate': 'Bearer',
    });
  }
  const address = request.env?.incoming?.socket.remoteAddress ?? '';
  request.set('actor', { name: principal.name, address });
}

function newApi(): Api {
  return new OpenAPIHono<ApiEnvironment>({
    defaultHook: (result) => {
      if (result.success) return;
      const [issue] = result.error.issues;
      const place = issue?.path.join('.') ?? '';
      throw new ApiError(
        400,
        'bad-request',
        `${place === '' ? 'The request' : place}: ${issue?.message ?? 'is malformed'}.`,
      );
    },
  });
}

function countRequests(app: Api, { options }: ApiContext): void {
  const classes = new Map<number, { value: number }>();
  for (const status of [2, 3, 4, 5]) {
    const labels = { status: `${status}xx` };
    classes.set(status, options.telemetry.counter('manager_requests_total', 'HTTP requests answered.', labels));
  }
  app.use('*', async (request, next) => {
    await next();
    const counter = classes.get(Math.floor(request.res.status / 100));
    if (counter !== undefined) counter.value++;
  });
}

const SECURITY_HEADERS: readonly (readonly [string, string])[] = [
  [
    'Content-Security-Policy',
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  ],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['X-Frame-Options', 'DENY'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
];

import { createRoute } from '@hono/zod-openapi';
import { matchAdminKey } from '../../auth/admin-keys.js';
import { RateLimit } from '../../auth/rate-limit.js';
import {
  LOGIN_ADDRESSES_MAX,
  LOGIN_FAILURES_ALL_MAX,
  LOGIN_FAILURES_MAX,
  LOGIN_REFILL_ALL_MS,
  LOGIN_REFILL_MS,
} from '../../limits.js';
import type { Api, ApiContext } from '../context.js';
import { ApiError } from '../problem.js';
import { responses } from '../responses.js';
import { loginSchema, tokenSchema } from '../schemas.js';

const route = createRoute({
  method: 'post',
  path: '/login',
  summary: 'A short-lived bearer token for the admin key',
  request: { body: { content: { 'application/json': { schema: loginSchema } }, required: true } },
  responses: responses(tokenSchema, 'the token'),
});

/** Both limits count failures alone: who knows the key is never kept out by those who do not, but by a full second. */
export function registerLogin(api: Api, { options, world, tokens, audit }: ApiContext): void {
  const { adminKeys, sessionMs, telemetry } = options;
  const limits = { refillMs: LOGIN_REFILL_MS, burst: LOGIN_FAILURES_MAX, sourcesMax: LOGIN_ADDRESSES_MAX };
  const perAddress = new RateLimit(limits);
  const together = new RateLimit({ refillMs: LOGIN_REFILL_ALL_MS, burst: LOGIN_FAILURES_ALL_MAX, sourcesMax: 1 });
  const failures = telemetry.counter('manager_login_failures_total', 'Logins with a wrong key.');
  const limited = telemetry.counter('manager_logins_limited_total', 'Logins refused because too many had failed.');

  api.openapi(route, (context) => {
    const address = context.env?.incoming?.socket.remoteAddress ?? '';
    const nowMs = world.monotonicMs();
    const waitMs = Math.max(perAddress.waitMs(address, nowMs), together.waitMs('', nowMs));
    if (waitMs > 0) {
      limited.value++;
      const seconds = Math.ceil(waitMs / 1000);
      throw new ApiError(429, 'too-many-logins', `Too many wrong keys; try again in ${seconds} s.`, {
        'Retry-After': String(seconds),
      });
    }
    const { adminKey } = context.req.valid('json');
    const keyId = matchAdminKey(adminKey, adminKeys);
    if (keyId === undefined) {
      failures.value++;
      perAddress.fail(address, nowMs);
      together.fail('', nowMs);
      audit.note({ name: 'somebody', address }, 'login', 'wrong-key');
      throw new ApiError(
        401,
        'wrong-key',
        'This is no admin key of this cluster; `memdb keygen --role admin` makes one.',
      );
    }
    const expiresAtMs = world.wallMs() + sessionMs;
    audit.note({ name: keyId, address }, 'login', 'done');
    return context.json({ token: tokens.issue(keyId, expiresAtMs), expiresAtMs, name: keyId }, 200);
  });
}

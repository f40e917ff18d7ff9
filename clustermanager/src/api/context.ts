import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Actor, AuditLog } from '../audit-log.js';
import type { Tokens } from '../auth/tokens.js';
import type { ClusterLink } from '../cluster/cluster-link.js';
import type { Watcher } from '../cluster/watcher.js';
import type { EventLog } from '../live/event-log.js';
import type { ManagerOptions } from '../options.js';
import type { World } from '../platform/world.js';
import type { IdempotentAnswers } from './idempotency.js';

/** What the routes work with. */
export interface ApiContext {
  readonly options: ManagerOptions;
  readonly world: World;
  readonly tokens: Tokens;
  readonly link: ClusterLink;
  readonly watcher: Watcher;
  readonly events: EventLog;
  readonly audit: AuditLog;
  readonly idempotent: IdempotentAnswers;
}

/** What hono carries along with a request. */
export interface ApiEnvironment {
  Bindings: { readonly incoming?: { readonly socket: { readonly remoteAddress?: string } } };
  Variables: { actor: Actor };
}

export type Api = OpenAPIHono<ApiEnvironment>;

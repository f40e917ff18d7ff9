import type { Address } from '@memdb/client';
import { createApp } from './api/app.js';
import { IdempotentAnswers } from './api/idempotency.js';
import { AuditLog } from './audit-log.js';
import { Tokens } from './auth/tokens.js';
import { ClusterLink } from './cluster/cluster-link.js';
import { isServing } from './cluster/health.js';
import { Watcher } from './cluster/watcher.js';
import { EventLog } from './live/event-log.js';
import { LiveFeed } from './live/live-feed.js';
import type { ManagerOptions } from './options.js';
import { HttpListener } from './platform/http-listener.js';
import { StaticFiles } from './platform/static-files.js';
import { realWorld } from './platform/world.js';

/** A manager that serves. */
export interface Manager {
  /** Where it listens. */
  readonly address: Address;
  close(): Promise<void>;
}

/**
 * Starts a cluster manager: REST API, live feed and dashboard. Resolves once it listens; the cluster may be away, and come
 * and go. It keeps nothing that matters: any number of managers may run, and end at any time.
 *
 * @example const manager = await startManager(options); … await manager.close();
 */
export async function startManager(options: ManagerOptions): Promise<Manager> {
  const world = realWorld();
  const events = new EventLog(world.nonce(), () => world.wallMs());
  const link = new ClusterLink(options, world, (client) => {
    client.on('node', (event) => watcher.onConnection(event));
    client.on('topology', () => void watcher.look());
    void watcher.look();
  });
  const watcher: Watcher = new Watcher({ link, world, events, onLook: () => feed.tick() });
  const tokens = new Tokens(options.adminKeys, options.token);
  const context = {
    ...{ options, world, tokens, link, watcher, events },
    audit: new AuditLog(options.telemetry, events),
    idempotent: new IdempotentAnswers(() => world.monotonicMs()),
  };
  const feed = new LiveFeed(context);
  const app = createApp(context, StaticFiles.dashboard());
  registerGauges(options, watcher, feed);
  const listener = new HttpListener({
    tls: options.tls,
    answer: (request, environment) => app.fetch(request, environment),
    onUpgrade: (request, socket, head) => feed.onUpgrade(request, socket, head),
  });
  const address = await listener.listen(options.listen);
  link.start();
  watcher.start();
  return {
    address,
    close: async () => {
      watcher.stop();
      feed.close();
      await listener.close();
      await link.close();
    },
  };
}

function registerGauges({ telemetry }: ManagerOptions, watcher: Watcher, feed: LiveFeed): void {
  telemetry.gauge('manager_nodes', 'Nodes that the topology names.', () => watcher.nodes.length);
  telemetry.gauge('manager_nodes_serving', 'Nodes that answer the manager and serve.', () => {
    return watcher.nodes.filter(isServing).length;
  });
  telemetry.gauge('manager_viewers', 'Open connections to the live feed.', () => feed.viewers);
}

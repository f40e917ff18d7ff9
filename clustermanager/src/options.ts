import type { Address } from '@memdb/client';

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Logs and metrics of the process that the manager runs in. Calls never throw. */
export interface ManagerTelemetry {
  log(level: 'debug' | 'info' | 'warn' | 'error', event: string, fields?: LogFields): void;
  counter(name: string, help: string, labels?: LogFields): { value: number };
  gauge(name: string, help: string, read: () => number, labels?: LogFields): void;
  /** Prometheus text. */
  metricsText(): Promise<string>;
}

/** A shared key of role `admin`. */
export interface AdminKey {
  readonly id: string;
  readonly secret: Uint8Array;
}

export interface ManagerOptions {
  /** Of the cluster, for people. */
  readonly clusterName: string;
  /** Of the program. */
  readonly version: string;
  /** Some nodes, to find the rest. */
  readonly seeds: readonly Address[];
  /** What is accepted at login; the first one is also what the manager shows to the nodes. */
  readonly adminKeys: readonly [AdminKey, ...AdminKey[]];
  readonly listen: Address;
  /** A bearer token that is always accepted; none when undefined. */
  readonly token: string | undefined;
  /** How long a token from `POST /login` is valid. */
  readonly sessionMs: number;
  /** Origins that browsers may call from, besides the manager's own. Empty: CORS is off. */
  readonly corsOrigins: readonly string[];
  /** PEM texts; plain HTTP when undefined. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly telemetry: ManagerTelemetry;
}

import type { Client, ConsistencyLevel } from '@memdb/client';
import { MemDbError, parseUrl } from '@memdb/protocol';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDurationMs } from '../config/units.js';
import type { CliContext } from './cli-context.js';
import { CliError } from './cli-error.js';
import { clusterUrl } from './cluster-url.js';
import { ExitCode } from './exit-code.js';

/** Options that every command on data takes. */
export interface DataOptions {
  readonly url?: string;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly consistency?: ConsistencyLevel;
}

/** Adds `--url`, `--timeout` and, where it applies, `--consistency`. */
export function addDataOptions(command: Command, withConsistency: boolean): Command {
  command
    .option('--url <url>', 'memdb://KEYID:SECRET@host:port,... (default: MEMDB_URL, then the cluster in ./.memdb)')
    .option('--timeout <time>', 'how long the operation may take: 500ms, 2s (default: 2s)', parseTimeout);
  if (withConsistency) {
    const levels: readonly ConsistencyLevel[] = ['one', 'quorum', 'all', 'serial'];
    command.addOption(
      new Option('--consistency <level>', 'how many replicas to wait for (default: quorum)').choices(levels),
    );
  }
  return command;
}

/** `timeoutMs` and `consistency` for a client call; absent ones are left to the URL and the client's defaults. */
export function callOptions(options: DataOptions): { timeoutMs?: number; consistency?: ConsistencyLevel } {
  return {
    ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
    ...(options.consistency === undefined ? {} : { consistency: options.consistency }),
  };
}

/** Runs `work` with a connected client and closes it whatever happens. */
export async function withClient(
  context: CliContext,
  options: DataOptions,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  await withRole('client', context, options, work);
}

/** As `withClient`, for what needs the admin key. */
export async function withAdmin(
  context: CliContext,
  options: DataOptions,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  await withRole('admin', context, options, work);
}

/** As `withClient`, for what shows the cluster: a key of role client or of role admin will do, and no URL says which it is. */
export async function withAnyRole(
  context: CliContext,
  options: DataOptions,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  let client: Client;
  try {
    client = await connectAs('client', context, options);
  } catch (error) {
    if (!(error instanceof MemDbError) || error.code !== 'authentication-failed') throw error;
    // The first refusal is what a wrong key is told: the second try was nobody's idea but ours.
    client = await connectAs('admin', context, options).catch(() => Promise.reject(error));
  }
  await workWith(client, context, work);
}

async function withRole(
  role: 'client' | 'admin',
  context: CliContext,
  options: DataOptions,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  await workWith(await connectAs(role, context, options), context, work);
}

async function connectAs(role: 'client' | 'admin', context: CliContext, options: DataOptions): Promise<Client> {
  const url = clusterUrl(options.url, context.io, role);
  checkUrl(url);
  const connectOptions = options.timeout === undefined ? {} : { connectTimeoutMs: options.timeout };
  return await context.connect(url, role === 'client' ? connectOptions : { ...connectOptions, role });
}

async function workWith(client: Client, context: CliContext, work: (client: Client) => Promise<void>): Promise<void> {
  context.connected = true;
  try {
    await work(client);
  } finally {
    await client.close();
  }
}

/** A URL that cannot be is a mistake in the command line, not a failure of the cluster. */
function checkUrl(url: string): void {
  try {
    parseUrl(url);
  } catch (error) {
    if (!(error instanceof MemDbError)) throw error;
    throw new CliError('bad-url', ExitCode.usage, `${error.message} (from --url or MEMDB_URL)`, error);
  }
}

/** "2s", "500ms", or plain milliseconds as in the connection URL. */
function parseTimeout(text: string): number {
  const milliseconds = /^\d+$/.test(text) ? Number(text) : parseDurationMs(text);
  if (milliseconds === undefined || milliseconds < 1 || milliseconds > 3_600_000) {
    throw new InvalidArgumentError('Give a time from 1ms to 1h, such as 500ms or 2s.');
  }
  return milliseconds;
}

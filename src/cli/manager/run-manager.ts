import { type AdminKey, type Manager, startManager } from '@memdb/clustermanager';
import { formatAddress, isLoopback } from '../../config/address.js';
import type { MemDbConfig } from '../../config/config.js';
import type { LoadedConfig } from '../../config/load-config.js';
import { JsonTelemetry } from '../../platform/json-telemetry.js';
import { openParentChannel, type ParentChannel } from '../../platform/parent-channel.js';
import { SystemClock } from '../../platform/system-clock.js';
import type { CliContext } from '../cli-context.js';
import { CliError } from '../cli-error.js';
import type { CliIo } from '../cli-io.js';
import { ExitCode } from '../exit-code.js';
import { describeFailure } from '../failure.js';
import { loadKeys } from '../server/load-keys.js';
import { isListenFailure, listenError } from '../server/start-error.js';
import { StopRequest } from '../stop-request.js';
import { asText } from '../value-text.js';

export interface RunManagerOptions {
  readonly load: () => LoadedConfig;
  /** Started by `memdb dev`: report to it, and end when it ends. */
  readonly withParent: boolean;
  readonly context: CliContext;
}

/** A guessed token would be an open door. */
const TOKEN_CHARACTERS_MIN = 32;

/** Runs the manager until it is asked to end. Throws what kept it from starting, as a sentence for a person. */
export async function runManager({ load, withParent, context }: RunManagerOptions): Promise<ExitCode> {
  const parent = withParent ? openParentChannel() : undefined;
  try {
    const { config, warnings } = load();
    const telemetry = new JsonTelemetry({ level: config.log.level, format: config.log.format });
    for (const message of warnings) telemetry.log('warn', 'config-warning', { message });
    const manager = await start(config, telemetry, context, parent);
    return await untilStopped(manager, telemetry, parent);
  } catch (error) {
    parent?.send({ kind: 'failed', message: describeFailure(error, context).message });
    parent?.close();
    throw error;
  }
}

async function start(
  config: MemDbConfig,
  telemetry: JsonTelemetry,
  { io, version }: CliContext,
  parent: ParentChannel | undefined,
): Promise<Manager> {
  const { manager, cluster, node, auth } = config;
  const { ring, warnings } = loadKeys(auth.keysFile, io, 'admin');
  for (const message of warnings) telemetry.log('warn', 'config-warning', { message });
  const tls = manager.tls === undefined ? undefined : readTls(manager.tls, io);
  if (tls === undefined && !isLoopback(manager.listen.host)) {
    telemetry.log('warn', 'not-encrypted', {
      message: `${formatAddress(manager.listen)} is reachable from other machines and the admin key would cross the network in clear: set manager.cert_file and manager.key_file`,
    });
  }
  try {
    const started = await startManager({
      clusterName: cluster.name,
      version,
      seeds: cluster.seeds.length > 0 ? cluster.seeds : [node.advertise],
      // `loadKeys` made sure that there is one.
      adminKeys: ring.all('admin') as unknown as [AdminKey, ...AdminKey[]],
      listen: manager.listen,
      token: manager.tokenFile === undefined ? undefined : readToken(manager.tokenFile, io),
      sessionMs: manager.sessionMs,
      corsOrigins: manager.corsOrigins,
      tls,
      telemetry,
    });
    const url = `${tls === undefined ? 'http' : 'https'}://${formatAddress(started.address)}`;
    telemetry.log('info', 'listening', { url });
    parent?.send({ kind: 'listening', url });
    return started;
  } catch (error) {
    const flag = parent === undefined ? '--listen' : 'memdb dev --manager-port';
    throw isListenFailure(error) ? listenError(manager.listen, flag, error) : error;
  }
}

async function untilStopped(
  manager: Manager,
  telemetry: JsonTelemetry,
  parent: ParentChannel | undefined,
): Promise<ExitCode> {
  const stop = new StopRequest(new SystemClock());
  parent?.onGone(() => stop.request());
  const cause = await stop.requested;
  telemetry.log('info', 'stopping', { message: cause });
  await manager.close();
  stop.close();
  telemetry.flush();
  return ExitCode.done;
}

function readToken(path: string, io: CliIo): string {
  const token = (asText(io.readFile(path)) ?? '').trim();
  if (token.length >= TOKEN_CHARACTERS_MIN) return token;
  throw new CliError(
    'config-invalid',
    ExitCode.failed,
    `${path} (manager.token_file) must hold a token of at least ${TOKEN_CHARACTERS_MIN} characters, such as: openssl rand -base64 32`,
  );
}

function readTls(
  { certFile, keyFile }: { readonly certFile: string; readonly keyFile: string },
  io: CliIo,
): { readonly cert: string; readonly key: string } {
  const read = (path: string): string => Buffer.from(io.readFile(path)).toString();
  return { cert: read(certFile), key: read(keyFile) };
}

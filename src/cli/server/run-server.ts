import type { LoadedConfig } from '../../config/load-config.js';
import { openParentChannel } from '../../platform/parent-channel.js';
import type { CliContext } from '../cli-context.js';
import type { ExitCode } from '../exit-code.js';
import { describeFailure } from '../failure.js';
import { ServerProcess } from './server-process.js';

export interface RunServerOptions {
  /** Reads the configuration; called again for each reload. */
  readonly load: () => LoadedConfig;
  /** Started by `memdb dev`: report to it, and end when it ends. */
  readonly withParent: boolean;
  readonly context: CliContext;
}

/** Runs one node until it is asked to end. Throws what kept it from starting, as a sentence for a person. */
export async function runServer(options: RunServerOptions): Promise<ExitCode> {
  const parent = options.withParent ? openParentChannel() : undefined;
  try {
    const server = new ServerProcess({
      load: options.load,
      io: options.context.io,
      parent,
      version: options.context.version,
    });
    await server.start();
    return await server.ended;
  } catch (error) {
    parent?.send({ kind: 'failed', message: describeFailure(error, options.context).message });
    parent?.close();
    throw error;
  }
}

import { join } from 'node:path';
import { CliError } from './cli-error.js';
import type { CliIo } from './cli-io.js';
import { clusterFileName, defaultDataDirectory, parseClusterFile } from './dev/cluster-file.js';
import { ExitCode } from './exit-code.js';
import { asText } from './value-text.js';

/**
 * Which cluster a data command talks to: `--url`, else `MEMDB_URL`, else the development cluster that runs from
 * `./.memdb`.
 *
 * @throws CliError (usage) when none is given.
 */
export function clusterUrl(option: string | undefined, io: CliIo, role: 'client' | 'admin' = 'client'): string {
  const given = option ?? io.environment.MEMDB_URL;
  if (given !== undefined && given !== '') return given;
  const path = join(defaultDataDirectory, clusterFileName);
  const bytes = io.readFileIfExists(path);
  const cluster = bytes === undefined ? undefined : parseClusterFile(asText(bytes) ?? '');
  if (cluster !== undefined) return role === 'admin' ? cluster.adminUrl : cluster.clientUrl;
  throw new CliError(
    'no-cluster',
    ExitCode.usage,
    `which cluster? Pass --url memdb://KEYID:SECRET@host:port, set MEMDB_URL, or start a development cluster here with \`memdb dev\` (there is no ${path})`,
  );
}

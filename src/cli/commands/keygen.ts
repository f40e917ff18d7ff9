import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatKey, formatSecret, type KeyRole, keyIdPattern, keyRoles } from '../../config/key-ring.js';
import { SystemRandom } from '../../platform/system-random.js';
import type { CliContext } from '../cli-context.js';
import { generateKey } from '../generate-key.js';

/** `memdb keygen --role ROLE [--id NAME]`: a new shared key as a table for the keys file. */
export function registerKeygen(program: Command, context: CliContext): void {
  program
    .command('keygen')
    .description('make a shared key; append its output to the keys file of every node')
    .addOption(new Option('--role <role>', 'who the key lets in').choices(keyRoles).makeOptionMandatory())
    .option('--id <name>', 'name of the key (default: the role and four random digits)', parseId)
    .action((options: { readonly role: KeyRole; readonly id?: string }) => {
      const key = generateKey(options.role, options.id, new SystemRandom());
      context.report.result({ id: key.id, role: key.role, secret: formatSecret(key.secret) }, formatKey(key));
    });
}

function parseId(text: string): string {
  if (!keyIdPattern.test(text)) {
    throw new InvalidArgumentError('Use 1 to 64 letters, digits, ".", "_" or "-".');
  }
  return text;
}

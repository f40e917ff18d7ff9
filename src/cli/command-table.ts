import type { Command } from 'commander';
import type { CliContext } from './cli-context.js';

/** Adds one command to the program. */
export type RegisterCommand = (program: Command, context: CliContext) => void;

/**
 * The commands, in the order in which the help lists them. Each is loaded when it is wanted: a command that reads one key
 * starts without the code of a node, and a node without that of a client.
 */
const commands: ReadonlyMap<string, () => Promise<RegisterCommand>> = new Map([
  ['dev', async () => (await import('./commands/dev.js')).registerDev],
  ['server', async () => (await import('./commands/server.js')).registerServer],
  ['manager', async () => (await import('./commands/manager.js')).registerManager],
  ['keygen', async () => (await import('./commands/keygen.js')).registerKeygen],
  ['get', async () => (await import('./commands/get.js')).registerGet],
  ['set', async () => (await import('./commands/set.js')).registerSet],
  ['delete', async () => (await import('./commands/delete.js')).registerDelete],
  ['cas', async () => (await import('./commands/cas.js')).registerCas],
  ['contains', async () => (await import('./commands/contains.js')).registerContains],
  ['quorum-get', async () => (await import('./commands/quorum-get.js')).registerQuorumGet],
  ['counter', async () => (await import('./commands/counter.js')).registerCounter],
  ['keys', async () => (await import('./commands/keys.js')).registerKeys],
  ['explain', async () => (await import('./commands/explain.js')).registerExplain],
  ['conflicts', async () => (await import('./commands/conflicts.js')).registerConflicts],
  ['kill', async () => (await import('./commands/kill.js')).registerKill],
  ['nodes', async () => (await import('./commands/nodes.js')).registerNodes],
  ['ring', async () => (await import('./commands/ring.js')).registerRing],
  ['status', async () => (await import('./commands/status.js')).registerStatus],
  ['leave', async () => (await import('./commands/departures.js')).registerLeave],
  ['remove', async () => (await import('./commands/departures.js')).registerRemove],
  ['replace', async () => (await import('./commands/departures.js')).registerReplace],
  ['weigh', async () => (await import('./commands/adjustments.js')).registerWeigh],
  ['move', async () => (await import('./commands/adjustments.js')).registerMove],
  ['replicate', async () => (await import('./commands/adjustments.js')).registerReplicate],
  ['setting', async () => (await import('./commands/setting.js')).registerSetting],
  ['change', async () => (await import('./commands/change.js')).registerChange],
  ['backup', async () => (await import('./commands/backup.js')).registerBackup],
  ['restore', async () => (await import('./commands/restore.js')).registerRestore],
  ['log', async () => (await import('./commands/log.js')).registerLog],
]);

/**
 * What has to be registered for a command line: the command that its first word names. All of them when that names none,
 * for the help, and for the mistake that names the nearest.
 */
export async function commandsFor(words: readonly string[]): Promise<RegisterCommand[]> {
  const named = commands.get(words.find((word) => !word.startsWith('-')) ?? '');
  const wanted = named === undefined ? [...commands.values()] : [named];
  return await Promise.all(wanted.map((load) => load()));
}

import type { MemDbConfig } from './config.js';
import { type LoadedConfig, nameOf, variableOf } from './load-config.js';
import { settings } from './schema.js';

/**
 * The configuration in force as TOML that can be fed back, each line with its origin. Secrets are not in it: they
 * live in the keys file.
 */
export function printConfig(loaded: LoadedConfig): string {
  const values = flatten(loaded.config);
  const lines: string[] = [];
  let section = '';
  for (const setting of settings) {
    if (setting.section !== section) {
      section = setting.section;
      lines.push(lines.length === 0 ? `[${section}]` : `\n[${section}]`);
    }
    const name = nameOf(setting);
    const assignment = `${setting.key} = ${setting.kind.format(values.get(name))}`;
    lines.push(`${assignment.padEnd(44)} # ${loaded.origins.get(name) ?? 'default'}: ${setting.help}`);
  }
  return `${lines.join('\n')}\n`;
}

/** The names (`section.key`) whose values differ. */
export function changedKeys(before: MemDbConfig, after: MemDbConfig): string[] {
  const old = flatten(before);
  const now = flatten(after);
  return settings.map(nameOf).filter((name) => JSON.stringify(old.get(name)) !== JSON.stringify(now.get(name)));
}

/** All settings with the names of their environment variables, for documentation and help. */
export function settingNames(): readonly { readonly name: string; readonly variable: string; readonly help: string }[] {
  return settings.map((setting) => ({ name: nameOf(setting), variable: variableOf(setting), help: setting.help }));
}

function flatten(config: MemDbConfig): Map<string, unknown> {
  const { node, cluster, auth, storage, limits, manager, log } = config;
  return new Map<string, unknown>([
    ['node.data_dir', node.dataDir],
    ['node.listen', node.listen],
    ['node.advertise', node.advertise],
    ['node.http', node.http ?? null],
    ['node.zone', node.zone],
    ['node.host', node.host],
    ['node.weight', node.weight],
    ['cluster.name', cluster.name],
    ['cluster.seeds', cluster.seeds],
    ['cluster.founders', cluster.founders],
    ['cluster.replication_factor', cluster.replicationFactor],
    ['cluster.partitions', cluster.partitions],
    ['auth.keys_file', auth.keysFile],
    ['storage.durability', storage.durability],
    ['storage.sync_interval', storage.syncIntervalMs],
    ['storage.segment_size', storage.segmentBytes],
    ['storage.max_memory', storage.memoryBytesMax],
    ['storage.max_entries', storage.entriesMax],
    ['storage.eviction', storage.eviction],
    ['storage.compression', storage.compression],
    ['limits.max_key', limits.keyBytesMax],
    ['limits.max_value', limits.valueBytesMax],
    ['limits.max_connections', limits.connectionsMax],
    ['limits.max_inflight', limits.inflightMax],
    ['limits.request_timeout', limits.requestTimeoutMs],
    ['manager.listen', manager.listen],
    ['manager.token_file', manager.tokenFile ?? ''],
    ['manager.session', manager.sessionMs],
    ['manager.cors_origins', manager.corsOrigins],
    ['manager.cert_file', manager.tls?.certFile ?? ''],
    ['manager.key_file', manager.tls?.keyFile ?? ''],
    ['log.level', log.level],
    ['log.format', log.format],
  ]);
}

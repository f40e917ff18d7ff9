import type { MemDbConfig } from '../../config/config.js';
import { changedKeys } from '../../config/print-config.js';

/** What a reload changes: the configuration in force afterwards, and the settings that wait for a restart. */
export interface ReloadPlan {
  readonly config: MemDbConfig;
  readonly applied: readonly string[];
  readonly needRestart: readonly string[];
}

const reloadable = /^(limits\..+|log\.level|auth\.keys_file)$/;

/** Splits the difference between the configuration in force and a newly read one. */
export function planReload(current: MemDbConfig, wanted: MemDbConfig): ReloadPlan {
  const changed = changedKeys(current, wanted);
  return {
    config: {
      ...current,
      auth: wanted.auth,
      limits: wanted.limits,
      log: { ...current.log, level: wanted.log.level },
    },
    applied: changed.filter((name) => reloadable.test(name)),
    needRestart: changed.filter((name) => !reloadable.test(name)),
  };
}

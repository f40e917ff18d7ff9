import type { WireTopology } from '@memdb/protocol';

/** What a topology says beside its nodes and owners while nothing changes. */
export const SETTLED: Pick<WireTopology, 'pending' | 'replicationFactor' | 'settings' | 'removed' | 'former'> = {
  pending: undefined,
  replicationFactor: 3,
  settings: [],
  removed: [],
  former: [],
};

import { formatUuid, type WireRequest } from '@memdb/protocol';
import type { Node } from './node.js';
import type { Random } from './ports/random.js';
import { type ChangePreview, previewChange } from './topology/changes/preview.js';

/** What a change would move, as far as this node can tell. Throws RangeError with a sentence when it is refused. */
export function previewOf(
  { topology, store, membership }: Pick<Node, 'topology' | 'store' | 'membership'>,
  random: Random,
  request: WireRequest,
): ChangePreview {
  if (topology === undefined || store === undefined) throw new RangeError('the cluster is not formed yet');
  const { keys, tombstones, liveBytes } = store.stats();
  const recordBytes = liveBytes / Math.max(1, keys + tombstones);
  const held = Array.from({ length: topology.partitions }, (_, partition) => store.audit.keysOf(partition));
  const here = held.filter((count) => count > 0);
  // Hashing spreads keys evenly: what this node does not hold is as large as what it does.
  const usual = here.reduce((sum, count) => sum + count, 0) / Math.max(1, here.length);
  const uuid = new Uint8Array(16);
  random.fill(uuid);
  return previewChange(topology, request, {
    bytesOf: (partition) => Math.round((held[partition] || usual) * recordBytes),
    reachable: (node) => membership?.reachable(node) === true,
    freshUuid: formatUuid(uuid),
  });
}

import type { WireNode, WireTopology } from '@memdb/protocol';
import { place } from 'hash-ring-ts';
import type { NodeRecord } from './pledge.js';

/** What an operator chose for a new cluster. */
export interface Placing {
  readonly partitions: number;
  readonly replicationFactor: number;
}

/** Epoch 1: the founders in the order of the seeds, numbered from 1. */
export function composeFirstEpoch(
  clusterId: Uint8Array,
  founders: readonly NodeRecord[],
  placing: Placing,
  hashSeed: number,
): WireTopology {
  const nodes = founders.map((founder, index): WireNode => ({ number: index + 1, standing: 'member', ...founder }));
  const placement = place({
    nodes: founders.map((founder) => ({
      id: founder.uuid,
      weight: founder.weight,
      zone: founder.zone,
      host: founder.host,
    })),
    partitions: placing.partitions,
    replicas: placing.replicationFactor,
  });
  return {
    epoch: 1,
    clusterId,
    hashSeed,
    partitions: placing.partitions,
    replicas: placement.replicas,
    nodes,
    owners: placement.owners.map((index) => nodes[index].number),
    pending: undefined,
    replicationFactor: placing.replicationFactor,
    highestNumber: nodes.length,
    settings: [],
    removed: [],
    former: [],
  };
}

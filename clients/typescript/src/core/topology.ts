import { formatUuid, type WireTopology } from '@memdb/protocol';

/** A node as the `topology` event shows it. */
export interface NodeDescription {
  readonly number: number;
  readonly id: string;
  /** "host:port". */
  readonly address: string;
  readonly zone: string;
  readonly host: string;
}

/** Who owns what, as the client last learned it. */
export interface TopologyDescription {
  readonly epoch: number;
  readonly clusterId: string;
  readonly partitions: number;
  /** Owners of each partition. */
  readonly replicas: number;
  readonly nodes: readonly NodeDescription[];
}

export function describeTopology(topology: WireTopology): TopologyDescription {
  return {
    epoch: topology.epoch,
    clusterId: formatUuid(topology.clusterId),
    partitions: topology.partitions,
    replicas: topology.replicas,
    nodes: topology.nodes.map(({ number, uuid, address, zone, host }) => ({ number, id: uuid, address, zone, host })),
  };
}

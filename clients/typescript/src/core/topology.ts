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
  /** By partition: the numbers of its owners, who is asked first in front. */
  readonly owners: readonly (readonly number[])[];
}

export function describeTopology(topology: WireTopology): TopologyDescription {
  const { partitions, replicas } = topology;
  const owners = Array.from({ length: partitions }, (_, partition) => [
    ...topology.owners.subarray(partition * replicas, (partition + 1) * replicas),
  ]);
  return {
    owners,
    epoch: topology.epoch,
    clusterId: formatUuid(topology.clusterId),
    partitions,
    replicas,
    nodes: topology.nodes.map(({ number, uuid, address, zone, host }) => ({ number, id: uuid, address, zone, host })),
  };
}

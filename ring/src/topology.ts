/** A member of the ring: what placement has to know about one node. */
export interface RingNode {
  /** Stable, unique name. Tokens are derived from it, so a node that changes its id is a new node. */
  readonly id: string;
  /** Share of the load relative to the other nodes; finite and above zero. A node of weight 2 gets twice the slots of one of weight 1. */
  readonly weight: number;
  /** Name of the zone (rack, data centre). Nodes that name no zone are together in one zone, `''`. */
  readonly zone: string;
  /** Name of the machine. A node that names none (`''`) counts as a machine of its own. */
  readonly host: string;
}

/** A table: for each partition its owners in order of preference. */
export interface Placement {
  /** How many partitions the ring is cut into. */
  readonly partitions: number;
  /** Owners per partition: what was asked for, or the number of nodes when there are fewer. */
  readonly replicas: number;
  /**
   * `partitions × replicas` indexes into the nodes **as they were given**; partition `p` owns
   * `owners[p * replicas]` (the primary) up to `owners[p * replicas + replicas - 1]`.
   */
  readonly owners: Uint16Array;
}

/** A table together with the names its indexes stand for. */
export interface NamedPlacement {
  /** The ids of the nodes in the order in which they were given to {@link place}. */
  readonly ids: readonly string[];
  readonly placement: Placement;
}

/** Everything placement depends on. */
export interface PlacementInput {
  readonly nodes: readonly RingNode[];
  /** A power of two from 1 to 65,536; fixed for the life of a cluster. */
  readonly partitions: number;
  /** How many owners each partition should have, 1 or more. */
  readonly replicas: number;
  /**
   * The table in force, when there is one: the new table is the balanced one that copies the least from it.
   * Without it the table is made from the nodes alone.
   */
  readonly previous?: NamedPlacement;
}

/** Uint16 indexes, and one value beyond the last node stands for "nobody". */
const nodesMax = 65_535;

/** The longest ring; with it a table of 3 replicas is 384 KiB. */
const partitionsMax = 65_536;

/**
 * Refuses an input that no table exists for.
 *
 * @throws RangeError that names what is wrong.
 */
export function checkInput(input: PlacementInput): void {
  const { nodes, partitions, replicas, previous } = input;
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > partitionsMax || !isPowerOfTwo(partitions)) {
    throw new RangeError(`partitions must be a power of two from 1 to ${partitionsMax}, not ${partitions}`);
  }
  if (!Number.isInteger(replicas) || replicas < 1) {
    throw new RangeError(`replicas must be a whole number of 1 or more, not ${replicas}`);
  }
  if (nodes.length < 1 || nodes.length > nodesMax) {
    throw new RangeError(`a ring has 1 to ${nodesMax} nodes, not ${nodes.length}`);
  }
  const ids = new Set<string>();
  for (const node of nodes) {
    if (!Number.isFinite(node.weight) || node.weight <= 0) {
      throw new RangeError(`the weight of node ${node.id} must be a number above 0, not ${node.weight}`);
    }
    if (ids.has(node.id)) throw new RangeError(`two nodes are named ${node.id}`);
    ids.add(node.id);
  }
  if (previous === undefined) return;
  if (previous.placement.partitions !== partitions) {
    throw new RangeError(
      `the number of partitions cannot change from ${previous.placement.partitions} to ${partitions}`,
    );
  }
  checkTable(previous.placement, previous.ids);
}

/**
 * Refuses a table whose size or indexes do not fit its names.
 *
 * @throws RangeError that names what is wrong.
 */
export function checkTable(table: Placement, ids: readonly string[]): void {
  const { partitions, replicas, owners } = table;
  if (owners.length !== partitions * replicas) {
    throw new RangeError(`a table of ${partitions} × ${replicas} owners cannot have ${owners.length} entries`);
  }
  for (const owner of owners) {
    if (owner >= ids.length) throw new RangeError(`the table names node ${owner} of ${ids.length}`);
  }
}

function isPowerOfTwo(value: number): boolean {
  return 2 ** Math.round(Math.log2(value)) === value;
}

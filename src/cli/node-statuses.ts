import type { Client, ClusterTopology } from '@memdb/client';

/** A node that says nothing for so long is shown as unreachable. */
const STATUS_TIMEOUT_MS = 1500;

/** What a node told of itself, as far as commands show it. */
export interface NodeReport {
  readonly ready: true | string;
  readonly epoch: number;
  readonly release: string | undefined;
  readonly keys: number;
  readonly accountedBytes: number;
  readonly lagRecords: number;
  readonly transfer: TransferReport | undefined;
}

export interface TransferReport {
  readonly partitions: number;
  readonly filled: number;
  readonly bytesTaken: number;
  readonly isDrained: boolean;
}

/** Asks every node of a topology for its status; undefined for one that does not answer. */
export async function askNodes(
  client: Client,
  topology: ClusterTopology,
): Promise<Map<number, NodeReport | undefined>> {
  const asked = topology.nodes.map(async ({ number }): Promise<[number, NodeReport | undefined]> => {
    try {
      return [number, reportOf(await client.admin.status(number, { timeoutMs: STATUS_TIMEOUT_MS }))];
    } catch {
      return [number, undefined];
    }
  });
  return new Map(await Promise.all(asked));
}

function reportOf(status: Readonly<Record<string, unknown>>): NodeReport {
  const storage = fields(status.storage);
  const members = Array.isArray(status.members) ? status.members.map(fields) : [];
  const transfer = fields(status.transfer);
  return {
    ready: typeof status.ready === 'string' ? status.ready : true,
    epoch: numberOf(status.epoch),
    release: typeof status.release === 'string' ? status.release : undefined,
    keys: numberOf(storage.keys),
    accountedBytes: numberOf(storage.accountedBytes),
    lagRecords: Math.max(0, ...members.map(({ lagRecords }) => numberOf(lagRecords))),
    transfer:
      status.transfer === undefined
        ? undefined
        : {
            partitions: numberOf(transfer.partitions),
            filled: numberOf(transfer.filled),
            bytesTaken: numberOf(transfer.bytesTaken),
            isDrained: transfer.isDrained === true,
          },
  };
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

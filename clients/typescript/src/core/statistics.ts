/** Counts since the client was made. Numbers only grow; `db.stats` hands out copies. */
export interface Statistics {
  /** Operations called; a key of `getMany` or `setMany` counts as one. */
  operations: number;
  succeeded: number;
  /** Failed without any effect. */
  notApplied: number;
  /** Failed, and may have been applied. */
  unknown: number;
  /** Attempts after the first one of an operation. */
  retries: number;
  /** Connections that were lost after they had been up. */
  connectionsLost: number;
  /** Connections made after the first ones to each node. */
  reconnects: number;
}

export function createStatistics(): Statistics {
  return { operations: 0, succeeded: 0, notApplied: 0, unknown: 0, retries: 0, connectionsLost: 0, reconnects: 0 };
}

/** `db.stats`: the counts, and how things stand now. */
export interface ClientStatistics extends Readonly<Statistics> {
  /** Operations that were called and have not ended. */
  readonly inProgress: number;
  /** Of those: waiting in the client for a connection, or for room on one. */
  readonly queued: number;
  /** Connections that take requests. */
  readonly connections: number;
}

/** A server or cluster that was started for the benchmark. */
export interface Peer {
  readonly ports: readonly number[];
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

/** Why a comparison cannot be made here, and what would make it possible. */
export interface MissingPeer {
  readonly name: string;
  readonly install: string;
}

import type { Quorum } from '../topology/quorum.js';
import type { ReplicaSet } from '../topology/replica-sets.js';
import type { PeerStream } from './peer-stream.js';

const OWNERS_MAX = 16;

/** Up to where in this node's log the owners have what it coordinated for them. Hot: asked on every release. */
export class CommitPoints {
  readonly #streams: readonly (PeerStream | undefined)[];
  readonly #acknowledged: Float64Array = new Float64Array(OWNERS_MAX);

  /** By member number; no stream for this node itself. */
  constructor(streams: readonly (PeerStream | undefined)[]) {
    this.#streams = streams;
  }

  /** The LSN up to which a quorum of the owners has everything; this node itself has it up to `ownLsn`. */
  of(set: ReplicaSet, quorum: Quorum, ownLsn: number): number {
    const owners = this.#among(set, set.owners, quorum.owners, ownLsn);
    return quorum.next === 0 ? owners : Math.min(owners, this.#among(set, set.next, quorum.next, ownLsn));
  }

  /** The `needed`-th largest LSN of what each of the members `among` (bits) has. */
  #among(set: ReplicaSet, among: number, needed: number, ownLsn: number): number {
    const sorted = this.#acknowledged;
    const { members, selfIndex } = set;
    let count = 0;
    for (let index = 0; index < members.length; index++) {
      if ((among & (1 << index)) === 0) continue;
      const lsn = index === selfIndex ? ownLsn : (this.#streams[members[index]]?.acknowledgedLsn ?? 0);
      let at = count++;
      for (; at > 0 && sorted[at - 1] < lsn; at--) sorted[at] = sorted[at - 1];
      sorted[at] = lsn;
    }
    return sorted[needed - 1];
  }
}

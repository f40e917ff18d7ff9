import type { Member, MemberState } from './swim/member.js';

/**
 * What a node knows of a member: the entries of `members` in the answer to `status`, for `memdb nodes`, the manager's
 * GET /nodes and people. Times are by the clock of whoever said so; nothing here decides anything about data.
 */
export interface MemberView {
  readonly uuid: string;
  /** In the topology; 0 for a node that gossip knows and the topology does not: it comes, or it went. */
  readonly number: number;
  /**
   * By gossip: `suspect` did not answer and may still refute, `dead` did not in time, `left` said that it stops.
   * `unknown`: nothing was heard of it since this node started.
   */
  readonly state: MemberState | 'unknown';
  /** Since when it is in that state, Unix milliseconds; 0 when that is not known. */
  readonly sinceMs: number;
  /** Why it is held to be in that state, as a sentence. */
  readonly why: string;
  /** Whether this node itself reaches it now, and counts on it. */
  readonly reachable: boolean;
  /** "host:port" that nodes and clients dial. */
  readonly address: string;
  /** "host:port" of its http listener; empty for none. */
  readonly http: string;
  readonly zone: string;
  readonly host: string;
  readonly weight: number;
  /** The release it runs; empty when not known. */
  readonly version: string;
  /** Restart count of its data directory; 0 when not known. */
  readonly generation: number;
  /** The highest epoch that it said to know. */
  readonly epoch: number;
  /** Requests of clients that it answered in a second, lately. */
  readonly load: number;
  /** How much it doubts itself: 0 all is well, to 8. */
  readonly health: number;
  /** LSN up to which it said to have its log on its disk. */
  readonly logEnd: number;
}

/** `nameOf`: how a person may call the member that accuses. */
export function viewOfMember(
  member: Member,
  number: number,
  reachable: boolean,
  nameOf: (uuid: string) => string,
): MemberView {
  const { uuid, generation, claim, profile } = member;
  const { address, http, zone, host, weight, release, epoch, load, health, logEnd } = profile;
  return {
    uuid,
    number,
    state: claim.state,
    sinceMs: claim.sinceMs,
    why: whyOf(member, nameOf),
    reachable,
    address,
    http,
    zone,
    host,
    weight,
    version: release,
    generation,
    epoch,
    load,
    health,
    logEnd,
  };
}

function whyOf({ claim }: Member, nameOf: (uuid: string) => string): string {
  switch (claim.state) {
    case 'alive':
      return claim.incarnation === 0 ? 'it answers' : 'it answers, and said so when it was suspected';
    case 'suspect':
      return `it did not answer ${nameOf(claim.by)}, directly or through others, and may still say that it lives`;
    case 'dead':
      return `it did not answer ${nameOf(claim.by)} in time`;
    case 'left':
      return 'it was stopped in order';
  }
}

/** What is held of a member, in the order in which one overrides the other at the same incarnation. */
export const MEMBER_STATES = ['alive', 'suspect', 'dead', 'left'] as const;
/**
 * `suspect`: it did not answer somebody, directly or through others, and may still refute that. `dead`: it did not in
 * time. `left`: it said that it stops.
 */
export type MemberState = (typeof MEMBER_STATES)[number];

/** Who says what of a member. */
export interface Claim {
  /** Of the member: only the member itself raises it, to refute what is said of it. */
  readonly incarnation: number;
  readonly state: MemberState;
  /** UUID of the member that accuses; empty in what a member says of itself. */
  readonly by: string;
  /** Since when, in Unix milliseconds by the clock of whoever says it. For people. */
  readonly sinceMs: number;
}

/** What a member tells of itself. Gossip carries it and draws no conclusion from it. */
export interface Profile {
  /** Raised by the member with every change: one version never has two contents. */
  readonly version: number;
  /** "host:port" that nodes and clients dial. */
  readonly address: string;
  /** "host:port" of its http listener, empty for none. */
  readonly http: string;
  readonly zone: string;
  /** The machine it runs on. */
  readonly host: string;
  /** Share of the data relative to others. */
  readonly weight: number;
  /** The release it runs. */
  readonly release: string;
  /** The highest epoch that it knows durably; 0 before it knows one. */
  readonly epoch: number;
  /** Requests of clients that it answered in a second, lately. */
  readonly load: number;
  /** How much it doubts itself, 0 to 8 (`LocalHealth`): others are patient with a node that knows that it is slow. */
  readonly health: number;
  /**
   * LSN up to which its log is on its disk. Whoever starts with a log that ends below it lost what it answered for: its
   * directory is a copy (mechanisms: Epochs).
   */
  readonly logEnd: number;
}

/** Which start of a node. */
export interface StartCount {
  /** Restart count of its data directory. */
  readonly generation: number;
  /** Random for this start, 16 hexadecimal digits: tells two starts with the same count apart. */
  readonly bootNonce: string;
}

/** One start of one node as gossip knows it. */
export interface Member extends StartCount {
  readonly uuid: string;
  readonly claim: Claim;
  readonly profile: Profile;
}

/** Positive when `a` is the later start of a node. */
export function compareStarts(a: StartCount, b: StartCount): number {
  return a.generation - b.generation || compareTexts(a.bootNonce, b.bootNonce);
}

/**
 * Positive when claim `a` overrides `b`, of the same start: the incarnation, then the state decide. What is left only
 * makes the order total, so that merging does not depend on the order of hearing: the earlier of two like claims stays.
 */
export function compareClaims(a: Claim, b: Claim): number {
  return (
    a.incarnation - b.incarnation ||
    rankOf(a.state) - rankOf(b.state) ||
    b.sinceMs - a.sinceMs ||
    compareTexts(b.by, a.by)
  );
}

/**
 * What is known when both are known. Commutative, associative and idempotent: whatever way and order knowledge
 * travels in, all come to hold the same. Returns `held` itself when `heard` adds nothing.
 */
export function mergeMembers(held: Member, heard: Member): Member {
  const later = compareStarts(held, heard);
  // A later start makes everything about an earlier one void, its death included.
  if (later !== 0) return later > 0 ? held : heard;
  const claim = compareClaims(held.claim, heard.claim) >= 0 ? held.claim : heard.claim;
  const profile = held.profile.version >= heard.profile.version ? held.profile : heard.profile;
  return claim === held.claim && profile === held.profile ? held : { ...held, claim, profile };
}

/** Whether the member may answer: it is probed, and counted when timeouts are computed. */
export function isPresent({ claim }: Member): boolean {
  return claim.state === 'alive' || claim.state === 'suspect';
}

function rankOf(state: MemberState): number {
  return MEMBER_STATES.indexOf(state);
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a > b ? 1 : -1;
}

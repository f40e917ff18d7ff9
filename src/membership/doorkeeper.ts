import type { PeerLink } from './peer-link.js';
import { isPresent, type Member, type StartCount } from './swim/member.js';

/** A member that is asked whether it is there has this long to say so, in milliseconds. */
const ALIVE_WITHIN_MS = 1000;
/** Introductions that wait for such an answer at once; one more is welcomed or refused by what is known. */
const WAITING_MAX = 64;

/** One start of a node, as far as a handshake tells. */
export interface Start extends StartCount {
  readonly uuid: string;
}

export interface DoorkeeperOptions {
  /** This node. */
  readonly self: () => Member;
  /** What is known of a node; undefined when nothing is. */
  readonly memberOf: (uuid: string) => Member | undefined;
  /** Everybody who is known. */
  readonly members: () => Iterable<Member>;
  /** The link to a node, whatever its state. */
  readonly linkTo: (uuid: string) => PeerLink | undefined;
}

/** Who may be alive in the place of somebody, and what is said then. */
interface Rival {
  readonly uuid: string;
  readonly link: PeerLink;
  readonly refusal: string;
}

/** Somebody at the door, until those who have its place have shown whether they live. */
interface Waiting {
  readonly self: Member;
  readonly rivals: readonly Rival[];
  readonly untilMs: number;
  readonly decide: (refusal: string | undefined) => void;
}

/**
 * Who may come in under a name: a later start of a node, when nothing of it was lost and the earlier one is gone, and at
 * an address that is nobody else's (mechanisms: Epochs, copied directories).
 */
export class Doorkeeper {
  readonly #options: DoorkeeperOptions;
  #waiting: Waiting[] = [];

  constructor(options: DoorkeeperOptions) {
    this.#options = options;
  }

  /** Why that start is not the one that counts, as a sentence for a person; undefined when nothing is known against it. */
  refusalOf({ uuid, generation, bootNonce }: Start): string | undefined {
    const held = this.#options.memberOf(uuid);
    if (held === undefined || generation > held.generation) return undefined;
    if (generation < held.generation) {
      return `Node ${uuid} has been started ${held.generation} times, and this is start ${generation}: its data directory is a copy, or an older state. ${WHAT_TO_DO}`;
    }
    if (bootNonce === held.bootNonce) return undefined;
    return `Another process was started as start ${generation} of node ${uuid}: one of their data directories is a copy of the other. ${WHAT_TO_DO}`;
  }

  /** A node introduces itself. `decide` is called with the reason why it is refused, now or within a second or so. */
  onIntroduced(self: Member, nowMs: number, decide: (refusal: string | undefined) => void): void {
    const refusal = this.refusalOf(self) ?? this.#logRefusal(self) ?? this.#addressRefusal(self);
    const rivals = refusal === undefined ? this.#rivals(self) : [];
    if (rivals.length === 0 || this.#waiting.length >= WAITING_MAX) {
      decide(refusal);
      return;
    }
    for (const { link } of rivals) if (link.isUp) link.ask();
    this.#waiting.push({ self, rivals, untilMs: nowMs + ALIVE_WITHIN_MS, decide });
  }

  /** Looks who has answered meanwhile. */
  tick(nowMs: number): void {
    this.#waiting = this.#waiting.filter(({ self, rivals, untilMs, decide }) => {
      const possible = rivals.filter(({ uuid, link }) => mayBe(uuid, link, self));
      const alive = possible.find(({ link }) => link.isUp && link.heardMs > untilMs - ALIVE_WITHIN_MS);
      if (alive === undefined && possible.length > 0 && nowMs < untilMs) return true;
      decide(alive?.refusal);
      return false;
    });
  }

  #logRefusal({ uuid, generation, profile }: Member): string | undefined {
    const held = this.#options.memberOf(uuid);
    if (held === undefined || generation === held.generation || profile.logEnd >= held.profile.logEnd) return undefined;
    return `The log of node ${uuid} ends at LSN ${profile.logEnd}, and it had LSN ${held.profile.logEnd} on its disk before: its data directory was restored from a copy, and what it answered for since is lost. ${WHAT_TO_DO}`;
  }

  #addressRefusal({ profile }: Member): string | undefined {
    const own = this.#options.self();
    return profile.address === own.profile.address ? addressTaken(own) : undefined;
  }

  /** Links to those who may be alive in the place of that start. */
  #rivals(self: Member): Rival[] {
    const rivals: Rival[] = [];
    const add = (uuid: string, refusal: string): void => {
      const link = this.#options.linkTo(uuid);
      if (link !== undefined && mayBe(uuid, link, self)) rivals.push({ uuid, link, refusal });
    };
    const { uuid, profile } = self;
    const held = this.#options.memberOf(uuid);
    if (held !== undefined && held.bootNonce !== self.bootNonce) {
      add(uuid, `Another process runs as node ${uuid}, at ${held.profile.address}. ${WHAT_TO_DO}`);
    }
    for (const other of this.#options.members()) {
      if (other.uuid === uuid || other.profile.address !== profile.address || !isPresent(other)) continue;
      add(other.uuid, addressTaken(other));
    }
    return rivals;
  }
}

function addressTaken({ uuid, profile }: Member): string {
  return `Node ${uuid} has the address ${profile.address}, and is alive. Give this node an address of its own: node.advertise.`;
}

const WHAT_TO_DO =
  'Stop the other process if it is the wrong one and start this one again; or empty the data directory of this node: it joins as a new one.';

/** Whether an earlier start of that node, or one that is not `self`, may be at the other end of the link. */
function mayBe(uuid: string, { state }: PeerLink, self: Member): boolean {
  switch (state.kind) {
    case 'up':
      return state.peer.identity === uuid && state.peer.bootNonce !== self.bootNonce;
    case 'dialing':
    case 'handshaking':
      return true;
    case 'waiting':
    case 'closed':
      return false;
  }
}

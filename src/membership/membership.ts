import { Flag, FRAME_HEADER_BYTES, frameFlags, frameOpcode, Opcode } from '@memdb/protocol';
import { formatAddress } from '../ports/address.js';
import type { Timer } from '../ports/timers.js';
import type { Address } from '../ports/transport.js';
import { decodeSightings, encodeSightings, type Sighting } from './heartbeat.js';
import { PeerLink, type PeerLinkContext, type PeerLinkEvents } from './peer-link.js';

/** How often every peer is asked for a sign of life, in milliseconds. */
const HEARTBEAT_INTERVAL_MS = 200;
/** Silence after which a peer is suspect: asked last, and not counted on. It stays an owner. */
const SUSPECT_AFTER_MS = 1200;
/**
 * Silence after which the connection is given up and dialed again. The peer may have come back, elsewhere even, without
 * the connection noticing: TCP alone needs a quarter of an hour, and no longer sends once the peer's window is full.
 */
const GIVE_UP_AFTER_MS = 5000;

/** How long one seed is probed before the next. */
const PROBE_MS = 3000;

export interface MembershipOptions {
  readonly context: PeerLinkContext;
  readonly events: PeerLinkEvents;
  readonly self: Sighting;
  /** Contact points: tried when a member is not where it was last seen. */
  readonly seeds: readonly Address[];
  /** A member was seen elsewhere; to be remembered across restarts. */
  readonly onMoved: (sighting: Sighting) => void;
  /** The member with this UUID, 0 when the epoch knows none. */
  readonly numberOf: (uuid: string) => number;
  /** A peer became reachable or suspect. */
  readonly onLiveness: (number: number, reachable: boolean) => void;
}

/**
 * Who of the members can be reached, and where. It decides nothing about data (architecture: Membership and topology
 * are two things). Liveness is by heartbeat on the peer links.
 */
export class Membership {
  readonly #options: MembershipOptions;
  /** By member number; holes where there is no member, or it is this node. Indexed on hot paths. */
  readonly links: (PeerLink | undefined)[] = [];
  readonly #sightings = new Map<number, Sighting>();
  readonly #suspect = new Set<number>();
  #probe: PeerLink | undefined;
  #probeStartedMs = 0;
  #seedTurn = 0;
  #lastTickMs = 0;
  #timer: Timer | undefined;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#sightings.set(options.self.number, options.self);
  }

  /** Begins to reach for the members of an epoch. `sightings` is what the epoch or an earlier run knew of them. */
  start(sightings: readonly Sighting[]): void {
    this.setMembers(sightings);
    this.#tick();
  }

  /** The members are these from now on: reaches for those that are new, and lets go of those that are not among them. */
  setMembers(sightings: readonly Sighting[]): void {
    const { self } = this.#options;
    const numbers = new Set(sightings.map(({ number }) => number));
    for (const [number, link] of this.links.entries()) {
      if (link === undefined || numbers.has(number)) continue;
      link.close();
      this.links[number] = undefined;
      this.#sightings.delete(number);
      this.#suspect.delete(number);
    }
    for (const sighting of sightings) {
      if (sighting.number === self.number || this.links[sighting.number] !== undefined) continue;
      this.#sightings.set(sighting.number, sighting);
      this.#reach(sighting.number);
    }
  }

  #reach(number: number): void {
    const { context, events } = this.#options;
    const link = new PeerLink(number, () => this.#whereIs(number), context, {
      onUp: (link, peer) => {
        if (this.#options.numberOf(peer.identity) !== link.number) {
          link.reset(`another node (${peer.identity}) answers at ${formatAddress(link.address)}`);
          return;
        }
        this.#suspect.delete(link.number);
        this.#sendHeartbeat(link);
        events.onUp(link, peer);
        this.#options.onLiveness(link.number, true);
      },
      onDown: (link, reason) => {
        this.#suspect.delete(link.number);
        events.onDown(link, reason);
        this.#options.onLiveness(link.number, false);
      },
      onFrame: events.onFrame,
    });
    this.links[number] = link;
    link.open();
  }

  stop(): void {
    if (this.#timer !== undefined) this.#options.context.timers.stop(this.#timer);
    this.#probe?.close();
    for (const link of this.links) link?.close();
  }

  /** Whether a request sent to this member now is likely to be answered. This node itself always is. */
  reachable(number: number): boolean {
    if (number === this.#options.self.number) return true;
    const link = this.links[number];
    return link?.isUp === true && !this.#suspect.has(number);
  }

  /** Where each known member is, this node included. */
  sightings(): Sighting[] {
    return [...this.#sightings.values()];
  }

  /** A peer named members, or introduced itself in a handshake. */
  learn(sighting: Sighting): void {
    const known = this.#sightings.get(sighting.number);
    if (known === undefined || sighting.number === this.#options.self.number) return;
    if (sighting.generation <= known.generation) return;
    this.#sightings.set(sighting.number, sighting);
    const moved = known.address.host !== sighting.address.host || known.address.port !== sighting.address.port;
    if (moved)
      this.#options.context.telemetry.log('info', 'member-moved', {
        member: sighting.number,
        address: formatAddress(sighting.address),
      });
    this.#options.onMoved(sighting);
  }

  /** What this node tells in a heartbeat and in its answer. */
  encode(): Uint8Array {
    return encodeSightings(this.sightings());
  }

  /** The body of a heartbeat or of its answer. Throws `ProtocolError` when it is malformed. */
  onHeartbeat(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    for (const sighting of decodeSightings(bytes, view, start, end)) this.learn(sighting);
  }

  /** A reply on a peer link that belongs to membership. */
  onReply(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    if (frameOpcode(view, start) === Opcode.heartbeat && (frameFlags(view, start) & Flag.error) === 0) {
      this.onHeartbeat(bytes, view, start + FRAME_HEADER_BYTES, end);
    }
  }

  /** End of turn: what stands in the links leaves. */
  flush(): void {
    for (const link of this.links) link?.flush();
    this.#probe?.flush();
  }

  #whereIs(number: number): Address {
    return this.#sightings.get(number)?.address ?? this.#options.self.address;
  }

  /**
   * While a member cannot be reached, seeds at which no member is known are asked in turn: nodes may have moved while
   * nobody was there to see it. Whoever answers there says who it is.
   */
  #probeSeeds(nowMs: number): void {
    if (this.#probe !== undefined) {
      if (nowMs - this.#probeStartedMs < PROBE_MS) return;
      this.#probe.close();
      this.#probe = undefined;
    }
    if (this.links.every((link) => link === undefined || link.isUp)) return;
    const known = new Set(this.sightings().map((sighting) => formatAddress(sighting.address)));
    const unknown = this.#options.seeds.filter((seed) => !known.has(formatAddress(seed)));
    if (unknown.length === 0) return;
    const seed = unknown[this.#seedTurn++ % unknown.length];
    this.#probeStartedMs = nowMs;
    this.#probe = new PeerLink(0, () => seed, this.#options.context, {
      onUp: (link, peer) => {
        const number = this.#options.numberOf(peer.identity);
        if (number !== 0) this.learn({ number, generation: peer.generation, address: seed });
        this.#sendHeartbeat(link);
      },
      onDown: () => {},
      onFrame: (_link, bytes, view, start, end) => this.onReply(bytes, view, start, end),
    });
    this.#probe.open();
  }

  readonly #tick = (): void => {
    const { context } = this.#options;
    const nowMs = context.turn.nowMs;
    // A node that was itself stopped or busy must not accuse others of its own silence.
    const late = this.#lastTickMs !== 0 && nowMs - this.#lastTickMs > SUSPECT_AFTER_MS / 2;
    this.#lastTickMs = nowMs;
    for (const link of this.links) {
      if (link === undefined || !link.isUp) continue;
      if (late) link.heardMs = nowMs;
      const silent = nowMs - link.heardMs > SUSPECT_AFTER_MS;
      if (silent && !this.#suspect.has(link.number)) {
        this.#suspect.add(link.number);
        context.telemetry.log('warn', 'member-suspect', {
          member: link.number,
          silentMs: Math.round(nowMs - link.heardMs),
        });
        this.#options.onLiveness(link.number, false);
      } else if (!silent && this.#suspect.delete(link.number)) {
        context.telemetry.log('info', 'member-answers-again', { member: link.number });
        this.#options.onLiveness(link.number, true);
      }
      if (nowMs - link.heardMs > GIVE_UP_AFTER_MS) link.reset(`silent for ${Math.round(nowMs - link.heardMs)} ms`);
      else this.#sendHeartbeat(link);
    }
    this.#probeSeeds(nowMs);
    this.#timer = context.timers.start(HEARTBEAT_INTERVAL_MS, this.#tick);
  };

  #sendHeartbeat(link: PeerLink): void {
    const body = this.encode();
    const at = link.begin(Opcode.heartbeat, 0, 0, 0, body.length);
    link.out.bytes.set(body, at);
  }
}

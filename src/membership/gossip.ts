import {
  decodeMembers,
  decodeRelay,
  decodeRelayed,
  encodeMembers,
  encodeRelay,
  encodeRelayed,
  Flag,
  FRAME_HEADER_BYTES,
  frameCorrelation,
  frameFlags,
  frameOpcode,
  Opcode,
  ProtocolError,
} from '@memdb/protocol';
import type { Random } from '../ports/random.js';
import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Answer } from './answer.js';
import type { PeerLink } from './peer-link.js';
import { MEMBER_STATES, type Member } from './swim/member.js';
import type { SwimAction, SwimMessage } from './swim/message.js';
import { Swim, type SwimCounts } from './swim/swim.js';

export interface GossipOptions {
  /** This start of this node, as it introduces itself. */
  readonly self: Member;
  readonly random: Random;
  readonly telemetry: Telemetry;
  /** Whether a member is remembered however long it is dead. */
  readonly isKept: (uuid: string) => boolean;
  /** An open link to a member; undefined when there is none now: what was to be said is lost, as a datagram would be. */
  readonly linkTo: (uuid: string) => PeerLink | undefined;
  readonly onChanged: (member: Member, before: Member | undefined) => void;
  /** A later start of this very node counts. */
  readonly onSuperseded: (by: Member) => void;
}

/** Where the answer to a request of a member goes. */
interface Pending {
  readonly answer: Answer;
  readonly correlation: number;
}

/** What the counters of `Swim` are called as metrics. */
const COUNTED: Readonly<Record<keyof SwimCounts, readonly [name: string, help: string]>> = {
  probes: ['gossip_probes_total', 'Members that were asked for a sign of life.'],
  probesFailed: ['gossip_probes_failed_total', 'Probes that nobody answered, the member itself or through others.'],
  relaysAsked: ['gossip_relays_asked_total', 'Members that were asked to try one that did not answer.'],
  suspicions: ['gossip_suspicions_total', 'Members that this node was the first to suspect.'],
  refutations: ['gossip_refutations_total', 'Times that this node was suspected and said that it lives.'],
  deaths: ['gossip_deaths_total', 'Members that this node declared dead.'],
  exchanges: ['gossip_exchanges_total', 'Full exchanges that this node began.'],
};

/**
 * Gossip on the wire: runs the state machine, carries its messages over links between nodes and their answers back. It
 * is silent until the node is admitted (`Introduction`): whoever speaks gossip is the start that counts.
 */
export class Gossip {
  readonly swim: Swim;
  /** Whether this node takes part. */
  speaks = false;
  readonly #options: GossipOptions;
  /** The request that is being answered in this very call. */
  #asked: Pending | undefined;
  /** Probes for others that are under way, by asker and its sequence. */
  readonly #relays: Map<string, Pending> = new Map();
  readonly #counters: (readonly [name: keyof SwimCounts, counter: Counter])[];
  readonly #sentBytes: Counter;
  readonly #sentMessages: Counter;
  readonly #receivedBytes: Counter;
  readonly #receivedMessages: Counter;

  constructor(options: GossipOptions) {
    this.#options = options;
    const { self, random, isKept, telemetry } = options;
    this.swim = new Swim({ self, random, isKept });
    this.#counters = (Object.keys(COUNTED) as (keyof SwimCounts)[]).map((name) => {
      return [name, telemetry.counter(...COUNTED[name])] as const;
    });
    const help = 'of gossip, questions and answers alike';
    this.#sentBytes = telemetry.counter('gossip_sent_bytes_total', `Bytes ${help}.`);
    this.#sentMessages = telemetry.counter('gossip_sent_total', `Messages ${help}.`);
    this.#receivedBytes = telemetry.counter('gossip_received_bytes_total', `Bytes ${help}.`);
    this.#receivedMessages = telemetry.counter('gossip_received_total', `Messages ${help}.`);
    telemetry.gauge('gossip_health', 'How much this node doubts itself: 0 all is well, to 8.', () => {
      return this.swim.health.score;
    });
    for (const state of MEMBER_STATES) {
      const read = (): number => this.#everybody().filter(({ claim }) => claim.state === state).length;
      telemetry.gauge('gossip_members', 'Members that gossip knows, this node included, by state.', read, { state });
    }
  }

  /** Called every `TICK_MS`, or later when this node cannot keep up. */
  tick(monotonicMs: number, wallMs: number): void {
    if (!this.speaks) return;
    this.swim.tick(monotonicMs, wallMs);
    this.#act();
    for (const [name, counter] of this.#counters) counter.value = this.swim.counts[name];
  }

  /** What is known of members from elsewhere: the disk, or a welcome. */
  hear(members: readonly Member[]): void {
    this.swim.hear(members);
    this.#act();
  }

  /** A member gave a sign of life in another way. */
  heard(uuid: string): void {
    if (!this.speaks) return;
    this.swim.heard(uuid);
    this.#act();
  }

  /** Tells a member what this node is, and rumors. */
  greet(link: PeerLink): void {
    if (this.speaks && link.peer !== undefined) {
      this.#write(link, { kind: 'ping', sequence: 0, members: this.swim.newsFor(link.peer.identity) });
    }
  }

  exchangeWith(uuid: string): void {
    this.swim.exchangeWith(uuid);
    this.#act();
  }

  /** Says good-bye over those links: nobody needs to suspect this node. */
  leave(links: readonly PeerLink[]): void {
    this.swim.leave();
    for (const link of links) this.greet(link);
  }

  /** All that this node knows, itself included. */
  everything(): Uint8Array {
    return encodeMembers(this.#everybody());
  }

  /** A gossip frame of a member. Throws `ProtocolError` when it is malformed. */
  onRequest(
    from: string,
    answer: Answer,
    opcode: number,
    correlation: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
  ): void {
    this.#count(end - start + FRAME_HEADER_BYTES);
    const message = readRequest(opcode, correlation, bytes, view, start, end);
    if (message.kind !== 'relay') isFrom(from, message.members, start);
    if (!this.speaks) {
      answer.refuse(opcode, correlation, 'not-founded', 'this node waits to be admitted to its cluster');
      return;
    }
    if (message.kind === 'relay') {
      const name = `${from} ${correlation}`;
      // A start that is over asked the same a moment ago: its sequence began at 1 too.
      if (this.#relays.has(name)) {
        answer.body(opcode, correlation, encodeRelayed(false, []));
        return;
      }
      this.#relays.set(name, { answer, correlation });
    }
    this.#asked = { answer, correlation };
    this.swim.receive(from, message);
    this.#act();
    this.#asked = undefined;
  }

  /** A reply on a link. True when it was gossip. Throws `ProtocolError` when it is malformed. */
  onReply(link: PeerLink, bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    const opcode = frameOpcode(view, start);
    if (opcode !== Opcode.gossipPing && opcode !== Opcode.gossipExchange && opcode !== Opcode.gossipRelay) return false;
    this.#count(end - start);
    const from = link.peer?.identity;
    if ((frameFlags(view, start) & Flag.error) !== 0 || from === undefined || !this.speaks) return true;
    const sequence = frameCorrelation(view, start);
    const body = start + FRAME_HEADER_BYTES;
    if (opcode === Opcode.gossipRelay) {
      const { reached, members } = decodeRelayed(bytes, view, body, end);
      this.swim.receive(from, { kind: 'relayed', sequence, reached, members });
    } else {
      const members = decodeMembers(bytes, view, body, end);
      isFrom(from, members, body);
      if (opcode === Opcode.gossipPing) this.swim.receive(from, { kind: 'ack', sequence, members });
      else this.swim.receive(from, { kind: 'exchanged', members });
    }
    this.#act();
    return true;
  }

  #act(): void {
    for (const action of this.swim.takeActions()) this.#perform(action);
  }

  #perform(action: SwimAction): void {
    switch (action.kind) {
      case 'changed':
        this.#options.onChanged(action.member, action.before);
        return;
      case 'superseded':
        this.#options.onSuperseded(action.by);
        return;
      case 'send':
        this.#send(action.to, action.message);
        return;
    }
  }

  #send(to: string, message: SwimMessage): void {
    if (!this.speaks) return;
    switch (message.kind) {
      case 'ack':
        this.#answer(this.#asked, Opcode.gossipPing, encodeMembers(message.members));
        return;
      case 'exchanged':
        this.#answer(this.#asked, Opcode.gossipExchange, encodeMembers(message.members));
        return;
      case 'relayed': {
        const name = `${to} ${message.sequence}`;
        const asked = this.#relays.get(name);
        this.#relays.delete(name);
        this.#answer(asked, Opcode.gossipRelay, encodeRelayed(message.reached, message.members));
        return;
      }
      case 'ping':
      case 'relay':
      case 'exchange': {
        const link = this.#options.linkTo(to);
        if (link !== undefined) this.#write(link, message);
        return;
      }
    }
  }

  #answer(to: Pending | undefined, opcode: number, body: Uint8Array): void {
    this.#countSent(body);
    to?.answer.body(opcode, to.correlation, body);
  }

  #write(link: PeerLink, message: SwimMessage & { readonly kind: 'ping' | 'relay' | 'exchange' }): void {
    const { opcode, correlation, body } = requestOf(message);
    this.#countSent(body);
    const at = link.begin(opcode, 0, correlation, 0, body.length);
    link.out.bytes.set(body, at);
  }

  #count(bytes: number): void {
    this.#receivedMessages.value++;
    this.#receivedBytes.value += bytes;
  }

  #countSent(body: Uint8Array): void {
    this.#sentMessages.value++;
    this.#sentBytes.value += FRAME_HEADER_BYTES + body.length;
  }

  #everybody(): Member[] {
    return [this.swim.self, ...this.swim.others.values()];
  }
}

function requestOf(message: SwimMessage & { readonly kind: 'ping' | 'relay' | 'exchange' }): {
  readonly opcode: number;
  readonly correlation: number;
  readonly body: Uint8Array;
} {
  switch (message.kind) {
    case 'ping':
      return { opcode: Opcode.gossipPing, correlation: message.sequence, body: encodeMembers(message.members) };
    case 'relay': {
      const body = encodeRelay(message.target, message.members);
      return { opcode: Opcode.gossipRelay, correlation: message.sequence, body };
    }
    case 'exchange':
      return { opcode: Opcode.gossipExchange, correlation: 0, body: encodeMembers(message.members) };
  }
}

function readRequest(
  opcode: number,
  sequence: number,
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): SwimMessage & { readonly kind: 'ping' | 'relay' | 'exchange' } {
  if (opcode === Opcode.gossipRelay) return { kind: 'relay', sequence, ...decodeRelay(bytes, view, start, end) };
  const members = decodeMembers(bytes, view, start, end);
  return opcode === Opcode.gossipPing ? { kind: 'ping', sequence, members } : { kind: 'exchange', members };
}

/** Whoever speaks says first who it is, and is who it proved to be. */
function isFrom(from: string, members: readonly Member[], at: number): void {
  if (members[0]?.uuid === from) return;
  throw new ProtocolError('bad-request', at, `${from} speaks for ${members[0]?.uuid ?? 'nobody'}`);
}

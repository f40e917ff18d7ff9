import type { WireTopology } from '@memdb/protocol';
import {
  decodeErrorBody,
  decodeTopology,
  encodeRequest,
  encodeTopology,
  Flag,
  FRAME_HEADER_BYTES,
  frameEpoch,
  frameFlags,
  frameOpcode,
  Opcode,
} from '@memdb/protocol';
import type { Answer } from '../membership/answer.js';
import { PeerLink, type PeerLinkContext } from '../membership/peer-link.js';
import { formatAddress, parseAddress } from '../ports/address.js';
import type { Timer, Timers } from '../ports/timers.js';
import type { Address } from '../ports/transport.js';
import type { Store } from '../storage/store.js';
import { EPOCH_META } from './epochs.js';
import { composeFirstEpoch, type Placing } from './first-epoch.js';
import {
  decodeFounder,
  decodePledge,
  encodeFounder,
  encodePledge,
  type NodeRecord,
  type Pledge,
  samePledge,
} from './pledge.js';

export interface FoundingOptions {
  readonly self: NodeRecord;
  readonly seeds: readonly Address[];
  /** How many of the first seeds form epoch 1. */
  readonly founders: number;
  readonly placing: Placing;
  readonly store: Store;
  readonly timers: Timers;
  readonly link: PeerLinkContext;
  /** An epoch that names this node is known and durable. Called once. */
  readonly onFounded: (topology: WireTopology) => void;
  /** The cluster lets this node go, or let it go before: there is nothing to wait for. */
  readonly onRemoved: (topology: WireTopology) => void;
}

/** What this node is doing about a cluster. Changed by `Founding.#become` only. */
type FoundingState =
  | { readonly kind: 'idle' }
  /** The only founder, asking the other seeds first: it may have lost its disk, and the cluster be there. */
  | { readonly kind: 'inquiring'; readonly unanswered: Set<PeerLink> }
  /** The first founder, collecting pledges: by address. */
  | { readonly kind: 'leading'; readonly pledge: Pledge; readonly pledged: Map<string, NodeRecord> }
  /** The first founder, once epoch 1 is composed and until it is durable: it is never composed a second time. */
  | { readonly kind: 'composed' }
  /** Another founder, or a node that is waiting to hear of a cluster. */
  | { readonly kind: 'following' }
  /** A node that asks a cluster to be admitted; the newest epoch that it was shown. */
  | { readonly kind: 'joining'; readonly shown: WireTopology }
  | { readonly kind: 'founded'; readonly topology: WireTopology };

const PLEDGE_META = 'pledge';
/** The cluster that this node asked to join: it founds none from then on. */
const JOINING_META = 'joining';
/** How often a node without a cluster asks its contacts again. */
const RETRY_MS = 300;
/** How often a node asks to be admitted: it is held for gone when it does not. */
const JOIN_AGAIN_MS = 1000;
/** How long the only founder waits for the other seeds, which may know a cluster already. */
const INQUIRE_MS = 1500;
/** Members beside the seeds that a joining node asks too: the seeds may die before it is admitted. */
const CONTACTS_MAX = 8;

/**
 * Forms the first epoch exactly once (mechanisms: Epochs, Founding). The founders are the first entries of the seeds;
 * each pledges once, durably, to that set and its leader; when all have pledged, the leader composes epoch 1.
 *
 * A node that is no founder, or finds that its seeds are in a cluster, asks to join that.
 *
 * Invariants: a founder pledges to one leader and one set only, for the life of its directory; epoch 1 is composed only
 * by a leader that holds the pledges of all; a node without a pledge of its own founds nothing, and one that asked to
 * join does not either.
 */
export class Founding {
  readonly #options: FoundingOptions;
  readonly #links: PeerLink[] = [];
  #state: FoundingState = { kind: 'idle' };
  #timer: Timer | undefined;
  #complained = '';

  constructor(options: FoundingOptions) {
    this.#options = options;
  }

  get topology(): WireTopology | undefined {
    return this.#state.kind === 'founded' ? this.#state.topology : undefined;
  }

  /** What a person should know while there is no cluster. */
  get waitingFor(): string {
    const state = this.#state;
    if (state.kind === 'composed') return 'the disk';
    if (state.kind === 'joining') return `to be admitted to the cluster of ${state.shown.nodes.length} nodes`;
    if (state.kind !== 'leading')
      return `an answer from the seeds ${this.#options.seeds.map(formatAddress).join(', ')}`;
    const missing = state.pledge.founders.filter((founder) => !state.pledged.has(founder));
    return `the founders ${missing.join(', ')}`;
  }

  /** Takes up the epoch of an earlier run, founds a cluster, or waits for one. */
  start(): void {
    const { store, seeds, founders, self } = this.#options;
    const known = store.meta(EPOCH_META);
    if (known !== undefined) {
      const topology = decodeStored(known);
      if (topology.nodes.some((node) => node.uuid === self.uuid)) this.#adopt(topology);
      else this.#options.onRemoved(topology);
      return;
    }
    const names = seeds.length === 0 ? [self.address] : seeds.slice(0, founders).map(formatAddress);
    if (names[0] !== self.address || store.meta(JOINING_META) !== undefined) this.#follow();
    else if (names.length === 1 && seeds.length > 1 && store.meta(PLEDGE_META) === undefined) this.#inquire(names);
    else this.#lead(names);
  }

  stop(): void {
    if (this.#timer !== undefined) this.#options.timers.stop(this.#timer);
    for (const link of this.#links.splice(0)) link.close();
  }

  /** End of turn. */
  flush(): void {
    for (const link of this.#links) link.flush();
  }

  /** The leader asks this node to pledge. */
  onPledgeRequest(answer: Answer, correlation: number, body: Uint8Array): void {
    const { store, seeds, founders, self } = this.#options;
    const asked = decodePledge(body);
    if (this.#state.kind === 'founded' || this.#state.kind === 'joining' || store.meta(JOINING_META) !== undefined) {
      answer.refuse(
        Opcode.pledge,
        correlation,
        'wrong-cluster',
        `${self.address} already belongs to a cluster; empty seeds or directories are mixed up`,
      );
      return;
    }
    const expected = seeds.slice(0, founders).map(formatAddress);
    if (asked.founders.join() !== expected.join()) {
      answer.refuse(
        Opcode.pledge,
        correlation,
        'wrong-cluster',
        `${self.address} is configured with the founders ${expected.join(', ')}, not ${asked.founders.join(', ')}; make cluster.seeds and cluster.founders the same on all founders`,
      );
      return;
    }
    const made = store.meta(PLEDGE_META);
    if (made !== undefined && !samePledge(decodePledge(made), asked)) {
      answer.refuse(
        Opcode.pledge,
        correlation,
        'wrong-cluster',
        `${self.address} has pledged to another leader or cluster; if that one is gone for good, empty the data directories of all founders`,
      );
      return;
    }
    if (made === undefined) store.putMeta(PLEDGE_META, encodePledge(asked));
    store.syncNow(() => answer.body(Opcode.pledge, correlation, encodeFounder(self)));
  }

  /** Somebody made the first epoch known. */
  onAnnounced(answer: Answer, correlation: number, body: Uint8Array): void {
    const refusal = this.#consider(body);
    if (refusal === undefined) answer.body(Opcode.announceEpoch, correlation, new Uint8Array(0));
    else answer.refuse(Opcode.announceEpoch, correlation, 'wrong-cluster', refusal);
  }

  /** Asks the other seeds for a cluster before founding one alone; those that are away do not keep it from that. */
  #inquire(names: readonly string[]): void {
    const unanswered = new Set<PeerLink>();
    this.#state = { kind: 'inquiring', unanswered };
    this.#contactSeeds();
    for (const link of this.#links) unanswered.add(link);
    this.#timer = this.#options.timers.start(INQUIRE_MS, () => this.#lead(names));
  }

  #lead(names: readonly string[]): void {
    const { store, self, link } = this.#options;
    this.#stopTimer();
    const made = store.meta(PLEDGE_META);
    const clusterId = new Uint8Array(16);
    link.random.fill(clusterId);
    const pledge = made === undefined ? { leader: self.uuid, clusterId, founders: names } : decodePledge(made);
    if (made === undefined) store.putMeta(PLEDGE_META, encodePledge(pledge));
    this.#state = { kind: 'leading', pledge, pledged: new Map([[self.address, self]]) };
    store.syncNow(() => {
      if (this.#state.kind !== 'leading') return;
      if (pledge.founders.length === 1) this.#compose();
      else {
        for (const name of pledge.founders.slice(1)) this.#contact(parseAddress(name));
        this.#contactSeeds();
      }
    });
    this.#retry();
  }

  #follow(): void {
    this.#state = { kind: 'following' };
    this.#contactSeeds();
    this.#retry();
  }

  #contactSeeds(): void {
    for (const seed of this.#options.seeds) this.#contact(seed);
  }

  #retry(): void {
    const againMs = this.#state.kind === 'joining' ? JOIN_AGAIN_MS : RETRY_MS;
    this.#timer = this.#options.timers.start(againMs, () => {
      if (this.#state.kind === 'founded') return;
      this.#ask();
      this.#retry();
    });
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#options.timers.stop(this.#timer);
  }

  /** Asks all contacts for what is missing. */
  #ask(): void {
    switch (this.#state.kind) {
      case 'leading':
        this.#askPledge();
        this.#askTopology();
        return;
      case 'inquiring':
      case 'following':
        this.#askTopology();
        return;
      case 'joining':
        this.#askToJoin();
        return;
      case 'idle':
      case 'composed':
      case 'founded':
        return;
    }
  }

  #contact(address: Address): void {
    const name = formatAddress(address);
    const isKnown = this.#links.some((link) => formatAddress(link.address) === name);
    if (isKnown || name === this.#options.self.address) return;
    const link = new PeerLink(0, () => address, this.#options.link, {
      onUp: () => this.#ask(),
      onDown: () => {},
      onFrame: (from, bytes, view, start, end) => this.#onReply(from, bytes, view, start, end),
    });
    this.#links.push(link);
    link.open();
  }

  #askPledge(): void {
    if (this.#state.kind !== 'leading') return;
    const { pledge, pledged } = this.#state;
    const body = encodePledge(pledge);
    for (const link of this.#links) {
      const name = formatAddress(link.address);
      if (link.isUp && pledge.founders.includes(name) && !pledged.has(name)) send(link, Opcode.pledge, body);
    }
  }

  #askTopology(): void {
    for (const link of this.#links) if (link.isUp) send(link, Opcode.topology, new Uint8Array(0));
  }

  /** Through one contact; the others only say whether there is a newer epoch. */
  #askToJoin(): void {
    const up = this.#links.filter((link) => link.isUp);
    if (up.length === 0) return;
    const { self, link } = this.#options;
    const contact = up[link.random.uint32() % up.length];
    send(contact, Opcode.epochChange, encodeRequest({ kind: 'join', record: self }));
    for (const other of up) if (other !== contact) send(other, Opcode.ping, new Uint8Array(0));
  }

  #onReply(link: PeerLink, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const opcode = frameOpcode(view, start);
    const body = start + FRAME_HEADER_BYTES;
    if (this.#state.kind === 'joining' && opcode !== Opcode.topology) {
      if (frameEpoch(view, start) > this.#state.shown.epoch) send(link, Opcode.topology, new Uint8Array(0));
    }
    if ((frameFlags(view, start) & Flag.error) !== 0) {
      const error = decodeErrorBody(bytes, view, body, end);
      if (error.code !== 'not-founded') this.#complain(error.message);
      else this.#onNotFounded(link);
      return;
    }
    if (opcode === Opcode.pledge) this.#onPledged(link, bytes.slice(body, end));
    else if (opcode === Opcode.topology) {
      const refusal = this.#consider(bytes.slice(body, end));
      if (refusal !== undefined) this.#complain(refusal);
    }
  }

  #onNotFounded(link: PeerLink): void {
    if (this.#state.kind !== 'inquiring') return;
    this.#state.unanswered.delete(link);
    if (this.#state.unanswered.size === 0) this.#lead([this.#options.self.address]);
  }

  #onPledged(link: PeerLink, body: Uint8Array): void {
    if (this.#state.kind !== 'leading') return;
    const founder = decodeFounder(body);
    const name = formatAddress(link.address);
    if (founder.address !== name) {
      this.#complain(
        `the founder at ${name} advertises itself as ${founder.address}; use one address for it everywhere`,
      );
      return;
    }
    this.#state.pledged.set(name, founder);
    if (this.#state.pledged.size === this.#state.pledge.founders.length) this.#compose();
  }

  #compose(): void {
    if (this.#state.kind !== 'leading') return;
    const { pledge, pledged } = this.#state;
    const { store, placing, link } = this.#options;
    const founders = pledge.founders.flatMap((name) => pledged.get(name) ?? []);
    if (founders.length !== pledge.founders.length) throw new Error('epoch 1 composed without all pledges');
    const topology = composeFirstEpoch(pledge.clusterId, founders, placing, link.random.uint32());
    const encoded = encodeTopology(topology);
    // A founder that was asked twice pledges twice: its second answer must not make a second epoch 1.
    this.#state = { kind: 'composed' };
    store.putMeta(EPOCH_META, encoded);
    store.syncNow(() => {
      for (const other of this.#links) if (other.isUp) send(other, Opcode.announceEpoch, encoded);
      this.#adopt(topology);
    });
  }

  /** Somebody showed an epoch: taken up when it names this node, which asks to join otherwise. Returns why neither. */
  #consider(encoded: Uint8Array): string | undefined {
    const state = this.#state;
    if (state.kind === 'founded' || state.kind === 'composed') return undefined;
    const { store, self, onRemoved } = this.#options;
    const topology = decodeStored(encoded);
    const made = store.meta(PLEDGE_META);
    const pledge = made === undefined ? undefined : decodePledge(made);
    // A leader may give up what it alone can compose; whoever pledged to another one is bound to that.
    const isBound = pledge !== undefined && pledge.leader !== self.uuid;
    if (isBound && Buffer.compare(pledge.clusterId, topology.clusterId) !== 0) {
      return `${self.address} has pledged to another cluster than the one its seeds are in`;
    }
    const wanted = store.meta(JOINING_META);
    if (wanted !== undefined && Buffer.compare(wanted, topology.clusterId) !== 0) {
      return `${self.address} asked another cluster to join than the one its seeds are in; empty its data directory to start over`;
    }
    if (topology.removed.some(({ uuid }) => uuid === self.uuid)) {
      this.stop();
      onRemoved(topology);
    } else if (topology.nodes.some((node) => node.uuid === self.uuid)) {
      store.putMeta(EPOCH_META, encoded);
      store.syncNow(() => this.#adopt(topology));
    } else this.#join(topology);
    return undefined;
  }

  /** From now on this node founds nothing: that is durable before it asks. */
  #join(topology: WireTopology): void {
    const { store, link } = this.#options;
    const state = this.#state;
    if (state.kind === 'joining') {
      if (topology.epoch > state.shown.epoch) this.#state = { kind: 'joining', shown: topology };
      return;
    }
    this.#stopTimer();
    this.#state = { kind: 'joining', shown: topology };
    store.putMeta(JOINING_META, topology.clusterId);
    store.syncNow(() => {
      if (this.#state.kind !== 'joining') return;
      link.telemetry.log('info', 'joining', { epoch: topology.epoch, members: topology.nodes.length });
      for (const { address } of topology.nodes.slice(0, CONTACTS_MAX)) this.#contact(parseAddress(address));
      this.#ask();
      this.#retry();
    });
  }

  #adopt(topology: WireTopology): void {
    if (this.#state.kind === 'founded') return;
    this.#state = { kind: 'founded', topology };
    // In a later turn: the announcements that stand in the links' buffers leave first.
    this.#timer = this.#options.timers.start(RETRY_MS, () => this.stop());
    this.#options.onFounded(topology);
  }

  /** Says once what is wrong, and again only when it changes. */
  #complain(message: string): void {
    if (this.#complained === message) return;
    this.#complained = message;
    this.#options.link.telemetry.log('warn', 'founding-waits', { message });
  }
}

function send(link: PeerLink, opcode: number, body: Uint8Array): void {
  const at = link.begin(opcode, 0, 0, 0, body.length);
  link.out.bytes.set(body, at);
}

function decodeStored(bytes: Uint8Array): WireTopology {
  return decodeTopology(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length);
}

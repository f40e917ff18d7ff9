import type { WireTopology } from '@memdb/protocol';
import {
  decodeErrorBody,
  decodeTopology,
  encodeTopology,
  Flag,
  FRAME_HEADER_BYTES,
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
  /** The first epoch is known and durable. Called once. */
  readonly onFounded: (topology: WireTopology) => void;
}

/** What this node is doing about a cluster. Changed by `Founding.#become` only. */
type FoundingState =
  | { readonly kind: 'idle' }
  /** The first founder, collecting pledges: by address. */
  | { readonly kind: 'leading'; readonly pledge: Pledge; readonly pledged: Map<string, NodeRecord> }
  /** The first founder, once epoch 1 is composed and until it is durable: it is never composed a second time. */
  | { readonly kind: 'composed' }
  /** Another founder, or a node that is waiting to hear of a cluster it is a member of. */
  | { readonly kind: 'following' }
  | { readonly kind: 'founded'; readonly topology: WireTopology };

const PLEDGE_META = 'pledge';
/** How often a node without a cluster asks its contacts again. */
const RETRY_MS = 300;

/**
 * Forms the first epoch exactly once (mechanisms: Epochs, Founding). The founders are the first entries of the seeds;
 * each pledges once, durably, to that set and its leader; when all have pledged, the leader composes epoch 1.
 *
 * Invariants: a founder pledges to one leader and one set only, for the life of its directory; epoch 1 is composed only
 * by a leader that holds the pledges of all; a node without a pledge of its own founds nothing.
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
      this.#adopt(decodeStored(known));
      return;
    }
    const names = seeds.length === 0 ? [self.address] : seeds.slice(0, founders).map(formatAddress);
    if (names[0] === self.address) this.#lead(names);
    else this.#follow();
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
    if (this.#state.kind === 'founded') {
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

  #lead(names: readonly string[]): void {
    const { store, self, link } = this.#options;
    const made = store.meta(PLEDGE_META);
    const clusterId = new Uint8Array(16);
    link.random.fill(clusterId);
    const pledge = made === undefined ? { leader: self.uuid, clusterId, founders: names } : decodePledge(made);
    if (made === undefined) store.putMeta(PLEDGE_META, encodePledge(pledge));
    this.#state = { kind: 'leading', pledge, pledged: new Map([[self.address, self]]) };
    store.syncNow(() => {
      if (pledge.founders.length === 1) this.#compose();
      else for (const name of pledge.founders.slice(1)) this.#contact(parseAddress(name), () => this.#askPledge());
    });
    this.#retry(() => this.#askPledge());
  }

  #follow(): void {
    const { seeds, self } = this.#options;
    this.#state = { kind: 'following' };
    for (const seed of seeds) if (formatAddress(seed) !== self.address) this.#contact(seed, () => this.#askTopology());
    this.#retry(() => this.#askTopology());
  }

  #retry(ask: () => void): void {
    this.#timer = this.#options.timers.start(RETRY_MS, () => {
      if (this.#state.kind === 'founded') return;
      ask();
      this.#retry(ask);
    });
  }

  #contact(address: Address, onUp: () => void): void {
    const link = new PeerLink(0, () => address, this.#options.link, {
      onUp,
      onDown: () => {},
      onFrame: (from, bytes, view, start, end) => this.#onReply(from, bytes, view, start, end),
    });
    this.#links.push(link);
    link.open();
  }

  #askPledge(): void {
    if (this.#state.kind !== 'leading') return;
    const body = encodePledge(this.#state.pledge);
    for (const link of this.#links) {
      if (link.isUp && !this.#state.pledged.has(formatAddress(link.address))) send(link, Opcode.pledge, body);
    }
  }

  #askTopology(): void {
    for (const link of this.#links) if (link.isUp) send(link, Opcode.topology, new Uint8Array(0));
  }

  #onReply(link: PeerLink, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const opcode = frameOpcode(view, start);
    const body = start + FRAME_HEADER_BYTES;
    if ((frameFlags(view, start) & Flag.error) !== 0) {
      const error = decodeErrorBody(bytes, view, body, end);
      if (error.code !== 'not-founded') this.#complain(error.message);
      return;
    }
    if (opcode === Opcode.pledge) this.#onPledged(link, bytes.slice(body, end));
    else if (opcode === Opcode.topology) {
      const refusal = this.#consider(bytes.slice(body, end));
      if (refusal !== undefined) this.#complain(refusal);
    }
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

  /** Somebody showed an epoch: taken up when this node is a member. Returns why it is not. */
  #consider(encoded: Uint8Array): string | undefined {
    if (this.#state.kind === 'founded') return undefined;
    const { store, self } = this.#options;
    const topology = decodeStored(encoded);
    const made = store.meta(PLEDGE_META);
    if (made !== undefined && Buffer.compare(decodePledge(made).clusterId, topology.clusterId) !== 0) {
      return `${self.address} has pledged to another cluster than the one its seeds are in`;
    }
    if (!topology.nodes.some((node) => node.uuid === self.uuid)) {
      return `${self.address} is not a member of the cluster its seeds are in; it keeps waiting to be admitted`;
    }
    store.putMeta(EPOCH_META, encoded);
    store.syncNow(() => this.#adopt(topology));
    return undefined;
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

import type { WireTopology } from '@memdb/protocol';
import { frameEpoch, Opcode } from '@memdb/protocol';
import type { PeerLink } from '../../membership/peer-link.js';
import type { LamportClock } from '../../model/lamport-clock.js';
import { AUDIT_TICK_MS } from '../../model/limits.js';
import type { Telemetry } from '../../ports/telemetry.js';
import type { Timer, Timers } from '../../ports/timers.js';
import type { Turn } from '../../ports/turn.js';
import type { LostKey } from '../../storage/lost-keys.js';
import type { Store } from '../../storage/store.js';
import type { ReplicaSets } from '../../topology/replica-sets.js';
import { type AuditCounters, auditCounters } from './audit-counters.js';
import { PeerAudit } from './peer-audit.js';
import { Purger } from './purger.js';

const MS_PER_SECOND = 1000;

export interface AuditOptions {
  readonly self: number;
  readonly topology: WireTopology;
  readonly sets: ReplicaSets;
  readonly store: Store;
  readonly lamport: LamportClock;
  readonly turn: Turn;
  readonly timers: Timers;
  readonly telemetry: Telemetry;
  /** By member number. */
  readonly links: readonly (PeerLink | undefined)[];
  /** Versions that this node had coordinated, and lost in a crash, came back. */
  readonly onReturned: () => void;
}

/** Compares what this node holds with the other owners of its partitions, and purges on what it found. */
export class Audit {
  /** By member number. */
  readonly peers: (PeerAudit | undefined)[] = [];
  purger: Purger;
  readonly #options: AuditOptions;
  readonly #counters: AuditCounters;
  /** By partition that this node owns: whose evidence a purge needs. */
  #others: Map<number, readonly number[]> = new Map();
  /** Members of which there is a gauge. */
  readonly #measured: Set<number> = new Set();
  #timer: Timer | undefined;

  constructor(options: AuditOptions) {
    this.#options = options;
    const { topology, store, turn, telemetry } = options;
    this.#counters = auditCounters(telemetry);
    telemetry.gauge('purge_oldest_seconds', 'How long the partition that waits longest has not been purged.', () => {
      return this.purger.oldestMs(turn.nowMs) / MS_PER_SECOND;
    });
    telemetry.gauge('audit_differing_partitions', 'Partitions that differ from a peer and are being looked into.', () =>
      this.peers.reduce((sum, peer) => sum + (peer?.differing ?? 0), 0),
    );
    store.audit.scrub.onLost = (partition) => {
      for (const peer of this.peers) peer?.evidence.void(partition);
      if (this.#others.get(partition)?.length !== 0) return;
      telemetry.log('error', 'records-lost', {
        partition,
        message: `A damaged record of partition ${partition} has no other copy. Its key is refused until it is written again.`,
      });
    };
    telemetry.gauge('lost_keys', 'Keys whose newest version was damaged here and has not come back yet.', () => {
      return [...this.#others.keys()].reduce((sum, partition) => sum + store.audit.lostIn(partition).length, 0);
    });
    this.purger = this.#configure(topology);
    this.#tick();
  }

  /**
   * Another epoch is in force. Evidence of an earlier one is void: who owns what may be another, and whoever became an
   * owner holds nothing yet. While a partition changes owners it is not purged, for want of evidence about the new ones;
   * nor while somebody who owned it has not said that it is rid of it (`onReleased`).
   */
  onEpoch(topology: WireTopology): void {
    this.purger = this.#configure(topology);
  }

  #configure(topology: WireTopology): Purger {
    const { self, sets, store, turn, links } = this.#options;
    this.#others = new Map();
    const shared = new Map<number, number[]>();
    const former = new Map<number, number[]>();
    for (const { partition, node } of topology.former) former.set(partition, [...(former.get(partition) ?? []), node]);
    for (let partition = 0; partition < topology.partitions; partition++) {
      const set = sets.ofPartition(partition);
      if (!set.coordinates) continue;
      const others = new Set([...set.members, ...(former.get(partition) ?? [])]);
      others.delete(self);
      this.#others.set(partition, [...others]);
      for (const owner of sets.preference(partition)) shared.set(owner, [...(shared.get(owner) ?? []), partition]);
    }
    for (const peer of this.peers) peer?.close();
    this.peers.length = 0;
    for (const { number } of topology.nodes) {
      if (number === self) continue;
      const peer = new PeerAudit({
        store,
        counters: this.#counters,
        shared: shared.get(number) ?? [],
        partitions: topology.partitions,
        onEqual: (partition) => {
          this.purger.onEqual(partition);
          const owners = [...sets.preference(partition)].filter((owner) => owner !== self);
          for (const key of store.audit.lostIn(partition)) this.#settle(key, owners);
        },
        self,
        onFetched: (returned) => {
          if (returned) this.#options.onReturned();
          turn.wake();
        },
      });
      this.peers[number] = peer;
      const link = links[number];
      if (link?.isUp === true) peer.open(link);
      this.#measure(number);
    }
    return new Purger({ ...this.#options, counters: this.#counters, others: this.#others, peers: this.peers });
  }

  #measure(member: number): void {
    if (this.#measured.has(member)) return;
    this.#measured.add(member);
    this.#options.telemetry.gauge(
      'purge_blocked_partitions',
      'Partitions that cannot be purged for want of a comparison with this member.',
      () => this.purger.blockedBy(member),
      { member },
    );
  }

  /** A former owner has said in this epoch that it is rid of the partition: nothing depends on it any more. */
  onReleased(partition: number, node: number): void {
    if (this.#options.sets.ofPartition(partition).members.includes(node)) return;
    const others = this.#others.get(partition);
    if (others?.includes(node) === true)
      this.#others.set(
        partition,
        others.filter((other) => other !== node),
      );
  }

  stop(): void {
    if (this.#timer !== undefined) this.#options.timers.stop(this.#timer);
    for (const peer of this.peers) peer?.close();
  }

  onUp(link: PeerLink): void {
    this.peers[link.number]?.open(link);
  }

  onDown(link: PeerLink): void {
    this.peers[link.number]?.close();
  }

  /** A reply on a peer link to something that the audit asked. */
  onReply(link: PeerLink, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    if (frameEpoch(view, start) !== this.#options.sets.epoch) return;
    this.peers[link.number]?.onReply(bytes, view, start, end, this.#options.turn.nowMs);
  }

  /** Once this node has compared equal with every other owner since it lost a key, it knows what they know of it. */
  #settle(key: LostKey, members: readonly number[]): void {
    if (members.some((member) => this.peers[member]?.evidence.of(key.partition) === 0)) return;
    const { store, telemetry } = this.#options;
    const back = store.audit.settleLost(key);
    telemetry.log(back ? 'warn' : 'error', back ? 'record-refilled' : 'record-lost', {
      file: key.file,
      offset: key.offset,
      message: back
        ? `The record at byte ${key.offset} of ${key.file} came back from another replica.`
        : `The record at byte ${key.offset} of ${key.file} is lost: no other replica holds a version of its key.`,
    });
  }

  readonly #tick = (): void => {
    const { timers, turn } = this.#options;
    for (const peer of this.peers) peer?.tick(turn.nowMs);
    this.purger.tick(turn.nowMs, turn.wallMs);
    this.#timer = timers.start(AUDIT_TICK_MS, this.#tick);
  };
}

/** Whether a frame belongs to the audit. */
export function isAuditOpcode(opcode: number): boolean {
  return opcode >= Opcode.auditRoots && opcode <= Opcode.auditFetch;
}

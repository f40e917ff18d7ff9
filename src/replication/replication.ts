import type { WireTopology } from '@memdb/protocol';
import { Flag, frameCorrelation, frameEpoch, frameFlags, frameOpcode, Opcode, partitionOfHash } from '@memdb/protocol';
import type { PeerLink } from '../membership/peer-link.js';
import { recordHash } from '../model/counter-entry.js';
import type { LamportClock } from '../model/lamport-clock.js';
import { EXPIRY_SLOTS_PER_TICK, SWEEP_INTERVAL_MS, WARM_KEYS_MIN } from '../model/limits.js';
import { RecordKind } from '../model/record.js';
import type { Random } from '../ports/random.js';
import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Timer, Timers } from '../ports/timers.js';
import type { Turn } from '../ports/turn.js';
import type { LogCursor } from '../storage/log-cursor.js';
import type { Durability, Store } from '../storage/store.js';
import { OwnedSince } from '../topology/owned-since.js';
import { ReplicaSets } from '../topology/replica-sets.js';
import { Audit, isAuditOpcode } from './audit/audit.js';
import { Counters } from './counters/counters.js';
import { CURSOR_SAVE_INTERVAL_MS, Cursors } from './cursors.js';
import { type EvictionLimits, Evictor } from './evictor.js';
import { Forwarder } from './forwarder.js';
import type { HeldReplies } from './held-replies.js';
import { LocalReads } from './local-reads.js';
import { PeerStream } from './peer-stream.js';
import { ReadCoordinator } from './read-coordinator.js';
import type { Replica } from './replica.js';
import type { Replies } from './replies.js';
import { ScanCoordinator } from './scan-coordinator.js';
import { ScanPages } from './scan-pages.js';
import { SerialReplication } from './serial/serial-replication.js';
import { WriteCoordinator } from './write-coordinator.js';

export interface ReplicationOptions {
  readonly self: number;
  readonly topology: WireTopology;
  readonly store: Store;
  readonly lamport: LamportClock;
  readonly replies: Replies;
  readonly held: HeldReplies;
  readonly replica: Replica;
  readonly turn: Turn;
  readonly timers: Timers;
  readonly telemetry: Telemetry;
  /** Undefined when nothing is evicted. */
  readonly eviction: EvictionLimits | undefined;
  readonly random: Random;
  readonly durability: Durability;
  /** Restart count of the data directory. */
  readonly generation: number;
  /** By member number. */
  readonly links: readonly (PeerLink | undefined)[];
  readonly reachable: (member: number) => boolean;
}

/** The coordinator of one node: writes, reads, forwarding, and a stream to every other member. */
export class Replication {
  readonly sets: ReplicaSets;
  readonly hashSeed: number;
  readonly writes: WriteCoordinator;
  readonly reads: ReadCoordinator;
  readonly localReads: LocalReads;
  readonly forwarder: Forwarder;
  readonly counters: Counters;
  readonly serial: SerialReplication;
  readonly audit: Audit;
  readonly #evictor: Evictor | undefined;
  /** Makes this replica's pages of scans. */
  readonly scanPages: ScanPages;
  readonly scans: ScanCoordinator;
  /** By member number. */
  readonly streams: (PeerStream | undefined)[] = [];
  readonly #options: ReplicationOptions;
  readonly #cursors: Cursors;
  readonly #ownedSince: OwnedSince;
  #topology: WireTopology;
  readonly #refusedStreams: Counter;
  #sweepTimer: Timer | undefined;
  #cursorTimer: Timer | undefined;

  constructor(options: ReplicationOptions) {
    this.#options = options;
    const { topology, self, store, timers } = options;
    this.#topology = topology;
    this.hashSeed = topology.hashSeed;
    this.sets = new ReplicaSets(topology, self);
    this.#cursors = new Cursors(store);
    this.#ownedSince = new OwnedSince(store);
    this.#refusedStreams = options.telemetry.counter(
      'streams_refused_total',
      'Streams to a peer that had no room for what it was sent; each begins again.',
    );
    this.#makeStreams(topology);
    this.forwarder = new Forwarder(options);
    this.serial = new SerialReplication({
      ...options,
      sets: this.sets,
      forwarder: this.forwarder,
      hashSeed: this.hashSeed,
    });
    this.writes = new WriteCoordinator({
      ...options,
      sets: this.sets,
      streams: this.streams,
      onSerial: this.serial.onWrite,
    });
    this.reads = new ReadCoordinator({ ...options, sets: this.sets, onSerial: this.serial.onRead });
    this.counters = new Counters({
      ...options,
      sets: this.sets,
      streams: this.streams,
      onReturned: () => this.onReturned(),
    });
    this.localReads = new LocalReads(options);
    this.audit = new Audit({ ...options, sets: this.sets, onReturned: () => this.onReturned() });
    options.replica.onStored = (node) => {
      if (node === self) this.onReturned();
    };
    this.scanPages = new ScanPages(store.scanWindow, timers, options.turn);
    this.scans = new ScanCoordinator({ ...options, sets: this.sets, hashSeed: this.hashSeed, pages: this.scanPages });
    const { eviction } = options;
    if (eviction !== undefined) {
      this.#evictor = new Evictor({ ...options, limits: eviction, sets: this.sets, streams: this.streams });
    }
    this.#sweep();
    this.#saveCursors();
  }

  /** An epoch is about to be logged, where the log ends at `lsn`: what later starts must know of it is logged before. */
  onLogging(next: WireTopology, lsn: number): void {
    const { self } = this.#options;
    this.#ownedSince.onLogging(this.#topology, next, self, lsn, (peer) => this.#cursors.of(peer));
    const known = new Set(this.#topology.nodes.map(({ number }) => number));
    for (const { number } of next.nodes) if (number !== self && !known.has(number)) this.#cursors.begin(number, lsn);
  }

  /**
   * An epoch is in force; links to its members exist already. Every quorum under way starts again under it, with the stamp
   * that it has (mechanisms: Epochs).
   */
  onEpoch(topology: WireTopology): void {
    const lowest = Math.min(this.writes.readLsn, this.counters.adds.readLsn);
    this.#topology = topology;
    this.sets.update(topology);
    this.#ownedSince.lower(lowest);
    const members = new Set(topology.nodes.map(({ number }) => number));
    for (const [number, stream] of this.streams.entries()) {
      if (stream === undefined || members.has(number)) continue;
      stream.close();
      this.streams[number] = undefined;
    }
    this.#makeStreams(topology);
    this.writes.onEpoch();
    for (const stream of this.streams) stream?.onEpoch(lowest);
    this.reads.onEpoch();
    this.counters.onEpoch();
    this.serial.coordinator.onEpoch();
    this.scans.onEpoch();
    this.audit.onEpoch(topology);
    this.#evictor?.onLiveness();
    this.writes.release();
    this.counters.adds.release();
  }

  /** Versions that this node had coordinated, and lost in a crash, came back, and stand at the end of the log. */
  onReturned(): void {
    for (const stream of this.streams) stream?.onReturned();
  }

  /** Up to where in the log a member has acknowledged all that this node coordinated for it. */
  cursorOf(member: number): number {
    return this.streams[member]?.cursor ?? 0;
  }

  /** Whether a write to a key of the partition, or an add to a counter, is under way here. */
  hasPendingIn(partition: number): boolean {
    return this.writes.hasPendingIn(partition) || this.counters.adds.hasPendingIn(partition);
  }

  /**
   * From where on in the log an owner of a partition is to be sent what this node coordinated. Hot while it catches up.
   * What was dropped here was handed over before, and may be deleted and purged by now.
   */
  owedFrom(owner: number, partition: number): number {
    return Math.max(this.#ownedSince.of(owner, partition), this.#options.store.droppedLsn(partition));
  }

  /** Requests of clients that are not answered yet. */
  get pending(): number {
    return (
      this.writes.pending +
      this.reads.pending +
      this.counters.pending +
      this.forwarder.pending +
      this.scans.pending +
      this.serial.coordinator.pending
    );
  }

  /** Whether lookups miss the processor's cache; below this many keys it holds what they read. */
  get worthWarming(): boolean {
    return this.#options.store.candidates.keys >= WARM_KEYS_MIN;
  }

  /** Several keys are looked up next: see `Store.warm`. Hot. */
  warm(hashes: Float64Array, count: number, values: boolean): void {
    this.#options.store.warm(hashes, count, values);
  }

  /** The lowest LSN that is still read from the log. */
  get readLsn(): number {
    return this.streams.reduce((lowest, stream) => Math.min(lowest, stream?.readLsn ?? lowest), this.writes.readLsn);
  }

  stop(): void {
    const { timers } = this.#options;
    if (this.#sweepTimer !== undefined) timers.stop(this.#sweepTimer);
    if (this.#cursorTimer !== undefined) timers.stop(this.#cursorTimer);
    this.audit.stop();
    this.#evictor?.stop();
    this.scanPages.stop();
    this.serial.stop();
    for (const stream of this.streams) stream?.close();
  }

  onUp(link: PeerLink): void {
    this.streams[link.number]?.open(link);
    this.audit.onUp(link);
  }

  onDown(link: PeerLink): void {
    this.streams[link.number]?.close();
    this.audit.onDown(link);
    this.serial.coordinator.onLost(link.number);
  }

  /** A member became reachable or suspect. */
  onLiveness(member: number, reachable: boolean): void {
    this.writes.onLiveness();
    this.#evictor?.onLiveness();
    if (reachable) return;
    this.reads.onLost(member);
    this.counters.reads.onLost(member);
    this.scans.onLost(member);
    this.serial.coordinator.onLost(member);
    // A suspect may still answer what it was sent: forwarded writes wait for it while its connection stands.
    if (this.#options.links[member]?.isUp !== true) this.forwarder.onLost(member);
  }

  /** The own log is durable up to `lsn`. */
  onDurable(lsn: number): void {
    this.writes.release();
    this.reads.onDurable(lsn);
    this.counters.onSynced();
  }

  /** A member holds so many keys beyond its bounds. */
  onPressure(member: number, keys: number): void {
    this.#evictor?.onPressure(member, keys);
  }

  /** A reply on a peer link. True when it belonged to replication. */
  onReply(link: PeerLink, bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    switch (frameOpcode(view, start)) {
      case Opcode.streamAck:
        // What was stored under another epoch is sent, and counted, again.
        if (frameEpoch(view, start) === this.sets.epoch) this.streams[link.number]?.onAcknowledged(view, start, end);
        return true;
      case Opcode.streamRun:
        if ((frameFlags(view, start) & Flag.error) !== 0) {
          this.#refusedStreams.value++;
          this.streams[link.number]?.onStreamRefused(frameCorrelation(view, start));
        }
        return true;
      case Opcode.readVersion:
        this.reads.onVersion(link, bytes, view, start, end);
        return true;
      case Opcode.repair:
        this.reads.onRepaired(link, view, start, end);
        return true;
      case Opcode.serialRead:
      case Opcode.serialPrepare:
      case Opcode.serialAccept:
        this.serial.coordinator.onReply(link, bytes, view, start, end);
        return true;
      case Opcode.counterEntries:
        this.counters.reads.onEntries(link, view, start, end);
        return true;
      case Opcode.counterMerge:
        this.counters.reads.onMerged(link, view, start);
        return true;
      case Opcode.scan:
        this.scans.onPage(link, bytes, view, start, end);
        return true;
      case Opcode.get:
      case Opcode.contains:
      case Opcode.quorumGet:
      case Opcode.set:
      case Opcode.delete:
      case Opcode.counterAdd:
      case Opcode.counterGet:
      case Opcode.cas:
      case Opcode.resolve:
        this.forwarder.onReply(bytes, view, start, end);
        return true;
      default:
        if (!isAuditOpcode(frameOpcode(view, start))) return false;
        this.audit.onReply(link, bytes, view, start, end);
        return true;
    }
  }

  /** End of turn: the records of this turn leave for the peers. */
  flush(): void {
    this.counters.flush();
    for (const stream of this.streams) stream?.flush();
  }

  /** Saves the cursors now; part of an orderly stop. */
  saveCursors(): void {
    this.#cursors.save(this.streams);
  }

  #makeStreams(topology: WireTopology): void {
    const { self, store, timers, links } = this.#options;
    for (const { number } of topology.nodes) {
      if (number === self || this.streams[number] !== undefined) continue;
      const stream = new PeerStream(number, {
        store,
        timers,
        cursor: this.#cursors.of(number),
        concerns: (bytes, view, cursor) => this.#concerns(number, bytes, view, cursor),
        onRefused: (peer, lsn, counter, serial) => this.writes.onRefused(peer, lsn, counter, serial),
        onProgress: () => {
          this.writes.release();
          this.counters.adds.release();
        },
      });
      this.streams[number] = stream;
      const link = links[number];
      if (link?.isUp === true) stream.open(link);
    }
  }

  /** Whether a record in the log is one that this node coordinated for a peer. */
  #concerns(peer: number, bytes: Uint8Array, view: DataView, cursor: LogCursor): boolean {
    const isPlain = cursor.kind === RecordKind.value || cursor.kind === RecordKind.tombstone;
    if (!isPlain && cursor.kind !== RecordKind.counterEntry) return false;
    if (cursor.node !== this.#options.self) return false;
    const hash = recordHash(cursor.kind, bytes, view, cursor.keyStart, cursor.keyLength, this.hashSeed);
    if (!this.sets.ofHash(hash).members.includes(peer)) return false;
    return cursor.lsn > this.owedFrom(peer, partitionOfHash(hash, this.sets.partitions));
  }

  readonly #sweep = (): void => {
    const { turn, timers } = this.#options;
    const { nowMs } = turn;
    this.writes.expire(nowMs);
    this.#options.held.expire(nowMs);
    this.reads.sweep(nowMs);
    this.counters.sweep(nowMs);
    this.forwarder.sweep(nowMs);
    this.#evictor?.tick();
    this.#options.store.expired.step(EXPIRY_SLOTS_PER_TICK, turn.wallMs);
    this.scans.sweep(nowMs);
    this.serial.sweep(nowMs, turn.wallMs);
    this.#sweepTimer = timers.start(SWEEP_INTERVAL_MS, this.#sweep);
  };

  readonly #saveCursors = (): void => {
    this.#cursors.save(this.streams);
    this.#options.turn.wake();
    this.#cursorTimer = this.#options.timers.start(CURSOR_SAVE_INTERVAL_MS, this.#saveCursors);
  };
}

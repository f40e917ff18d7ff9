import { LamportClock } from './model/lamport-clock.js';
import { EXPIRY_BYTES, recordBytes } from './model/record.js';
import { leaseMark, saveMark } from './node-meta.js';
import type { NodeOptions } from './node-options.js';
import type { Turn } from './ports/turn.js';
import { HeldReplies } from './replication/held-replies.js';
import { Replies } from './replication/replies.js';
import { Store } from './storage/store.js';
import { type Identity, takeIdentity } from './topology/identity.js';

/** What a node has from its data directory alone, before it knows of a cluster. */
export interface NodeRooms {
  readonly identity: Identity;
  readonly store: Store;
  readonly lamport: LamportClock;
  readonly replies: Replies;
  readonly held: HeldReplies;
}

/** What the recovered rooms ask of the node and tell it. */
export interface RecoveryWiring {
  /** The epoch every reply carries; 0 before founding. */
  readonly epoch: () => number;
  readonly number: () => number;
  /** The lowest LSN that is still read from the log. */
  readonly readLsn: () => number;
  readonly onDurable: (lsn: number) => void;
  /** A mark of the clock's lease was written; `done` is to be called once it is synced. */
  readonly onLease: (done: () => void) => void;
}

/**
 * Locks the data directory, counts the start, and recovers log and clock. Throws when the directory is in use, or
 * damaged where it was proven durable; the error names the file.
 */
export function recoverRooms(options: NodeOptions, turn: Turn, wiring: RecoveryWiring): NodeRooms {
  const { disk, random, telemetry, timers, clock, onFatal } = options;
  const { storage, cluster, limits } = options.config;
  disk?.lock();
  const identity = takeIdentity(disk, random);
  const store = Store.open({
    disk,
    timers,
    clock,
    telemetry,
    durability: storage.durability,
    syncIntervalMs: storage.syncIntervalMs,
    segmentBytes: storage.segmentBytes,
    recordBytesMax: recordBytes(limits.keyBytesMax, limits.valueBytesMax + EXPIRY_BYTES),
    memoryBytesMax: storage.memoryBytesMax,
    entriesMax: storage.entriesMax,
    eviction: storage.eviction,
    compression: storage.compression === 'on',
    partitions: cluster.partitions,
    hashSeed: 0,
    readLsn: wiring.readLsn,
    onDurable: wiring.onDurable,
    onRoom: () => turn.wake(),
    onFatal,
  });
  const lamport = new LamportClock({
    start: Math.max(leaseMark(store), store.highestCounter()),
    // Synced at the end of the turn: in mode `interval` a sync announces what it wrote at once, and a stamp may be
    // asked for in the middle of answering what was announced before.
    lease: (mark, done) => {
      saveMark(store, mark);
      wiring.onLease(done);
    },
  });
  const replies = new Replies(lamport, turn, wiring.epoch, wiring.number);
  return { identity, store, lamport, replies, held: new HeldReplies(replies) };
}

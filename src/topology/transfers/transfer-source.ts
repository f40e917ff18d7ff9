import {
  decodeTransferListRequest,
  decodeTransferPageRequest,
  encodeTransferList,
  encodeTransferPage,
  Opcode,
  OutgoingBuffer,
  ProtocolError,
  type TransferPlace,
  type TransferVersion,
  type WireTopology,
} from '@memdb/protocol';
import type { Answer } from '../../membership/answer.js';
import { recordHash } from '../../model/counter-entry.js';
import {
  TRANSFER_ANSWERS_MAX,
  TRANSFER_LIST_SLICES,
  TRANSFER_PAGE_BYTES,
  TRANSFER_VERSIONS_REACHED,
} from '../../model/limits.js';
import {
  kindOf,
  lengthOf,
  paddedRecordBytes,
  RECORD_HEADER_BYTES,
  recordKeyLength,
  recordKindLength,
} from '../../model/record.js';
import type { Timer, Timers } from '../../ports/timers.js';
import { appendMoved } from '../../storage/moved-record.js';
import { recordIsSound } from '../../storage/record-check.js';
import type { Segment } from '../../storage/segment.js';
import type { Store } from '../../storage/store.js';
import { listedVersion } from '../../storage/version-audit.js';
import { bucketOfHash } from '../../storage/version-table.js';
import { rowOf } from '../epoch-roles.js';

export interface TransferSourceOptions {
  readonly self: number;
  readonly store: Store;
  readonly timers: Timers;
}

interface Job {
  readonly opcode: number;
  readonly answer: Answer;
  readonly correlation: number;
  /** In which it was asked. */
  readonly epoch: number;
  /** Where the next slice begins. */
  place: TransferPlace;
  slices: number;
  readonly buckets: { readonly low: number; readonly high: number };
  readonly records: OutgoingBuffer;
  readonly versions: TransferVersion[];
}

const TWO_32 = 4294967296;
const NO_BYTES = new Uint8Array(0);

/**
 * Answers the next owners of a partition what this node holds of it: pages of records, and lists of versions. Pages are
 * made a slice of the index at a time, so that no operation waits for long.
 *
 * Invariants: it speaks as an owner that is in the pending epoch, of records that are on the device by the time the answer
 * leaves; a partition of which it lost a key to damage it does not speak of at all: what is missing might be the only
 * copy on the majority that is asked.
 */
export class TransferSource {
  readonly #options: TransferSourceOptions;
  #topology: WireTopology;
  readonly #jobs: Job[] = [];
  #timer: Timer | undefined;
  /** Answers that are being made, or wait for the disk. */
  #held = 0;

  constructor(options: TransferSourceOptions, topology: WireTopology) {
    this.#options = options;
    this.#topology = topology;
  }

  onEpoch(topology: WireTopology): void {
    this.#topology = topology;
  }

  stop(): void {
    if (this.#timer !== undefined) this.#options.timers.stop(this.#timer);
    this.#jobs.length = 0;
  }

  /** transferPage or transferList, made in this very epoch. Throws `ProtocolError` when it is malformed. */
  onRequest(
    answer: Answer,
    opcode: number,
    correlation: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
  ): void {
    const list = opcode === Opcode.transferList ? decodeTransferListRequest(bytes, view, start, end) : undefined;
    const place: TransferPlace =
      list === undefined
        ? decodeTransferPageRequest(bytes, view, start, end)
        : { partition: list.partition, position: list.position, after: NO_BYTES };
    if (place.partition >= this.#topology.partitions) {
      throw new ProtocolError('bad-request', start, `there is no partition ${place.partition}`);
    }
    if (!this.#speaksOf(place.partition)) {
      answer.refuse(opcode, correlation, 'not-replica', `partition ${place.partition} does not move from here`);
    } else if (this.#held >= TRANSFER_ANSWERS_MAX) {
      answer.refuse(opcode, correlation, 'overloaded', 'too many partitions are copied from this node at once');
    } else {
      this.#held++;
      this.#jobs.push({
        opcode,
        answer,
        correlation,
        epoch: this.#topology.epoch,
        place,
        slices: 0,
        buckets: { low: list?.bucketsLow ?? 0, high: list?.bucketsHigh ?? 0 },
        records: new OutgoingBuffer(),
        versions: [],
      });
      this.#timer ??= this.#options.timers.start(0, this.#run);
    }
  }

  /** Whether this node is an owner, and the pending change makes another one of it, or keeps it. */
  #speaksOf(partition: number): boolean {
    const { pending, owners, replicas } = this.#topology;
    return pending !== undefined && rowOf(owners, replicas, partition).includes(this.#options.self);
  }

  readonly #run = (): void => {
    this.#timer = undefined;
    const job = this.#jobs.shift();
    if (job === undefined) return;
    if (!this.#slice(job)) this.#jobs.push(job);
    if (this.#jobs.length > 0) this.#timer = this.#options.timers.start(0, this.#run);
  };

  /** True when the answer is made, or was refused. */
  #slice(job: Job): boolean {
    const { store } = this.#options;
    const { partition, position, after } = job.place;
    const window = store.scanWindow;
    if (job.epoch !== this.#topology.epoch) return this.#refuse(job, 'wrong-epoch', 'the epoch has changed meanwhile');
    if (window.hasLost(partition)) return this.#refuseDamaged(job);
    window.collect(partition, position, after, NO_BYTES, true);
    const isList = job.opcode === Opcode.transferList;
    // Keys that share all of their hash have places of their own in pages only.
    if (isList && window.truncated) return this.#refuse(job, 'unavailable', 'too many keys share a hash: take pages');
    for (let at = 0; at < window.count; at++) {
      const segment = window.segmentOf(at);
      const offset = window.offsetOf(at);
      if (isList) this.#list(job, segment, offset);
      else if (!recordIsSound(segment, offset)) return this.#refuseAfterRepair(job, segment, offset);
      else {
        const bytes = paddedRecordBytes(lengthOf(recordKindLength(segment.view, offset)));
        appendMoved(job.records, segment, offset, bytes);
        const isLast = job.records.end >= TRANSFER_PAGE_BYTES || (window.truncated && at === window.count - 1);
        if (isLast) return this.#finish(job, placeOf(partition, window.positionOf(at), segment, offset));
      }
    }
    if (window.end === TWO_32) return this.#finish(job, undefined);
    job.place = { partition, position: window.end, after: NO_BYTES };
    job.slices++;
    const isLong = job.versions.length >= TRANSFER_VERSIONS_REACHED || job.slices === TRANSFER_LIST_SLICES;
    return isLong && this.#finish(job, job.place);
  }

  #list({ buckets, versions }: Job, { bytes, view }: Segment, offset: number): void {
    const keyStart = offset + RECORD_HEADER_BYTES;
    const kind = kindOf(recordKindLength(view, offset));
    const hash = recordHash(kind, bytes, view, keyStart, recordKeyLength(view, offset), this.#topology.hashSeed);
    const bucket = bucketOfHash(hash);
    const isAsked = bucket < 32 ? (buckets.low >>> bucket) & 1 : (buckets.high >>> (bucket - 32)) & 1;
    if (isAsked === 0) return;
    const size = paddedRecordBytes(lengthOf(recordKindLength(view, offset)));
    versions.push({ ...listedVersion(bytes, view, offset, hash, this.#topology.hashSeed), bytes: size });
  }

  #finish(job: Job, next: TransferPlace | undefined): true {
    const { store } = this.#options;
    const { opcode, answer, correlation, versions, records } = job;
    const { partition } = job.place;
    const floor = store.audit.floorOf(partition);
    const body =
      opcode === Opcode.transferList
        ? encodeTransferList({ partition, floor, next: next?.position, versions })
        : encodeTransferPage(partition, floor, next, records.bytes.subarray(0, records.end));
    store.whenSynced(() => {
      this.#held--;
      answer.body(opcode, correlation, body);
    });
    return true;
  }

  /** A damaged record is never sent. It is made good from the file, or the key is lost here. */
  #refuseAfterRepair(job: Job, segment: Segment, offset: number): true {
    this.#options.store.audit.scrub.repair(segment, offset);
    return this.#refuseDamaged(job);
  }

  #refuseDamaged(job: Job): true {
    return this.#refuse(job, 'unavailable', 'this node found records of the partition damaged');
  }

  #refuse({ answer, opcode, correlation }: Job, code: 'unavailable' | 'wrong-epoch', message: string): true {
    this.#held--;
    answer.refuse(opcode, correlation, code, message);
    return true;
  }
}

function placeOf(partition: number, position: number, { bytes, view }: Segment, offset: number): TransferPlace {
  const start = offset + RECORD_HEADER_BYTES;
  return { partition, position, after: bytes.slice(start, start + recordKeyLength(view, offset)) };
}

import {
  BACKUP_CHUNK_BYTES_MAX,
  decodeSnapshot,
  encodeChunkRequest,
  encodeSessionRequest,
  Feature,
  Opcode,
  type WireSegment,
  type WireSnapshot,
} from '@memdb/protocol';
import type { SpecialRequest } from './special-request.js';
import { ownCopy } from './text.js';

/** Sends a request to the node that the snapshot is of. */
export type AskNode = (request: SpecialRequest) => Promise<unknown>;

/** A piece of a node's log as it was at one moment. */
export type SnapshotSegment = WireSegment;

/**
 * The log of one node as it was durable when `db.openSnapshot` was called: segments, each read in chunks. The node
 * keeps it until `close`, or until nothing was read for 30 s.
 */
export class NodeSnapshot {
  /** Number of the node in the topology, and its UUID. */
  readonly number: number;
  readonly node: string;
  /** Every record up to here is in the snapshot. */
  readonly lastLsn: number;
  readonly segments: readonly SnapshotSegment[];
  readonly #session: number;
  readonly #ask: AskNode;

  constructor(number: number, snapshot: WireSnapshot, ask: AskNode) {
    this.number = number;
    this.node = snapshot.node;
    this.lastLsn = snapshot.lastLsn;
    this.segments = snapshot.segments;
    this.#session = snapshot.session;
    this.#ask = ask;
  }

  static async open(number: number, ask: AskNode): Promise<NodeSnapshot> {
    const snapshot = await ask(toNode(number, Opcode.backupOpen, new Uint8Array(0), decodeSnapshot));
    return new NodeSnapshot(number, snapshot as WireSnapshot, ask);
  }

  /** The next bytes of a segment from `offset` on, at most 256 KiB; fails with `bad-request` when the node let it go. */
  async read(segment: SnapshotSegment, offset: number): Promise<Uint8Array> {
    const length = Math.min(BACKUP_CHUNK_BYTES_MAX, segment.bytes - offset);
    const { id, generation } = segment;
    const body = encodeChunkRequest({ session: this.#session, id, generation, offset, length });
    return (await this.#ask(toNode(this.number, Opcode.backupRead, body, readChunk))) as Uint8Array;
  }

  /** Lets the node forget it. */
  async close(): Promise<void> {
    await this.#ask(toNode(this.number, Opcode.backupClose, encodeSessionRequest(this.#session), readNothing));
  }
}

function toNode(number: number, opcode: Opcode, body: Uint8Array, read: SpecialRequest['read']): SpecialRequest {
  return { opcode, feature: Feature.backup, body, pick: (routes) => routes.ofNode(number), read };
}

function readChunk(bytes: Uint8Array, _view: DataView, start: number, end: number): Uint8Array {
  return ownCopy(bytes, start, end);
}

function readNothing(): null {
  return null;
}

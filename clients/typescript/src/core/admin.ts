import {
  decodeTopology,
  encodeKill,
  encodeRequest,
  MemDbError,
  Opcode,
  type WireRequest,
  type WireTopology,
} from '@memdb/protocol';
import type { OperationOptions } from '../options.js';
import type { Stamp } from './quorum-result.js';
import type { SpecialRequest } from './special-request.js';
import { readText } from './text.js';
import type { TopologyDescription } from './topology.js';

/** Sends a request that is about no key. */
export type AskSpecial = (request: SpecialRequest, options: OperationOptions | undefined) => Promise<unknown>;

/** What is asked of a cluster: a change of its nodes, its settings, or of the change that is under way. */
export type ClusterChange = WireRequest;
/** Everything that the nodes of a cluster agree on, as it travels. */
export type ClusterTopology = WireTopology;

/** One of the two versions of a conflict. */
export interface ConflictVersion {
  readonly stamp: Stamp;
  /** Undefined for a deletion; the first 256 bytes of a longer value. */
  readonly value: Uint8Array | undefined;
  /** Of the whole value. */
  readonly valueBytes: number;
}

/** A version that was replaced by a write that had not seen it. */
export interface Conflict {
  /** Unix milliseconds, by the clock of the node. */
  readonly atMs: number;
  readonly key: Uint8Array;
  readonly winner: ConflictVersion;
  readonly loser: ConflictVersion;
}

export interface KillOptions extends OperationOptions {
  /** True: the node finishes what it accepted, syncs and exits with 0. Default: its process ends at once. */
  readonly graceful?: boolean;
}

/**
 * What operators ask of single nodes and of the cluster. Everything but `status` and `topology` needs a client that was
 * made with a key of role `admin` and `role: 'admin'`; others are refused as `not-permitted`. Nodes are named by their
 * number in the topology.
 */
export class Admin {
  readonly #ask: AskSpecial;
  readonly #topology: () => TopologyDescription | undefined;

  constructor(ask: AskSpecial, topology: () => TopologyDescription | undefined) {
    this.#ask = ask;
    this.#topology = topology;
  }

  /**
   * What a node tells of itself: a JSON object, whose fields may grow.
   *
   * @example const { storage } = await db.admin.status(1, { timeoutMs: 500 });
   */
  async status(node: number, options?: OperationOptions): Promise<Readonly<Record<string, unknown>>> {
    return (await this.#ask(toNode(node, Opcode.status, NO_BYTES, readJson), options)) as Record<string, unknown>;
  }

  /** All that a node measures: a JSON object of counters, gauges and histograms by name. */
  async metrics(node: number, options?: OperationOptions): Promise<Readonly<Record<string, unknown>>> {
    return (await this.#ask(toNode(node, Opcode.metrics, NO_BYTES, readJson), options)) as Record<string, unknown>;
  }

  /**
   * Versions that lost to a write that had not seen them, as a node that coordinated such writes remembers, the newest
   * first.
   */
  async conflicts(node: number, options?: OperationOptions): Promise<readonly Conflict[]> {
    return (await this.#ask(toNode(node, Opcode.conflicts, NO_BYTES, readConflicts), options)) as Conflict[];
  }

  /** The topology that a node uses now; of any node when none is named. */
  async topology(node?: number, options?: OperationOptions): Promise<ClusterTopology> {
    return (await this.#ask(toNode(node, Opcode.topology, NO_BYTES, decodeTopology), options)) as WireTopology;
  }

  /**
   * Ends the process of a node. Resolves when the node said that it will; `connection-lost` may mean that it was quicker
   * to end. It owns what it owned: whether and when it comes back is up to whoever starts it.
   *
   * @example await db.admin.kill(3);                       // as SIGKILL
   * @example await db.admin.kill(3, { graceful: true });   // as SIGTERM
   */
  async kill(node: number, { graceful = false, ...options }: KillOptions = {}): Promise<void> {
    const known = this.#topology()?.nodes.find(({ number }) => number === node);
    if (known === undefined) throw new MemDbError('bad-request', `The cluster has no node ${node}.`);
    const body = encodeKill({ node: known.id, isGraceful: graceful });
    await this.#ask({ ...toNode(node, Opcode.kill, body, readNothing), acts: true }, options);
  }

  /**
   * Asks for a change of the cluster. Resolves when it was understood and is not refused; the epochs that follow show
   * what becomes of it.
   *
   * @example await db.admin.change({ kind: 'remove', node: 3 });
   */
  async change(change: ClusterChange, options?: OperationOptions): Promise<void> {
    await this.#ask(
      { ...toNode(undefined, Opcode.epochChange, encodeRequest(change), readNothing), acts: true },
      options,
    );
  }

  /** What a change would move: a JSON object. */
  async preview(change: ClusterChange, options?: OperationOptions): Promise<Readonly<Record<string, unknown>>> {
    const request = toNode(undefined, Opcode.epochPreview, encodeRequest(change), readJson);
    return (await this.#ask(request, options)) as Record<string, unknown>;
  }
}

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** A request to that node, or to any. */
function toNode(
  node: number | undefined,
  opcode: Opcode,
  body: Uint8Array,
  read: SpecialRequest['read'],
): SpecialRequest {
  return {
    opcode,
    feature: 0,
    body,
    pick: (routes) => (node === undefined ? routes.any() : routes.ofNode(node)),
    read,
  };
}

function readJson(bytes: Uint8Array, _view: DataView, start: number, end: number): unknown {
  return JSON.parse(readText(bytes, start, end));
}

function readNothing(): true {
  return true;
}

interface RawVersion {
  readonly counter: number;
  readonly node: number;
  readonly value?: string;
  readonly valueBytes: number;
}

function readConflicts(bytes: Uint8Array, view: DataView, start: number, end: number): Conflict[] {
  const { conflicts } = readJson(bytes, view, start, end) as {
    readonly conflicts: readonly { atMs: number; key: string; winner: RawVersion; loser: RawVersion }[];
  };
  return conflicts.map(({ atMs, key, winner, loser }) => ({
    atMs,
    key: bytesOf(key),
    winner: versionOf(winner),
    loser: versionOf(loser),
  }));
}

function versionOf({ counter, node, value, valueBytes }: RawVersion): ConflictVersion {
  return { stamp: { counter, node }, value: value === undefined ? undefined : bytesOf(value), valueBytes };
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(Buffer.from(base64, 'base64'));
}

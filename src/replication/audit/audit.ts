import type { WireTopology } from '@memdb/protocol';
import { Opcode } from '@memdb/protocol';
import type { PeerLink } from '../../membership/peer-link.js';
import { AUDIT_TICK_MS } from '../../model/limits.js';
import type { Telemetry } from '../../ports/telemetry.js';
import type { Timer, Timers } from '../../ports/timers.js';
import type { Turn } from '../../ports/turn.js';
import type { Store } from '../../storage/store.js';
import type { ReplicaSets } from '../../topology/replica-sets.js';
import { auditCounters } from './audit-counters.js';
import { PeerAudit } from './peer-audit.js';

export interface AuditOptions {
  readonly self: number;
  readonly topology: WireTopology;
  readonly sets: ReplicaSets;
  readonly store: Store;
  readonly turn: Turn;
  readonly timers: Timers;
  readonly telemetry: Telemetry;
}

/** Compares what this node holds with the other owners of its partitions, for as long as an epoch lasts. */
export class Audit {
  /** By member number. */
  readonly peers: (PeerAudit | undefined)[] = [];
  readonly #options: AuditOptions;
  #timer: Timer | undefined;

  constructor(options: AuditOptions) {
    this.#options = options;
    const { self, topology, sets, store, turn, telemetry } = options;
    const counters = auditCounters(telemetry);
    const owners = Array.from({ length: topology.partitions }, (_, partition) => [...sets.preference(partition)]);
    for (const { number } of topology.nodes) {
      if (number === self) continue;
      const shared = [...owners.keys()].filter(
        (partition) => owners[partition].includes(self) && owners[partition].includes(number),
      );
      this.peers[number] = new PeerAudit({
        store,
        counters,
        shared,
        partitions: topology.partitions,
        onEqual: () => {},
        wake: () => turn.wake(),
      });
    }
    this.#tick();
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
    this.peers[link.number]?.onReply(bytes, view, start, end, this.#options.turn.nowMs);
  }

  readonly #tick = (): void => {
    const { timers, turn } = this.#options;
    for (const peer of this.peers) peer?.tick(turn.nowMs);
    this.#timer = timers.start(AUDIT_TICK_MS, this.#tick);
  };
}

/** Whether a frame belongs to the audit. */
export function isAuditOpcode(opcode: number): boolean {
  return opcode >= Opcode.auditRoots && opcode <= Opcode.auditFetch;
}

import type { Member } from './member.js';
import { CONFIRMATIONS, suspicionMs } from './timing.js';

/** A member that has to refute. */
interface Suspicion {
  readonly generation: number;
  readonly bootNonce: string;
  readonly incarnation: number;
  readonly startedMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** How many accusers beside the first there can be, and are waited for. */
  readonly wanted: number;
  readonly accusers: Set<string>;
  /** When the suspect itself was heard last. */
  heardMs: number;
}

/**
 * Who is suspected, by whom, and until when (Lifeguard, LHA-Suspicion): the time to refute is long while one member alone
 * accuses, for that one may be the one in trouble, and shrinks with each independent accuser.
 */
export class Suspicions {
  readonly #of: Map<string, Suspicion> = new Map();

  get size(): number {
    return this.#of.size;
  }

  /**
   * Somebody (`suspect.claim.by`) accuses a member in its present incarnation. True when that is a new voice which
   * others should hear.
   */
  accuse(suspect: Member, present: number, nowMs: number): boolean {
    const { uuid, generation, bootNonce, claim } = suspect;
    const known = this.#of.get(uuid);
    if (
      known === undefined ||
      known.generation !== generation ||
      known.bootNonce !== bootNonce ||
      known.incarnation !== claim.incarnation
    ) {
      const { min, max } = suspicionMs(present, suspect.profile.health);
      this.#of.set(uuid, {
        generation,
        bootNonce,
        incarnation: claim.incarnation,
        startedMs: nowMs,
        minMs: min,
        maxMs: max,
        // Neither the suspect nor the first accuser can confirm.
        wanted: Math.max(0, Math.min(CONFIRMATIONS, present - 2)),
        accusers: new Set([claim.by]),
        heardMs: Number.NEGATIVE_INFINITY,
      });
      return true;
    }
    if (known.accusers.has(claim.by) || known.accusers.size > known.wanted) return false;
    known.accusers.add(claim.by);
    return true;
  }

  /** The suspect spoke: it is slow to refute, but not dead. It has the shortest time anew, up to the longest. */
  heard(uuid: string, nowMs: number): void {
    const suspicion = this.#of.get(uuid);
    if (suspicion !== undefined) suspicion.heardMs = nowMs;
  }

  /** The suspicion is over: refuted, or it became certainty. */
  end(uuid: string): void {
    this.#of.delete(uuid);
  }

  /** Who did not refute in time. */
  due(nowMs: number): string[] {
    const due: string[] = [];
    for (const [uuid, suspicion] of this.#of) if (nowMs >= deadlineMs(suspicion)) due.push(uuid);
    return due;
  }
}

function deadlineMs({ startedMs, minMs, maxMs, wanted, accusers, heardMs }: Suspicion): number {
  const confirmed = wanted === 0 ? 1 : Math.log(accusers.size) / Math.log(wanted + 1);
  const sharedMs = startedMs + Math.max(minMs, maxMs - (maxMs - minMs) * confirmed);
  return Math.min(startedMs + maxMs, Math.max(sharedMs, heardMs + minMs));
}

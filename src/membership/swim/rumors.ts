import type { Member } from './member.js';
import { tellings } from './timing.js';

interface Rumor {
  readonly member: Member;
  /** How often it was told. */
  told: number;
  readonly number: number;
}

/**
 * News that travel on the back of probes and their answers (SWIM, section 4.1). Each is told a number of times that grows
 * with the logarithm of the cluster, the least told first, and then forgotten: what somebody missed all the same comes
 * with the next full exchange.
 */
export class Rumors {
  /** By member, then by who says so. */
  readonly #rumors: Map<string, Map<string, Rumor>> = new Map();
  #made = 0;

  get size(): number {
    let size = 0;
    for (const voices of this.#rumors.values()) size += voices.size;
    return size;
  }

  /** News of a member, in place of all that was told of it before. */
  replace(member: Member): void {
    this.#rumors.delete(member.uuid);
    this.add(member);
  }

  /** One more voice about a suspect, beside the others. */
  add(member: Member): void {
    let voices = this.#rumors.get(member.uuid);
    if (voices === undefined) {
      voices = new Map();
      this.#rumors.set(member.uuid, voices);
    }
    voices.set(member.claim.by, { member, told: 0, number: this.#made++ });
  }

  /** Up to `count` rumors to tell in one message, to one of so many members. */
  tell(count: number, present: number): Member[] {
    if (this.#rumors.size === 0) return [];
    const limit = tellings(present);
    const all = [...this.#rumors.values()].flatMap((voices) => [...voices.values()]);
    const chosen = all.sort((a, b) => a.told - b.told || b.number - a.number).slice(0, count);
    for (const rumor of chosen) if (++rumor.told >= limit) this.#forget(rumor.member);
    return chosen.map(({ member }) => member);
  }

  #forget({ uuid, claim }: Member): void {
    const voices = this.#rumors.get(uuid);
    voices?.delete(claim.by);
    if (voices?.size === 0) this.#rumors.delete(uuid);
  }
}

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
  readonly #rumors: Map<string, Rumor> = new Map();
  #made = 0;

  get size(): number {
    return this.#rumors.size;
  }

  /** News of a member, in place of all that was told of it before. */
  replace(member: Member): void {
    for (const name of this.#rumors.keys()) if (name.startsWith(member.uuid)) this.#rumors.delete(name);
    this.#put(member.uuid, member);
  }

  /** One more voice about a suspect, beside the others. */
  add(member: Member): void {
    this.#put(`${member.uuid} ${member.claim.by}`, member);
  }

  /** Up to `count` rumors to tell in one message, to one of so many members. */
  tell(count: number, present: number): Member[] {
    if (this.#rumors.size === 0) return [];
    const limit = tellings(present);
    const chosen = [...this.#rumors].sort(([, a], [, b]) => a.told - b.told || b.number - a.number).slice(0, count);
    for (const [name, rumor] of chosen) if (++rumor.told >= limit) this.#rumors.delete(name);
    return chosen.map(([, rumor]) => rumor.member);
  }

  #put(name: string, member: Member): void {
    this.#rumors.set(name, { member, told: 0, number: this.#made++ });
  }
}

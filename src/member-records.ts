import { decodeMembers, encodeMembers } from '@memdb/protocol';
import type { Member } from './membership/swim/member.js';
import { RecordKind, recordBytes } from './model/record.js';
import type { Store } from './storage/store.js';
import { viewOf } from './storage/view-of.js';

const PREFIX = 'member/';

/**
 * A log that grew is worth a record when it did by more than so many times the records that this itself may cause at
 * others: otherwise a cluster at rest would write for ever of how it writes.
 */
const GROWTH_PER_MEMBER = 4;
const GROWTH_MIN = 64;

/**
 * What this node knew of members, across restarts: it finds them though no seed lives, and knows which starts and which
 * ends of their logs it has seen (mechanisms: Epochs, copied directories).
 */
export class MemberRecords {
  readonly #store: Store;
  readonly #saved: Map<string, Member> = new Map();

  constructor(store: Store) {
    this.#store = store;
    for (const name of store.metaNames()) {
      const value = name.startsWith(PREFIX) ? store.meta(name) : undefined;
      if (value === undefined) continue;
      for (const member of decodeMembers(value, viewOf(value), 0, value.length)) this.#saved.set(member.uuid, member);
    }
  }

  /** What an earlier start knew. */
  get known(): Member[] {
    return [...this.#saved.values()];
  }

  /** Something about a member is known: written unless it is of no use to a later start. */
  note(member: Member): void {
    const saved = this.#saved.get(member.uuid);
    if (saved !== undefined && !this.#isWorthIt(member, saved)) return;
    if (this.#put(member.uuid, [member])) this.#saved.set(member.uuid, member);
  }

  /** Members that gossip does not know any more are not written down any longer. */
  forgetAllBut(isKnown: (uuid: string) => boolean): void {
    for (const uuid of this.#saved.keys()) {
      if (!isKnown(uuid) && this.#put(uuid, [])) this.#saved.delete(uuid);
    }
  }

  /** False when there is no room: it is written when it is heard next. */
  #put(uuid: string, members: readonly Member[]): boolean {
    const name = `${PREFIX}${uuid}`;
    const value = encodeMembers(members);
    if (this.#store.room(recordBytes(name.length, value.length), RecordKind.tombstone) !== 'ok') return false;
    this.#store.putMeta(name, value);
    return true;
  }

  #isWorthIt({ generation, bootNonce, claim, profile }: Member, saved: Member): boolean {
    if (generation !== saved.generation || bootNonce !== saved.bootNonce) return true;
    if (claim.state !== saved.claim.state || profile.address !== saved.profile.address) return true;
    const grownMin = GROWTH_PER_MEMBER * this.#saved.size + GROWTH_MIN;
    return profile.logEnd - saved.profile.logEnd >= grownMin;
  }
}

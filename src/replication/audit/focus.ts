import type { AuditVersion } from '@memdb/protocol';
import { AUDIT_BUCKETS_LISTED_MAX, AUDIT_LOOKS_UNSTABLE } from '../../model/limits.js';

/** A partition that differed from a peer's, while it is looked into. */
export class Focus {
  readonly partition: number;
  /** When its table is compared again. */
  dueMs: number;
  /** The request that is under way; 0 for none. */
  correlation = 0;
  askedMs = 0;
  /** Buckets still to be listed in this round. */
  buckets: number[] = [];
  /** Versions still to be fetched. */
  missing: AuditVersion[] = [];
  /** Among the versions asked for are this node's own. */
  returning = false;
  /** Something came in this round. */
  fetched = false;
  looks = 0;
  /** How the tables differed at the last look: by bucket two words, 0 where they did not. */
  #difference: Int32Array | undefined;

  constructor(partition: number, dueMs: number) {
    this.partition = partition;
    this.dueMs = dueMs;
  }

  /**
   * Compares tables and chooses the buckets to list: those that differ just as they did at the last look. Writes on
   * their way change the difference, a version that is really missing does not. Keys that are always being
   * written can hide one in their bucket, so after some looks all that differs is chosen. Returns how many differ.
   */
  compare(own: Int32Array, theirs: Int32Array): number {
    const difference = own.map((word, index) => word ^ theirs[index]);
    const last = this.#difference;
    this.#difference = difference;
    this.looks++;
    const anyway = this.looks > AUDIT_LOOKS_UNSTABLE;
    let differing = 0;
    this.buckets = [];
    for (let at = 0; at < difference.length; at += 2) {
      if (difference[at] === 0 && difference[at + 1] === 0) continue;
      differing++;
      const stable = last !== undefined && last[at] === difference[at] && last[at + 1] === difference[at + 1];
      if ((stable || anyway) && this.buckets.length < AUDIT_BUCKETS_LISTED_MAX) this.buckets.push(at / 2);
    }
    return differing;
  }

  /** Begins another round: what is left after a repair is known to differ. */
  lookAgain(dueMs: number): void {
    this.dueMs = dueMs;
    this.fetched = false;
  }
}

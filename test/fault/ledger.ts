import type { MemDbError } from '@memdb/client';

export type Outcome = 'running' | 'acknowledged' | 'not-applied' | 'unknown';

/** One set or delete at consistency `quorum`. Beginnings and ends of all operations are numbered in their order. */
export interface Write {
  readonly key: string;
  /** No two writes have the same one; undefined for a delete. */
  readonly value: string | undefined;
  readonly begun: number;
  ended: number;
  outcome: Outcome;
}

interface SeenStamp {
  readonly counter: number;
  readonly node: number;
}

/** One read at consistency `quorum`, while writes may be running. */
export interface Read {
  readonly key: string;
  readonly begun: number;
  /** The highest stamp of a value that a read of this key had returned before this one began. */
  readonly seenBefore: SeenStamp;
  /** The same of a read that found nothing. */
  readonly goneBefore: SeenStamp;
}

interface KeyHistory {
  readonly writes: Write[];
  seen: SeenStamp;
  gone: SeenStamp;
}

const NEVER: SeenStamp = { counter: 0, node: 0 };

/** What a client was told about its writes, and what a cluster may therefore answer (docs: testing, "Real processes"). */
export class Ledger {
  readonly #keys: Map<string, KeyHistory> = new Map();
  readonly #counts: Record<Outcome, number> = { running: 0, acknowledged: 0, 'not-applied': 0, unknown: 0 };
  /** Error codes and how often each was answered. */
  readonly codes: Map<string, number> = new Map();
  #moment = 0;
  #nextValue = 0;

  /** Begins a write of a value that is written once, `bytes` long or a little more. */
  beginSet(key: string, bytes: number): Write {
    return this.#begin(key, `${key}#${this.#nextValue++}`.padEnd(bytes, '.'));
  }

  beginDelete(key: string): Write {
    return this.#begin(key, undefined);
  }

  acknowledged(write: Write): void {
    this.#end(write, 'acknowledged');
  }

  failed(write: Write, error: MemDbError): void {
    this.codes.set(error.code, (this.codes.get(error.code) ?? 0) + 1);
    this.#end(write, error.outcome);
  }

  beginRead(key: string): Read {
    const { seen, gone } = this.#history(key);
    return { key, begun: ++this.#moment, seenBefore: seen, goneBefore: gone };
  }

  /**
   * Judges what a read returned. The sentence names the broken promise; undefined when there is none.
   *
   * The stamp of an absent key is a bound, the floor of a replica: nothing at or below it comes back. It may be lower at the
   * next replica, where less was purged, so a read that finds nothing is held against values that were seen only.
   */
  judge(read: Read, value: string | undefined, stamp: SeenStamp): string | undefined {
    const history = this.#history(read.key);
    const where = `${read.key} at ${stamp.counter}/${stamp.node}`;
    const { seenBefore, goneBefore } = read;
    if (order(stamp, seenBefore) < 0) return `${where}: a read had returned ${textOf(seenBefore)}`;
    if (value !== undefined && order(stamp, goneBefore) <= 0) return `${where}: it was gone at ${textOf(goneBefore)}`;
    const side = value === undefined ? 'gone' : 'seen';
    if (order(stamp, history[side]) > 0) history[side] = stamp;
    const mustBe = history.writes.filter((write) => write.outcome === 'acknowledged' && write.ended < read.begun);
    const candidates = history.writes.filter((write) => write.value === value);
    const text = value === undefined ? 'nothing' : value.slice(0, 40);
    if (candidates.length === 0) {
      if (value === undefined && mustBe.length === 0) return undefined;
      return `${where}: ${text} is there, ${mustBe.at(-1)?.value?.slice(0, 40) ?? 'nothing'} was acknowledged`;
    }
    if (candidates.some((write) => mayStand(write, mustBe))) return undefined;
    if (value === undefined && mustBe.length === 0) return undefined;
    return `${where}: ${text} (${candidates[0]?.outcome}) is there, later ${mustBe.at(-1)?.value?.slice(0, 40)} was acknowledged`;
  }

  get moment(): number {
    return this.#moment;
  }

  count(outcome: Outcome): number {
    return this.#counts[outcome];
  }

  /** Keys with a write that began after `moment`. */
  keysSince(moment: number): string[] {
    return [...this.#keys].filter(([, { writes }]) => (writes.at(-1)?.begun ?? 0) > moment).map(([key]) => key);
  }

  /** For the log of a test. */
  summary(): string {
    const codes = [...this.codes].map(([code, count]) => `${code} ${count}`).join(', ');
    const { acknowledged, unknown } = this.#counts;
    return `${acknowledged} acknowledged, ${this.#counts['not-applied']} not applied, ${unknown} unknown (${codes || 'no errors'})`;
  }

  #begin(key: string, value: string | undefined): Write {
    const write: Write = { key, value, begun: ++this.#moment, ended: Number.POSITIVE_INFINITY, outcome: 'running' };
    this.#history(key).writes.push(write);
    this.#counts.running++;
    return write;
  }

  #end(write: Write, outcome: Outcome): void {
    this.#counts.running--;
    this.#counts[outcome]++;
    write.ended = ++this.#moment;
    write.outcome = outcome;
  }

  #history(key: string): KeyHistory {
    let history = this.#keys.get(key);
    if (history === undefined) {
      history = { writes: [], seen: NEVER, gone: NEVER };
      this.#keys.set(key, history);
    }
    return history;
  }
}

/**
 * A refused write may never stand. An acknowledged one may not when another was acknowledged that began after it. One
 * whose outcome is unknown, or that is running, may surface whenever it likes.
 */
function mayStand(write: Write, acknowledged: readonly Write[]): boolean {
  if (write.outcome === 'not-applied') return false;
  if (write.outcome !== 'acknowledged') return true;
  return !acknowledged.some((later) => later.begun > write.ended);
}

function order(left: SeenStamp, right: SeenStamp): number {
  return left.counter - right.counter || left.node - right.node;
}

function textOf(stamp: SeenStamp): string {
  return `${stamp.counter}/${stamp.node}`;
}

import { LEVEL } from './bare-client.js';
import type { BrokenPromises } from './broken-promise.js';
import { byKey, type Content, type History, type ReadEvent, valueText, type WriteEvent } from './history.js';

/**
 * Plain keys at quorum are regular (semantics: Consistency), judged by when operations ran and by nothing else: what a
 * quorum read returned was written by a write that no acknowledged quorum write had followed entirely before the read
 * began. A value that expires is a deletion from its deadline on, or at any time when clocks were moved (`movedClocks`);
 * with eviction (`evicts`) any value may be one at any time. Stamps are not looked at, so that a cluster which lies about
 * them is found out too. O(n log n).
 */
export function checkRegular(
  history: History,
  { movedClocks, evicts }: { readonly movedClocks: boolean; readonly evicts: boolean },
  broken: BrokenPromises,
): void {
  const writes = byKey(history.writes);
  for (const [key, all] of byKey(history.reads)) {
    const reads = evicts ? all.filter(({ content }) => content.kind !== 'absent') : all;
    checkKey(key, writes.get(key) ?? [], reads, movedClocks, broken);
  }
}

function checkKey(
  key: string,
  writes: readonly WriteEvent[],
  reads: readonly ReadEvent[],
  movedClocks: boolean,
  broken: BrokenPromises,
): void {
  const possible = writes.filter(({ outcome }) => outcome !== 'not-applied');
  const sources = new Map<string, Sources>();
  for (const write of [...possible].sort((a, b) => a.begun - b.begun)) {
    const content = write.value === undefined ? 'absent' : `=${write.value}`;
    for (const kind of write.value === undefined ? [content] : [content, 'present']) {
      let known = sources.get(kind);
      if (known === undefined) {
        known = new Sources();
        sources.set(kind, known);
      }
      known.add(write.begun, endOf(write));
    }
  }
  const acknowledged = possible.filter((write) => write.outcome === 'acknowledged' && write.level !== LEVEL.one);
  const answered = new Sources();
  for (const write of acknowledged.sort((a, b) => a.answered - b.answered)) answered.add(write.answered, write.begun);
  const expiring = possible.filter(({ ttlMs }) => ttlMs > 0);
  for (const read of reads) {
    // Absent is what a key is before anything is written.
    let latestEnd = sources.get(sourceName(read.content))?.highestBefore(read.answered) ?? 0;
    if (latestEnd === 0 && read.content.kind !== 'absent') {
      broken.add(`a read returned ${contentText(read.content)}, which nobody wrote or which was refused`, key);
      continue;
    }
    if (!read.quorum) continue;
    if (read.content.kind === 'absent') latestEnd = Math.max(latestEnd, 1e-9, expiredEnd(expiring, read, movedClocks));
    const newest = answered.highestBefore(read.begun);
    if (newest > latestEnd) {
      broken.add(
        `a quorum read (${read.begun}–${read.answered}) returned ${contentText(read.content)}, over by ${latestEnd}, although a write begun at ${newest} was acknowledged before`,
        key,
      );
    }
  }
}

/** Until when a value that had expired by the time of the read may have been the newest version. */
function expiredEnd(expiring: readonly WriteEvent[], read: ReadEvent, movedClocks: boolean): number {
  let latest = 0;
  for (const write of expiring) {
    const isOver = movedClocks || read.answeredMs >= write.begunMs + write.ttlMs;
    if (isOver && write.begun < read.answered) latest = Math.max(latest, endOf(write));
  }
  return latest;
}

/** From then on a write of this kind cannot surface any more; at `one`, or unknown, it may at any time. */
function endOf(write: WriteEvent): number {
  if (write.outcome === 'unknown' || write.level === LEVEL.one) return Number.POSITIVE_INFINITY;
  return write.answered;
}

function sourceName(content: Content): string {
  return content.kind === 'value' ? `=${content.value}` : content.kind;
}

function contentText(content: Content): string {
  return content.kind === 'value' ? valueText(content.value) : content.kind;
}

/** Pairs in ascending order of the first number; answers the highest second one among those before a moment. */
class Sources {
  readonly #firsts: number[] = [];
  readonly #highest: number[] = [];

  add(first: number, second: number): void {
    this.#highest.push(Math.max(second, this.#highest.at(-1) ?? 0));
    this.#firsts.push(first);
  }

  highestBefore(moment: number): number {
    let low = 0;
    let high = this.#firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#firsts[middle] < moment) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : this.#highest[low - 1];
  }
}

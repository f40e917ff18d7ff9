import { LEVEL } from './bare-client.js';
import { type History, orderOf, type ReadEvent, type SeenStamp, type WriteEvent } from './history.js';

/** Final state of one key, read when everything had healed. */
export interface FinalVersion {
  readonly stamp: SeenStamp;
  readonly value: string | undefined;
}

const NEVER: SeenStamp = { counter: 0, node: 0 };

/**
 * Judges what clients saw (semantics: Versions; Consistency). Returns every broken promise as a sentence.
 * Real-time order against stamps, O(n log n) per key.
 */
export function checkHistory(history: History, final: ReadonlyMap<string, FinalVersion>): string[] {
  const broken: string[] = [];
  const writes = byKey(history.writes);
  const reads = byKey(history.reads);
  for (const key of new Set([...writes.keys(), ...reads.keys()])) {
    const keyWrites = writes.get(key) ?? [];
    const keyReads = reads.get(key) ?? [];
    checkContents(key, keyWrites, keyReads, final.get(key), broken);
    checkShadowing(key, keyWrites, broken);
    checkReads(key, keyWrites, keyReads, broken);
    checkFinal(key, keyWrites, final.get(key), broken);
  }
  checkStampsGrow(history.writes, broken);
  return broken;
}

function isQuorum(write: WriteEvent): boolean {
  return write.outcome === 'acknowledged' && write.level !== LEVEL.one;
}

/** What was read had been written to this key and not refused, and one stamp never has two contents. */
function checkContents(
  key: string,
  writes: readonly WriteEvent[],
  reads: readonly ReadEvent[],
  final: FinalVersion | undefined,
  broken: string[],
): void {
  const byValue = new Map(writes.map((write) => [write.value, write]));
  const contents = new Map<string, string | undefined>();
  const note = (stamp: SeenStamp, value: string | undefined, who: string): void => {
    const name = text(stamp);
    if (contents.has(name) && contents.get(name) !== value) broken.push(`${key}@${name} has two contents (${who})`);
    contents.set(name, value);
  };
  for (const write of writes) if (write.outcome === 'acknowledged') note(write.stamp, write.value, 'write');
  for (const read of final === undefined ? reads : [...reads, { ...final, begun: Number.POSITIVE_INFINITY }]) {
    note(read.stamp, read.value, 'read');
    if (read.value === undefined) continue;
    const write = byValue.get(read.value);
    if (write === undefined) broken.push(`${key}: read ${short(read.value)}, which nobody wrote`);
    else if (write.outcome === 'not-applied') broken.push(`${key}: read ${short(read.value)}, answered not-applied`);
  }
}

/** A quorum write is never shadowed by a write that was acknowledged at quorum before it began. */
function checkShadowing(key: string, writes: readonly WriteEvent[], broken: string[]): void {
  const quorum = writes.filter(isQuorum);
  forEachWithHighestBefore(quorum, quorum, (write, highest) => {
    if (orderOf(write.stamp, highest) > 0) return;
    // Overtaken by another write that ran at the same coordinator: it was answered with that one, whose own answer its
    // client may have missed.
    const overtaken = writes.some(
      (other) =>
        other.begun < write.answered &&
        (other.outcome === 'unknown' ||
          (isQuorum(other) &&
            other.answered > write.begun &&
            other.stamp.node === write.stamp.node &&
            orderOf(other.stamp, highest) > 0)),
    );
    if (!overtaken) broken.push(`${key}: write ${write.id}@${text(write.stamp)} is below ${text(highest)}, older`);
  });
}

/** A quorum read is not older than any quorum write acknowledged, or quorum read answered, before it began. */
function checkReads(key: string, writes: readonly WriteEvent[], reads: readonly ReadEvent[], broken: string[]): void {
  const quorum = reads.filter((read) => read.quorum);
  forEachWithHighestBefore(writes.filter(isQuorum), quorum, (read, highest) => {
    if (orderOf(read.stamp, highest) < 0) {
      broken.push(`${key}: read @${text(read.stamp)} misses the acknowledged write @${text(highest)}`);
    }
  });
  forEachWithHighestBefore(quorum, quorum, (read, highest) => {
    if (orderOf(read.stamp, highest) < 0) broken.push(`${key}: read @${text(read.stamp)} after one @${text(highest)}`);
  });
}

/** At the end stands the acknowledged write with the highest stamp, or one of unknown outcome with a higher one. */
function checkFinal(
  key: string,
  writes: readonly WriteEvent[],
  final: FinalVersion | undefined,
  broken: string[],
): void {
  if (final === undefined) {
    broken.push(`${key} was not read at the end`);
    return;
  }
  const highest = writes.filter(isQuorum).reduce((top, { stamp }) => (orderOf(stamp, top) > 0 ? stamp : top), NEVER);
  const order = orderOf(final.stamp, highest);
  if (order < 0)
    broken.push(`${key}: the acknowledged write @${text(highest)} is lost, @${text(final.stamp)} is there`);
  if (order <= 0) return;
  const possible = writes.some(
    (write) =>
      write.value === final.value &&
      write.outcome !== 'not-applied' &&
      (write.outcome === 'unknown' || write.level === LEVEL.one || orderOf(write.stamp, final.stamp) === 0),
  );
  if (!possible) broken.push(`${key}: nothing explains ${short(final.value)}@${text(final.stamp)} at the end`);
}

/** The stamps of one node strictly increase, across its restarts too. */
function checkStampsGrow(writes: readonly WriteEvent[], broken: string[]): void {
  const nodes = new Map<number, WriteEvent[]>();
  for (const write of writes) {
    if (write.outcome !== 'acknowledged') continue;
    const known = nodes.get(write.stamp.node);
    if (known === undefined) nodes.set(write.stamp.node, [write]);
    else known.push(write);
  }
  for (const made of nodes.values()) {
    const stamps = new Set(made.map((write) => write.stamp.counter));
    if (stamps.size !== made.length) broken.push(`node ${made[0]?.stamp.node} gave one stamp twice`);
    forEachWithHighestBefore(made, made, (write, highest) => {
      if (orderOf(write.stamp, highest) <= 0) {
        broken.push(`node ${highest.node} gave stamp ${write.stamp.counter} after ${highest.counter}`);
      }
    });
  }
}

interface Timed {
  readonly begun: number;
  readonly answered: number;
  readonly stamp: SeenStamp;
}

/** Calls `visit` for each of `later` with the highest stamp among those of `earlier` answered before it began. */
function forEachWithHighestBefore<T extends Timed>(
  earlier: readonly Timed[],
  later: readonly T[],
  visit: (event: T, highest: SeenStamp) => void,
): void {
  const answered = [...earlier].sort((a, b) => a.answered - b.answered);
  const begun = [...later].sort((a, b) => a.begun - b.begun);
  let highest = NEVER;
  let next = 0;
  for (const event of begun) {
    for (; next < answered.length && answered[next].answered < event.begun; next++) {
      if (orderOf(answered[next].stamp, highest) > 0) highest = answered[next].stamp;
    }
    if (highest !== NEVER) visit(event, highest);
  }
}

function byKey<T extends { readonly key: string }>(events: readonly T[]): Map<string, T[]> {
  const keys = new Map<string, T[]>();
  for (const event of events) {
    const known = keys.get(event.key);
    if (known === undefined) keys.set(event.key, [event]);
    else known.push(event);
  }
  return keys;
}

function text(stamp: SeenStamp): string {
  return `${stamp.counter}/${stamp.node}`;
}

function short(value: string | undefined): string {
  return value === undefined ? 'nothing' : `"${value.slice(0, 24)}" (${value.length})`;
}

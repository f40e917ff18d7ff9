import { LEVEL } from './bare-client.js';
import type { BrokenPromises } from './broken-promise.js';
import {
  byKey,
  type History,
  orderOf,
  type ReadEvent,
  type SeenStamp,
  stampText,
  valueText,
  type WriteEvent,
} from './history.js';

/** Final state of one key, read from all its owners when everything had healed. */
export interface FinalVersion {
  readonly stamp: SeenStamp;
  readonly value: string | undefined;
}

const NEVER: SeenStamp = { counter: 0, node: 0 };

type Stamped<T> = T & { readonly stamp: SeenStamp };

/**
 * Judges what clients saw (semantics: Versions; Consistency): real-time order against stamps, O(n log n) per key.
 * `lasting`: no power cut may have lost anything acknowledged, at any level. `evicts`: values may go at any time.
 */
export function checkHistory(
  history: History,
  final: ReadonlyMap<string, FinalVersion>,
  lasting: boolean,
  evicts: boolean,
  broken: BrokenPromises,
): void {
  forEachKey(history, (key, writes, reads) => {
    checkShadowing(key, writes, broken);
    checkReads(key, writes, reads, broken);
    if (!evicts) checkAbsences(key, writes, reads, broken);
    checkFinal(key, writes, reads, final.get(key), lasting, evicts, broken);
  });
}

/** What holds of stamps whatever was lost: each is given once, by a node that never goes back, to one content. */
export function checkStamps(
  history: History,
  final: ReadonlyMap<string, FinalVersion>,
  evicts: boolean,
  broken: BrokenPromises,
): void {
  forEachKey(history, (key, writes, reads) => checkContents(key, writes, reads, final.get(key), evicts, broken));
  checkStampsGrow(history.writes, broken);
}

function forEachKey(
  history: History,
  check: (key: string, writes: readonly WriteEvent[], reads: readonly Stamped<ReadEvent>[]) => void,
): void {
  const writes = byKey(history.writes);
  const reads = byKey(history.reads);
  for (const key of new Set([...writes.keys(), ...reads.keys()])) {
    check(key, writes.get(key) ?? [], (reads.get(key) ?? []).filter(isStamped));
  }
}

function isStamped<T extends { readonly stamp: SeenStamp | undefined }>(event: T): event is Stamped<T> {
  return event.stamp !== undefined;
}

function quorumWrites(writes: readonly WriteEvent[]): Stamped<WriteEvent>[] {
  return writes.filter(isStamped).filter((write) => write.outcome === 'acknowledged' && write.level !== LEVEL.one);
}

/** One stamp of a key never has two contents. */
function checkContents(
  key: string,
  writes: readonly WriteEvent[],
  reads: readonly Stamped<ReadEvent>[],
  final: FinalVersion | undefined,
  evicts: boolean,
  broken: BrokenPromises,
): void {
  const contents = new Map<string, string | undefined>();
  const note = (stamp: SeenStamp, value: string | undefined, who: string): void => {
    const name = stampText(stamp);
    if (contents.has(name) && contents.get(name) !== value) broken.add(`@${name} has two contents (${who})`, key);
    contents.set(name, value);
  };
  for (const write of writes.filter(isStamped)) {
    if (write.outcome === 'acknowledged') note(write.stamp, write.value, 'write');
  }
  // An expired value is absent under its own stamp, and one that was evicted.
  const vanishes = evicts || writes.some(({ ttlMs }) => ttlMs > 0);
  for (const { stamp, content } of reads) {
    if (content.kind === 'value' || (content.kind === 'absent' && !vanishes))
      note(stamp, content.kind === 'value' ? content.value : undefined, 'read');
  }
  if (final !== undefined && !(vanishes && final.value === undefined)) note(final.stamp, final.value, 'at the end');
}

/** A quorum write is never shadowed by a write that was acknowledged at quorum before it began. */
function checkShadowing(key: string, writes: readonly WriteEvent[], broken: BrokenPromises): void {
  const quorum = quorumWrites(writes);
  forEachWithHighestBefore(quorum, quorum, (write, highest) => {
    if (orderOf(write.stamp, highest) > 0) return;
    // Overtaken by another write that ran at the same coordinator: it was answered with that one, whose own answer its
    // client may have missed.
    const overtaken = writes.some(
      (other) =>
        other.begun < write.answered &&
        (other.outcome === 'unknown' ||
          (other.outcome === 'acknowledged' &&
            other.level !== LEVEL.one &&
            other.answered > write.begun &&
            (other.stamp === undefined ||
              (other.stamp.node === write.stamp.node && orderOf(other.stamp, highest) > 0)))),
    );
    if (!overtaken) {
      broken.add(`write ${write.id}@${stampText(write.stamp)} is below ${stampText(highest)}, older`, key);
    }
  });
}

/**
 * A quorum read is not older than any quorum write acknowledged, or quorum read answered, before it began. The stamp of
 * an absent key is a bound: no version at or below it comes back. It may be lower at the next replica, where less was
 * purged, so an absent read is held against what was there only.
 */
function checkReads(
  key: string,
  writes: readonly WriteEvent[],
  reads: readonly Stamped<ReadEvent>[],
  broken: BrokenPromises,
): void {
  const quorum = reads.filter((read) => read.quorum);
  forEachWithHighestBefore(quorumWrites(writes), quorum, (read, highest) => {
    if (orderOf(read.stamp, highest) < 0) {
      broken.add(`read @${stampText(read.stamp)} misses the acknowledged write @${stampText(highest)}`, key);
    }
  });
  const there = quorum.filter(({ content }) => content.kind !== 'absent');
  const absent = quorum.filter(({ content }) => content.kind === 'absent');
  for (const [earlier, later] of [
    [quorum, there],
    [there, absent],
  ] as const) {
    forEachWithHighestBefore(earlier, later, (read, highest) => {
      if (orderOf(read.stamp, highest) < 0) {
        broken.add(`read @${stampText(read.stamp)} after one @${stampText(highest)}`, key);
      }
    });
  }
  // Expired or not: that is judged anew by each read.
  if (writes.some(({ ttlMs }) => ttlMs > 0)) return;
  forEachWithHighestBefore(absent, there, (read, highest) => {
    if (orderOf(read.stamp, highest) === 0) {
      broken.add(`@${stampText(read.stamp)} was read after it had been absent`, key);
    }
  });
}

/** What was read at quorum goes only by a deletion that is newer, or may be. */
function checkAbsences(
  key: string,
  writes: readonly WriteEvent[],
  reads: readonly Stamped<ReadEvent>[],
  broken: BrokenPromises,
): void {
  if (writes.some(({ ttlMs }) => ttlMs > 0)) return;
  const quorum = reads.filter((read) => read.quorum);
  const there = quorum.filter(({ content }) => content.kind !== 'absent');
  const absent = quorum.filter(({ content }) => content.kind === 'absent');
  const deletions = writes.filter(({ value, outcome }) => value === undefined && outcome !== 'not-applied');
  forEachWithHighestBefore(there, absent, (read, highest) => {
    const isDeleted = deletions.some(
      ({ begun, stamp }) => begun < read.answered && (stamp === undefined || orderOf(stamp, highest) > 0),
    );
    if (!isDeleted) {
      broken.add(`it is absent @${stampText(read.stamp)} although @${stampText(highest)} was read before`, key);
    }
  });
}

/**
 * At the end stands the acknowledged write with the highest stamp, or one that may surface with a higher one. What was
 * acknowledged at `one`, or read at any level, was durable somewhere: it is not lost either.
 */
function checkFinal(
  key: string,
  writes: readonly WriteEvent[],
  reads: readonly Stamped<ReadEvent>[],
  final: FinalVersion | undefined,
  lasting: boolean,
  evicts: boolean,
  broken: BrokenPromises,
): void {
  if (final === undefined) {
    broken.add('it was not read at the end', key);
    return;
  }
  const highestOf = (events: readonly { readonly stamp: SeenStamp }[]): SeenStamp =>
    events.reduce((top, { stamp }) => (orderOf(stamp, top) > 0 ? stamp : top), NEVER);
  const acknowledged = writes.filter(isStamped).filter(({ outcome }) => outcome === 'acknowledged');
  const highest = highestOf(quorumWrites(writes));
  // The stamp of an absent key may be the floor of one replica.
  const seen = reads.filter(({ content }) => content.kind !== 'absent');
  const spoken = highestOf(lasting ? [...acknowledged, ...seen] : seen.filter(({ quorum }) => quorum));
  const there = `@${stampText(final.stamp)} is there`;
  if (orderOf(final.stamp, highest) < 0) {
    broken.add(`the acknowledged write @${stampText(highest)} is lost, ${there}`, key);
  } else if (orderOf(final.stamp, spoken) < 0) {
    broken.add(`the version @${stampText(spoken)}, acknowledged at one or read, is lost, ${there}`, key);
  }
  if (orderOf(final.stamp, highest) <= 0 || (evicts && final.value === undefined)) return;
  // Purged: the floor stands for the newest acknowledged write, a deletion or a value that expired, or for nothing at all.
  const newest = quorumWrites(writes).find(({ stamp }) => orderOf(stamp, highest) === 0);
  if (final.value === undefined && (newest?.value === undefined || newest.ttlMs > 0)) return;
  const possible = writes.some(
    (write) =>
      (write.value === final.value || (write.ttlMs > 0 && final.value === undefined)) &&
      write.outcome !== 'not-applied' &&
      (write.outcome === 'unknown' ||
        write.level === LEVEL.one ||
        write.stamp === undefined ||
        // An absent key answers with the floor below which deletions were purged.
        (final.value === undefined ? orderOf(write.stamp, final.stamp) <= 0 : orderOf(write.stamp, final.stamp) === 0)),
  );
  if (!possible) broken.add(`nothing explains ${valueText(final.value)}@${stampText(final.stamp)} at the end`, key);
}

/** The stamps of one node strictly increase, across its restarts too. */
function checkStampsGrow(writes: readonly WriteEvent[], broken: BrokenPromises): void {
  const nodes = new Map<number, Stamped<WriteEvent>[]>();
  for (const write of writes.filter(isStamped)) {
    if (write.outcome !== 'acknowledged') continue;
    const known = nodes.get(write.stamp.node);
    if (known === undefined) nodes.set(write.stamp.node, [write]);
    else known.push(write);
  }
  for (const made of nodes.values()) {
    const stamps = new Set(made.map((write) => write.stamp.counter));
    if (stamps.size !== made.length) broken.add(`node ${made[0]?.stamp.node} gave one stamp twice`);
    forEachWithHighestBefore(made, made, (write, highest) => {
      if (orderOf(write.stamp, highest) <= 0) {
        broken.add(`node ${highest.node} gave stamp ${write.stamp.counter} after ${highest.counter}`);
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

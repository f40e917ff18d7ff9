import type { BrokenPromises } from './broken-promise.js';
import { orderOf, type SeenStamp, stampText, type WriteEvent } from './history.js';

interface Acknowledged {
  readonly write: WriteEvent;
  readonly stamp: SeenStamp;
}

/** Writes pipelined without waiting keep their order on one connection (semantics: Session). */
export class PipelineOrder {
  readonly #lines: WeakMap<object, Map<string, Acknowledged[]>> = new WeakMap();

  /** `line`: what carries the writes to one key one after the other. */
  acknowledged(line: object, write: WriteEvent, stamp: SeenStamp, broken: BrokenPromises): void {
    let keys = this.#lines.get(line);
    if (keys === undefined) {
      keys = new Map();
      this.#lines.set(line, keys);
    }
    const others = keys.get(write.key) ?? [];
    for (const other of others.slice(-RECENT)) {
      const [first, second] = other.write.id < write.id ? [other, { write, stamp }] : [{ write, stamp }, other];
      if (orderOf(first.stamp, second.stamp) < 0) continue;
      const text = `write ${first.write.id}@${stampText(first.stamp)} was sent before write ${second.write.id}`;
      broken.add(`${text}@${stampText(second.stamp)} on one connection and has the newer stamp`, write.key);
    }
    others.push({ write, stamp });
    keys.set(write.key, others);
  }
}

/** More than can be under way at once. */
const RECENT = 40;

import { keyHash } from '@memdb/protocol';
import type { Node } from '../../src/node.js';
import type { BrokenPromises } from './broken-promise.js';
import { orderOf, type SeenStamp, stampText } from './history.js';

interface Remembered {
  readonly versions: ReadonlyMap<string, SeenStamp>;
  /** The highest counter that the node stamped a version with, durable or not. */
  readonly stamped: number;
}

/**
 * What a node claims to be durable is there after the next start, whatever happened in between (semantics: Durability),
 * and it never stamps at or below anything it may have stamped (semantics: Versions). Looked at when a process ends and
 * when the next one has recovered.
 */
export class RecoveryWatch {
  readonly #keys: readonly string[];
  readonly #broken: BrokenPromises;
  readonly #remembered: Map<string, Remembered> = new Map();

  constructor(keys: readonly string[], broken: BrokenPromises) {
    this.#keys = keys;
    this.#broken = broken;
  }

  /** The process ends now. */
  onEnd(name: string, node: Node): void {
    const { store } = node;
    if (store === undefined) return;
    const versions = new Map<string, SeenStamp>();
    for (const key of this.#keys) {
      const held = durableVersion(node, key);
      if (held !== undefined) versions.set(key, held);
    }
    let stamped = this.#remembered.get(name)?.stamped ?? 0;
    const cursor = store.logCursor(0);
    while (cursor.next()) if (cursor.node === node.number) stamped = Math.max(stamped, cursor.counter);
    this.#remembered.set(name, { versions, stamped });
  }

  /** The next process has recovered what it found. */
  onStart(name: string, node: Node): void {
    const remembered = this.#remembered.get(name);
    if (remembered === undefined) return;
    for (const [key, stamp] of remembered.versions) {
      const held = versionOf(node, key);
      if (held === undefined || orderOf(held, stamp) < 0) {
        const found = held === undefined ? 'nothing' : `@${stampText(held)}`;
        this.#broken.add(`${name} had @${stampText(stamp)} durably and recovered ${found}`, key);
      }
    }
    const current = node.lamport?.current ?? 0;
    if (current < remembered.stamped) {
      this.#broken.add(`${name} goes on from counter ${current} although it had stamped ${remembered.stamped}`);
    }
  }
}

/** The newest version that is durable; undefined when the newest one is not, or there is none. */
function durableVersion(node: Node, key: string): SeenStamp | undefined {
  const held = versionOf(node, key);
  return held !== undefined && node.store?.found.durable === true && node.store.found.lsn > 0 ? held : undefined;
}

/** The stamp of a key, or the floor that an absent one answers with. */
function versionOf({ store }: Node, key: string): SeenStamp | undefined {
  if (store === undefined) return undefined;
  const bytes = Buffer.from(key);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  store.found.lsn = 0;
  store.lookup(keyHash(bytes, view, 0, bytes.length, store.placement.hashSeed), bytes, view, 0, bytes.length);
  const { counter, node } = store.found;
  return { counter, node };
}

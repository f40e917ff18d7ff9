import type { SimFaultCounters } from './sim-faults.js';
import type { SimRandom } from './sim-random.js';

/** What a device writes as a whole. */
export const SECTOR_BYTES = 512;

/** What was overwritten since a sync: sector number to what it held before. */
export interface SimFileLayer {
  readonly before: Map<number, Uint8Array>;
  readonly sizeBefore: number;
  /** Its sync failed: the kernel forgot that it must still be written. Later syncs do not make it durable. */
  forgotten: boolean;
}

/**
 * A file as the page cache shows it, with all that is needed to undo what was never made durable. Layers are in
 * order of time, the last one is still open; a sync closes it and, once complete, makes all before it durable.
 */
export class SimFile {
  #bytes: Uint8Array;
  #size: number;
  #layers: SimFileLayer[] = [];
  #open: SimFileLayer;

  /** A file whose content is durable already. */
  constructor(content: Uint8Array) {
    this.#bytes = content;
    this.#size = content.length;
    this.#open = this.#newLayer();
  }

  get size(): number {
    return this.#size;
  }

  /** Whether a power cut could lose some of it. */
  get isDirty(): boolean {
    return this.#open.before.size > 0 || this.#layers.some(({ before }) => before.size > 0);
  }

  content(): Uint8Array {
    return this.#bytes.slice(0, this.#size);
  }

  /** Whether `bytes[start, end)` stands at `position` now and, with `durably`, would after any power cut. */
  holds(bytes: Uint8Array, start: number, end: number, position: number, durably: boolean): boolean {
    if (position + (end - start) > this.#size) return false;
    if (!isAt(this.#bytes, position, bytes, start, end)) return false;
    return !durably || [...this.#layers, this.#open].every((layer) => keeps(layer, bytes, start, end, position));
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.#size - position));
    target.set(this.#bytes.subarray(position, position + count), offset);
    return count;
  }

  write(source: Uint8Array, offset: number, length: number, position: number): void {
    if (length === 0) return;
    const end = position + length;
    this.#reserve(end);
    const last = Math.floor((end - 1) / SECTOR_BYTES);
    for (let sector = Math.floor(position / SECTOR_BYTES); sector <= last; sector++) {
      if (this.#open.before.has(sector)) continue;
      this.#open.before.set(sector, this.#bytes.slice(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES));
    }
    this.#bytes.set(source.subarray(offset, offset + length), position);
    if (end > this.#size) this.#size = end;
  }

  /** Starts a sync of all that was written so far; hand the result to `syncDone` or `syncFailed`. */
  beginSync(): SimFileLayer {
    const layer = this.#open;
    this.#layers.push(layer);
    this.#open = this.#newLayer();
    return layer;
  }

  syncDone(layer: SimFileLayer): void {
    const index = this.#layers.indexOf(layer);
    // A later sync completed first and covered this one.
    if (index < 0) return;
    const durable = this.#layers.slice(0, index + 1).filter((earlier) => !earlier.forgotten);
    const forgotten = this.#layers.slice(0, index + 1).filter((earlier) => earlier.forgotten);
    for (const lost of forgotten) {
      for (const { before } of durable) for (const sector of before.keys()) lost.before.delete(sector);
    }
    this.#layers = [...forgotten, ...this.#layers.slice(index + 1)];
  }

  syncFailed(layer: SimFileLayer): void {
    layer.forgotten = true;
  }

  /** What a power cut leaves: of every sector some version since the last sync, one of them perhaps half written. */
  losePower(random: SimRandom, lossRate: number, faults: SimFaultCounters): void {
    const layers = [this.#open, ...this.#layers.toReversed()];
    const sizeBefore = layers[layers.length - 1].sizeBefore;
    if (sizeBefore < this.#size && random.chance(lossRate)) this.#truncate(random, sizeBefore);
    const lost: { sector: number; older: Uint8Array }[] = [];
    for (const sector of new Set(layers.flatMap((layer) => [...layer.before.keys()]))) {
      if (!random.chance(lossRate)) continue;
      const versions = layers.map((layer) => layer.before.get(sector)).filter((version) => version !== undefined);
      lost.push({ sector, older: random.pick(versions) });
    }
    const torn = random.chance(0.5) ? random.below(lost.length) : -1;
    for (const [index, { sector, older }] of lost.entries()) {
      const kept = index === torn ? random.below(SECTOR_BYTES) : 0;
      faults.bump(index === torn ? 'sector-torn' : 'sector-lost');
      const position = sector * SECTOR_BYTES;
      if (position < this.#size) this.#bytes.set(older.subarray(kept), position + kept);
    }
    this.#bytes.fill(0, this.#size);
    this.#layers = [];
    this.#open = this.#newLayer();
  }

  flipBit(position: number, bit: number): void {
    this.#bytes[position] ^= 1 << bit;
  }

  #truncate(random: SimRandom, sizeBefore: number): void {
    this.#size = sizeBefore + random.below(this.#size - sizeBefore + 1);
  }

  #newLayer(): SimFileLayer {
    return { before: new Map(), sizeBefore: this.#size, forgotten: false };
  }

  /** Whole sectors, so that every sector can be kept and put back as one. */
  #reserve(bytes: number): void {
    const needed = Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, Math.ceil((this.#bytes.length * 1.5) / SECTOR_BYTES) * SECTOR_BYTES));
    grown.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = grown;
  }
}

/** Whether undoing a layer, of any of its sectors, would leave `bytes[start, end)` at `position` as they are. */
function keeps(layer: SimFileLayer, bytes: Uint8Array, start: number, end: number, position: number): boolean {
  if (layer.before.size === 0) return true;
  const endPosition = position + (end - start);
  if (layer.sizeBefore < endPosition) return false;
  for (let sector = Math.floor(position / SECTOR_BYTES); sector * SECTOR_BYTES < endPosition; sector++) {
    const before = layer.before.get(sector);
    if (before === undefined) continue;
    const from = Math.max(position, sector * SECTOR_BYTES);
    const to = Math.min(endPosition, (sector + 1) * SECTOR_BYTES);
    if (!isAt(before, from - sector * SECTOR_BYTES, bytes, start + from - position, start + to - position))
      return false;
  }
  return true;
}

function isAt(bytes: Uint8Array, at: number, other: Uint8Array, start: number, end: number): boolean {
  return Buffer.compare(bytes.subarray(at, at + end - start), other.subarray(start, end)) === 0;
}

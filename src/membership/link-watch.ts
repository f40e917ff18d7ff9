import type { PeerLink } from './peer-link.js';
import { TICK_MS } from './swim/timing.js';

/** A link on which nothing has come for this long is asked for a sign of life: data that flows is one. */
const QUIET_MS = 300;
/**
 * Wait for that sign after which a peer is asked last and not counted on. With what comes before it 1.2 s from the last
 * word: SWIM takes several rounds, and would let requests wait for a peer that is gone.
 */
const SILENT_MS = 800;
/**
 * Wait after which the connection is given up and dialed again. The peer may have come back, elsewhere even, without the
 * connection noticing: TCP alone needs a quarter of an hour, and no longer sends once the peer's window is full.
 */
const GIVE_UP_MS = 4500;
/**
 * Links that are asked in one tick: 250 a second, 28 bytes each way. Up to 100 members each is asked as soon as it is
 * quiet; a thousand are gone through in four seconds.
 */
const ASKED_PER_TICK_MAX = 50;
/** The node itself stood still for that long: what it did not hear in that time counts against nobody. */
const LATE_MS = 3 * TICK_MS;

/** Finds links that are up and do not answer. A link that breaks is noticed at once, without this. */
export class LinkWatch {
  readonly #silent: Set<PeerLink> = new Set();
  #lastMs = 0;
  #turn = 0;

  isSilent(link: PeerLink): boolean {
    return this.#silent.has(link);
  }

  forget(link: PeerLink): void {
    this.#silent.delete(link);
  }

  /** Called every `TICK_MS` or later; `onChanged` is called for links that fell silent, or answer again. */
  tick(nowMs: number, links: readonly (PeerLink | undefined)[], onChanged: (link: PeerLink) => void): void {
    const isLate = this.#lastMs !== 0 && nowMs - this.#lastMs > LATE_MS;
    this.#lastMs = nowMs;
    for (const link of links) {
      if (link?.isUp !== true) continue;
      if (isLate && link.askedMs !== 0) link.askedMs = nowMs;
      const owedMs = link.askedMs === 0 ? 0 : nowMs - link.askedMs;
      const isSilent = owedMs >= SILENT_MS;
      if (isSilent !== this.#silent.has(link)) {
        if (isSilent) this.#silent.add(link);
        else this.#silent.delete(link);
        onChanged(link);
      }
      if (owedMs >= GIVE_UP_MS) link.reset(`silent for ${Math.round(nowMs - link.heardMs)} ms`);
    }
    this.#askQuiet(nowMs, links);
  }

  #askQuiet(nowMs: number, links: readonly (PeerLink | undefined)[]): void {
    let asked = 0;
    for (let step = 0; step < links.length && asked < ASKED_PER_TICK_MAX; step++) {
      this.#turn = (this.#turn + 1) % links.length;
      const link = links[this.#turn];
      if (link?.isUp !== true || link.askedMs !== 0 || nowMs - link.heardMs < QUIET_MS) continue;
      link.ask();
      asked++;
    }
  }
}

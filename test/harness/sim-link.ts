import type { SimEvent } from './sim-event.js';
import type { SimFaultCounters } from './sim-faults.js';
import type { SimRandom } from './sim-random.js';
import type { SimScheduler } from './sim-scheduler.js';

/** How the network behaves; change the fields at any time. */
export interface SimNetworkBehaviour {
  /** Each direction between two nodes has a base latency between these, drawn once. */
  latencyMsMin: number;
  latencyMsMax: number;
  /** Mean of the exponential delay that each message adds to it. */
  jitterMs: number;
  /** With this chance a message takes `spikeMs` more: a lost packet that TCP sends again. */
  spikeChance: number;
  spikeMs: number;
  /** Chance that a delivery is cut at a random byte. */
  splitChance: number;
  /** Chance that the sender's kernel takes only part of a write although it has room. */
  retainChance: number;
  /** Chance that a delivery resets its connection instead. */
  resetChance: number;
  /** A dial that hears nothing fails after this time. */
  dialTimeoutMs: number;
  /** A connection whose bytes are held for a time between these fails at the sender. */
  stallTimeoutMsMin: number;
  stallTimeoutMsMax: number;
}

export const NETWORK_BEHAVIOUR: Readonly<SimNetworkBehaviour> = {
  latencyMsMin: 0.05,
  latencyMsMax: 1,
  jitterMs: 0.1,
  spikeChance: 0,
  spikeMs: 200,
  splitChance: 0.2,
  retainChance: 0.02,
  resetChance: 0,
  dialTimeoutMs: 10_000,
  stallTimeoutMsMin: 10_000,
  stallTimeoutMsMax: 60_000,
};

/** Nothing waits longer than this behind others on a clogged link. */
const CLOG_MS_MAX = 5000;

/** One direction between two nodes. While it is held, what arrives over it waits. */
export class SimLink {
  readonly from: string;
  readonly to: string;
  readonly #scheduler: SimScheduler;
  readonly #random: SimRandom;
  readonly #behaviour: SimNetworkBehaviour;
  readonly #faults: SimFaultCounters;
  readonly #baseMs: number;
  readonly #waiting: SimEvent[] = [];
  #cut = false;
  /** Bytes a millisecond that pass while it is clogged, and when what was sent before has passed. */
  #clogRate = 0;
  #clearMs = 0;
  #downAtEnd = false;

  constructor(
    from: string,
    to: string,
    scheduler: SimScheduler,
    random: SimRandom,
    behaviour: SimNetworkBehaviour,
    faults: SimFaultCounters,
  ) {
    this.from = from;
    this.to = to;
    this.#scheduler = scheduler;
    this.#random = random;
    this.#behaviour = behaviour;
    this.#faults = faults;
    this.#baseMs = from === to ? 0.02 : random.between(behaviour.latencyMsMin, behaviour.latencyMsMax);
  }

  get held(): boolean {
    return this.#cut || this.#downAtEnd;
  }

  /** How long the next message, of so many bytes, is under way. */
  latencyMs(bytes = 0): number {
    let latencyMs = this.#queueMs(bytes) + this.#baseMs - Math.log(1 - this.#random.unit()) * this.#behaviour.jitterMs;
    if (this.#random.chance(this.#behaviour.spikeChance)) {
      this.#faults.bump('latency-spike');
      latencyMs += this.#behaviour.spikeMs;
    }
    return latencyMs;
  }

  /** Runs `event` once nothing holds the link. */
  hold(event: SimEvent): void {
    event.scheduled = true;
    this.#waiting.push(event);
  }

  /** Bytes wait until it is healed. */
  cut(): void {
    this.#cut = true;
  }

  /** So few bytes pass in a millisecond from now on that what follows waits behind them. */
  clog(bytesPerMs: number): void {
    this.#clogRate = bytesPerMs;
  }

  heal(): void {
    this.#cut = false;
    this.#clogRate = 0;
    this.#release();
  }

  /** The machine at the far end lost power, or is back. */
  setDown(down: boolean): void {
    this.#downAtEnd = down;
    this.#release();
  }

  #queueMs(bytes: number): number {
    if (this.#clogRate === 0 || bytes === 0) return 0;
    const { nowMs } = this.#scheduler;
    this.#clearMs = Math.min(Math.max(this.#clearMs, nowMs) + bytes / this.#clogRate, nowMs + CLOG_MS_MAX);
    this.#faults.bump('bytes-clogged', bytes);
    return this.#clearMs - nowMs;
  }

  #release(): void {
    if (this.held) return;
    for (const event of this.#waiting.splice(0)) {
      event.scheduled = false;
      this.#scheduler.schedule(event, this.#scheduler.nowMs + this.latencyMs());
    }
  }
}

import type { LocalHealth } from './local-health.js';
import { DIRECT_MS, RELAY_MS, RELAYS, ROUND_MS } from './timing.js';

/** The probe of this round. Changed by `Prober` only. */
type Probe =
  | { readonly kind: 'none' }
  | { readonly kind: 'direct'; readonly target: string; readonly sequence: number; readonly relaysAtMs: number }
  | {
      readonly kind: 'relayed';
      readonly target: string;
      readonly sequence: number;
      readonly relays: number;
      /** Relays that answered that they did not reach the target either. */
      refusals: number;
    }
  | { readonly kind: 'answered' };

/** A probe for somebody else. */
interface RelayedProbe {
  readonly asker: string;
  readonly askerSequence: number;
  readonly target: string;
  readonly untilMs: number;
}

/** Probes that a member runs for others at once; each lasts `RELAY_MS`. A node of 1,000 is asked for 3 a round. */
const RELAYED_MAX = 64;

export interface ProberOptions {
  readonly health: LocalHealth;
  readonly firstRoundMs: number;
  /** Unique among all probes of this node, from 1: messages that are no probe carry 0. */
  readonly nextSequence: () => number;
  /** Whom to probe next; undefined when there is nobody. */
  readonly next: () => string | undefined;
  /** Members that may reach the target. */
  readonly relays: (count: number, target: string) => string[];
  readonly ping: (target: string, sequence: number) => void;
  readonly askRelay: (relay: string, sequence: number, target: string) => void;
  readonly answerRelay: (asker: string, sequence: number, reached: boolean) => void;
  /** Neither the target nor any relay answered within the round. */
  readonly failed: (target: string) => void;
}

/** Probes one member each round, directly and then through others (SWIM, sections 3.1 and 4.3). */
export class Prober {
  readonly #options: ProberOptions;
  readonly #relayed: Map<number, RelayedProbe> = new Map();
  #probe: Probe = { kind: 'none' };
  #roundEndsMs: number;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#roundEndsMs = options.firstRoundMs;
  }

  /** Who has to answer in this round; undefined when nobody does any more. */
  get target(): string | undefined {
    const probe = this.#probe;
    return probe.kind === 'direct' || probe.kind === 'relayed' ? probe.target : undefined;
  }

  tick(nowMs: number): void {
    this.#giveUpRelayed(nowMs);
    if (nowMs >= this.#roundEndsMs) this.#nextRound(nowMs);
    else if (this.#probe.kind === 'direct' && nowMs >= this.#probe.relaysAtMs) this.#askRelays(this.#probe);
  }

  /** Somebody answered a ping, or was heard in another way (no sequence). */
  answered(from: string, sequence?: number): void {
    if (from === this.target) {
      this.#probe = { kind: 'answered' };
      this.#options.health.better();
    }
    if (sequence === undefined) return;
    const relayed = this.#relayed.get(sequence);
    if (relayed?.target !== from) return;
    this.#relayed.delete(sequence);
    this.#options.answerRelay(relayed.asker, relayed.askerSequence, true);
  }

  /** A relay says whether it reached the target. */
  relayAnswered(sequence: number, reached: boolean): void {
    const probe = this.#probe;
    if (probe.kind !== 'relayed' || probe.sequence !== sequence) return;
    if (reached) this.answered(probe.target);
    else probe.refusals++;
  }

  /** Somebody asks whether a target can be reached from here. */
  probeFor(asker: string, askerSequence: number, target: string, nowMs: number): void {
    if (this.#relayed.size === RELAYED_MAX) {
      this.#options.answerRelay(asker, askerSequence, false);
      return;
    }
    const sequence = this.#options.nextSequence();
    this.#relayed.set(sequence, { asker, askerSequence, target, untilMs: nowMs + RELAY_MS });
    this.#options.ping(target, sequence);
  }

  #nextRound(nowMs: number): void {
    const { health, next, ping, failed } = this.#options;
    const probe = this.#probe;
    if (probe.kind === 'direct' || probe.kind === 'relayed') {
      // A relay that is well says so within the round: who hears of none of them is likely deaf itself.
      const silent = probe.kind === 'relayed' ? probe.relays - probe.refusals : 0;
      health.worse(probe.kind === 'relayed' && probe.relays > 0 ? silent : 1);
      failed(probe.target);
    }
    this.#roundEndsMs = nowMs + ROUND_MS * health.multiplier;
    const target = next();
    if (target === undefined) {
      this.#probe = { kind: 'none' };
      return;
    }
    const sequence = this.#options.nextSequence();
    this.#probe = { kind: 'direct', target, sequence, relaysAtMs: nowMs + DIRECT_MS * health.multiplier };
    ping(target, sequence);
  }

  #askRelays({ target, sequence }: { readonly target: string; readonly sequence: number }): void {
    const relays = this.#options.relays(RELAYS, target);
    this.#probe = { kind: 'relayed', target, sequence, relays: relays.length, refusals: 0 };
    for (const relay of relays) this.#options.askRelay(relay, sequence, target);
  }

  #giveUpRelayed(nowMs: number): void {
    for (const [sequence, { asker, askerSequence, untilMs }] of this.#relayed) {
      if (nowMs < untilMs) continue;
      this.#relayed.delete(sequence);
      this.#options.answerRelay(asker, askerSequence, false);
    }
  }
}

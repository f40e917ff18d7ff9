/** At the worst a node waits nine times as long for others. */
const HEALTH_SCORE_MAX = 8;

/**
 * How much a node doubts itself (Lifeguard, Local Health Multiplier): 0 when all is well. Unanswered probes, relays that
 * say nothing at all, accusations that it had to refute and its own late timers raise the score, answers lower it. Rounds
 * and timeouts grow with it: a node that cannot hear must not accuse.
 */
export class LocalHealth {
  score = 0;

  /** What probes and rounds take `multiplier` times as long. */
  get multiplier(): number {
    return this.score + 1;
  }

  worse(by = 1): void {
    this.score = Math.min(HEALTH_SCORE_MAX, this.score + by);
  }

  better(): void {
    this.score = Math.max(0, this.score - 1);
  }
}

import { createHash } from 'node:crypto';
import { IDEMPOTENCY_KEY_CHARACTERS_MAX, IDEMPOTENT_ANSWER_MS, IDEMPOTENT_ANSWERS_MAX } from '../limits.js';
import { ApiError } from './problem.js';

interface Kept {
  readonly request: string;
  readonly answer: Promise<Answer>;
  readonly untilMs: number;
}

/** What was answered to an action. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/**
 * Answers to actions, by the `Idempotency-Key` that came with them: a repeat gets the answer of the first, also while that
 * is still under way, and does nothing.
 */
export class IdempotentAnswers {
  readonly #nowMs: () => number;
  readonly #kept: Map<string, Kept> = new Map();

  /** `nowMs` is monotonic. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /**
   * @throws ApiError `idempotency-key-reused` when the key came with another request before.
   */
  answer(who: string, key: string, request: string, act: () => Promise<Answer>): Promise<Answer> {
    if (key.length === 0 || key.length > IDEMPOTENCY_KEY_CHARACTERS_MAX) {
      throw new ApiError(
        400,
        'bad-request',
        `An idempotency key has 1 to ${IDEMPOTENCY_KEY_CHARACTERS_MAX} characters.`,
      );
    }
    const nowMs = this.#nowMs();
    for (const [name, { untilMs }] of this.#kept) {
      if (untilMs > nowMs && this.#kept.size <= IDEMPOTENT_ANSWERS_MAX) break;
      this.#kept.delete(name);
    }
    const name = createHash('sha256').update(`${who}\n${key}`).digest('base64');
    const kept = this.#kept.get(name);
    if (kept === undefined) {
      const answer = act();
      this.#kept.set(name, { request, answer, untilMs: nowMs + IDEMPOTENT_ANSWER_MS });
      return answer;
    }
    if (kept.request === request) return kept.answer;
    throw new ApiError(
      422,
      'idempotency-key-reused',
      'This idempotency key came with another request before; use a new one.',
    );
  }
}

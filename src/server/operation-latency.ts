import { Consistency, Opcode, type OutgoingBuffer } from '@memdb/protocol';
import type { Clock } from '../ports/clock.js';
import type { Histogram, Telemetry } from '../ports/telemetry.js';
import type { ReplyTarget } from '../replication/replies.js';

/** One operation in so many is timed: an observation costs 100 ns, shared by 64 operations it is lost in the noise. */
const SAMPLE_MASK = 63;
const SLOW_LOG_PER_SECOND_MAX = 10;
const OPERATIONS = ['get', 'set', 'delete', 'contains', 'quorumGet'] as const;
const LEVELS = ['one', 'quorum', 'all', 'serial'] as const;
const OPCODES_MAX = 256;
/** By opcode and level. */
const LEVEL_SLOTS = 8;

/**
 * Times a sample of the operations on keys, from the frame to the reply: `operation_seconds`, by kind and consistency. A
 * timed operation is answered through an object in front of its connection; the others do not notice. Those of the sample
 * that take long are logged.
 */
export class OperationLatency {
  readonly #clock: Clock;
  readonly #telemetry: Telemetry;
  readonly #slowMs: number;
  readonly #histograms: (Histogram | undefined)[] = new Array(OPCODES_MAX * LEVEL_SLOTS).fill(undefined);
  #count = 0;
  #slowWindowMs = 0;
  #slowLogged = 0;

  /** Operations that take longer than `slowMs` are logged. */
  constructor(clock: Clock, telemetry: Telemetry, slowMs: number) {
    this.#clock = clock;
    this.#telemetry = telemetry;
    this.#slowMs = slowMs;
  }

  /** Whether the next operation is one of the sample. Hot: `bench -- speed` watches it. */
  isDue(): boolean {
    this.#count = (this.#count + 1) & SAMPLE_MASK;
    return this.#count === 0;
  }

  /** What stands in for `target` while this operation is timed. `selector` is its consistency, or the replies wanted. */
  watch(target: ReplyTarget, opcode: number, selector: number, hash: number, path: string): ReplyTarget {
    const startedMs = this.#clock.monotonicMs();
    return new TimedTarget(target, () => this.#end(opcode, selector, hash, path, startedMs));
  }

  #end(opcode: number, selector: number, hash: number, path: string, startedMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    const tookMs = nowMs - startedMs;
    this.#histogram(opcode, selector)?.observe(tookMs / 1000);
    if (tookMs >= this.#slowMs) this.#logSlow(opcode, selector, hash, path, tookMs, nowMs);
  }

  #histogram(opcode: number, selector: number): Histogram | undefined {
    const operation = nameOf(opcode);
    if (operation === undefined) return undefined;
    // quorumGet has a number of replies there: it is of one level.
    const level = opcode === Opcode.quorumGet ? Consistency.quorum : selector;
    const consistency = LEVELS[level - 1];
    if (consistency === undefined) return undefined;
    const slot = opcode * LEVEL_SLOTS + level;
    this.#histograms[slot] ??= this.#telemetry.histogram(
      'operation_seconds',
      'From the frame to the reply, of one in 64 of the operations on keys that this node took from clients.',
      { operation, consistency },
    );
    return this.#histograms[slot];
  }

  #logSlow(opcode: number, selector: number, hash: number, path: string, tookMs: number, nowMs: number): void {
    if (nowMs - this.#slowWindowMs >= 1000) {
      this.#slowWindowMs = nowMs;
      this.#slowLogged = 0;
    }
    if (this.#slowLogged++ >= SLOW_LOG_PER_SECOND_MAX) return;
    this.#telemetry.log('warn', 'slow-operation', {
      message: `an operation of the sample took ${Math.round(tookMs)} ms`,
      operation: nameOf(opcode),
      consistency: LEVELS[selector - 1],
      keyHash: hash.toString(16).padStart(8, '0'),
      path,
      tookMs: Math.round(tookMs),
    });
  }
}

function nameOf(opcode: number): string | undefined {
  return OPERATIONS.find((name) => Opcode[name] === opcode);
}

/** A connection as one operation sees it, which hears of its answer. */
class TimedTarget implements ReplyTarget {
  readonly #target: ReplyTarget;
  readonly #onAnswer: () => void;

  constructor(target: ReplyTarget, onAnswer: () => void) {
    this.#target = target;
    this.#onAnswer = onAnswer;
  }

  get out(): OutgoingBuffer {
    return this.#target.out;
  }
  get closed(): boolean {
    return this.#target.closed;
  }
  get dirty(): boolean {
    return this.#target.dirty;
  }
  set dirty(value: boolean) {
    this.#target.dirty = value;
  }
  get saturated(): boolean {
    return this.#target.saturated;
  }
  get session(): object {
    return this.#target.session;
  }
  get inflight(): number {
    return this.#target.inflight;
  }
  /** Everybody who answers, or drops, an operation takes it off here. */
  set inflight(value: number) {
    if (value < this.#target.inflight) this.#onAnswer();
    this.#target.inflight = value;
  }

  flush(): void {
    this.#target.flush();
  }
}

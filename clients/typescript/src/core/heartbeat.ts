import { Opcode } from '@memdb/protocol';
import { connectionLostError } from './failures.js';
import type { Link, LinkContext } from './link.js';
import { Form } from './operation.js';
import type { Timer } from './ports.js';

const BEAT_MS = 1000;
/** Beats without a word from a node that was asked for one: then its connection is given up. */
const SILENT_BEATS_MAX = 5;

/** What was heard of a connection up to the last beat. */
interface Pulse {
  chunks: number;
  silentBeats: number;
}

/**
 * Notices connections whose other end is gone without a word (a machine that lost power, a cut link): asks those
 * that say nothing, and closes them when they do not answer.
 */
export class Heartbeat {
  readonly #context: LinkContext;
  readonly #pulses: WeakMap<Link, Pulse> = new WeakMap();
  #timer: Timer | undefined = undefined;

  constructor(context: LinkContext) {
    this.#context = context;
  }

  start(): void {
    this.#timer = this.#context.ports.timers.start(BEAT_MS, () => this.#beat());
  }

  stop(): void {
    if (this.#timer !== undefined) this.#context.ports.timers.stop(this.#timer);
    this.#timer = undefined;
  }

  #beat(): void {
    this.start();
    for (const link of [...this.#context.links]) if (link.peer !== undefined) this.#examine(link);
  }

  #examine(link: Link): void {
    const pulse = this.#pulses.get(link) ?? { chunks: -1, silentBeats: 0 };
    this.#pulses.set(link, pulse);
    if (link.chunks !== pulse.chunks) {
      pulse.chunks = link.chunks;
      pulse.silentBeats = 0;
      return;
    }
    pulse.silentBeats++;
    if (pulse.silentBeats > SILENT_BEATS_MAX) {
      const silentMs = pulse.silentBeats * BEAT_MS;
      link.destroy(connectionLostError(link.address, new Error(`it said nothing for ${silentMs} ms`)));
    } else if (pulse.silentBeats === 1 && link.hasRoom) this.#ping(link);
  }

  #ping(link: Link): void {
    const { dispatcher } = this.#context;
    const ping = dispatcher.take();
    ping.opcode = Opcode.ping;
    ping.form = Form.ping;
    ping.isWrite = false;
    ping.timeoutMs = SILENT_BEATS_MAX * BEAT_MS;
    dispatcher.startOn(link, ping);
  }
}

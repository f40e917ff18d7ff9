import { type MemDbError, Opcode, type WireTopology } from '@memdb/protocol';
import type { Link, LinkContext } from './link.js';
import { Form } from './operation.js';
import type { Timer } from './ports.js';

const TIMEOUT_MS = 1000;
/** Between two requests: an answer that is still old, or a cluster that is not founded yet, is asked for again. */
const PAUSE_MS = 100;

/** Asks a node for the topology, one request at a time. */
export class TopologyRequest {
  /** Why the last request failed; undefined once one succeeded. */
  lastError: MemDbError | undefined = undefined;
  readonly #context: LinkContext;
  readonly #onTopology: (topology: WireTopology) => void;
  #isUnderWay = false;
  #pause: Timer | undefined = undefined;
  /** Who is to be asked after the pause. */
  #wanted: Link | undefined = undefined;

  constructor(context: LinkContext, onTopology: (topology: WireTopology) => void) {
    this.#context = context;
    this.#onTopology = onTopology;
  }

  /** Asks at once, or after the request that is under way and a short pause. */
  send(link: Link): void {
    if (!link.isReady) return;
    if (this.#isUnderWay || this.#pause !== undefined) {
      this.#wanted = link;
      return;
    }
    this.#isUnderWay = true;
    const { dispatcher } = this.#context;
    const request = dispatcher.take();
    request.opcode = Opcode.topology;
    request.form = Form.topology;
    request.isWrite = false;
    request.timeoutMs = TIMEOUT_MS;
    request.resolve = (topology: unknown): void => {
      this.#end(link, undefined);
      this.#onTopology(topology as WireTopology);
    };
    request.reject = (error: MemDbError): void => this.#end(link, error);
    dispatcher.startOn(link, request);
  }

  stop(): void {
    if (this.#pause !== undefined) this.#context.ports.timers.stop(this.#pause);
    this.#pause = undefined;
  }

  #end(link: Link, error: MemDbError | undefined): void {
    this.#isUnderWay = false;
    this.lastError = error;
    this.#pause = this.#context.ports.timers.start(PAUSE_MS, () => {
      this.#pause = undefined;
      // Without a topology nothing can be routed, and this node could not tell it: the search goes on.
      if (error !== undefined && this.#context.dispatcher.routes === undefined) link.destroy(error);
      const wanted = this.#wanted;
      this.#wanted = undefined;
      if (wanted !== undefined) this.send(wanted);
    });
  }
}

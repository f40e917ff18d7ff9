import { formatAddress } from '../../src/ports/address.js';
import {
  abortChange,
  beginChange,
  type ChangeRequest,
  commitChange,
  pauseChange,
} from '../../src/topology/epoch-change.js';
import type { Epochs } from '../../src/topology/epochs.js';
import type { Transfers } from '../../src/topology/transfers/transfers.js';
import type { SimCluster } from './sim-cluster.js';

/** Changes the owners of a simulated cluster, as an operator would who sees all nodes at once. */
export class SimChange {
  readonly #cluster: SimCluster;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  epochs(name: string): Epochs {
    const { epochs } = this.#cluster.node(name);
    if (epochs === undefined) throw new Error(`${name} is in no cluster`);
    return epochs;
  }

  transfers(name: string): Transfers {
    const { transfers } = this.#cluster.node(name);
    if (transfers === undefined) throw new Error(`${name} is in no cluster`);
    return transfers;
  }

  /** That a node, which may be in no cluster yet, joins. */
  joinOf(name: string): ChangeRequest {
    const { uuid, address, config } = this.#cluster.node(name);
    const { zone, host, weight } = config.node;
    return { kind: 'join', record: { uuid, address: formatAddress(address), http: '', zone, host, weight } };
  }

  leaveOf(name: string): ChangeRequest {
    return { kind: 'leave', node: this.#cluster.node(name).number };
  }

  removeOf(name: string): ChangeRequest {
    return { kind: 'remove', node: this.#cluster.node(name).number };
  }

  /** Proposes the pending epoch at a node, and waits until these nodes are in it. */
  begin(at: string, requests: readonly ChangeRequest[], names: readonly string[]): void {
    // The nodes would bring the change to its end by themselves.
    for (const name of this.#cluster.members) this.#cluster.node(name).changes?.stop();
    const epochs = this.epochs(at);
    const transfers = this.transfers(at);
    epochs.propose(beginChange(epochs.current, requests, (entry) => transfers.isReleased(entry)));
    this.#await(names, epochs.current.epoch + 1);
  }

  commit(at: string, names: readonly string[]): void {
    const epochs = this.epochs(at);
    // A node that was restarted meanwhile does so by itself.
    if (epochs.current.pending === undefined) {
      this.#await(names, epochs.current.epoch);
      return;
    }
    epochs.propose(commitChange(epochs.current));
    this.#await(names, epochs.current.epoch + 1);
  }

  abort(at: string, names: readonly string[]): void {
    const epochs = this.epochs(at);
    epochs.propose(abortChange(epochs.current));
    this.#await(names, epochs.current.epoch + 1);
  }

  pause(at: string, isPaused: boolean, names: readonly string[]): void {
    const epochs = this.epochs(at);
    epochs.propose(pauseChange(epochs.current, isPaused));
    this.#await(names, epochs.current.epoch + 1);
  }

  /** Whether these nodes hold all that the pending change gives them. */
  areComplete(names: readonly string[]): boolean {
    const { epoch } = this.epochs(names[0]).current;
    return names.every((name) => this.epochs(name).current.epoch === epoch && this.transfers(name).isComplete);
  }

  awaitComplete(names: readonly string[]): void {
    const { world } = this.#cluster;
    if (world.runUntil(() => this.areComplete(names), world.nowMs + 60_000)) return;
    const states = names.map((name) => `${name} ${JSON.stringify(this.transfers(name).progress())}`);
    throw new Error(`not complete after 60 s: ${states.join(', ')}\n${this.#cluster.log(names)}`);
  }

  awaitDrained(name: string): void {
    const { world } = this.#cluster;
    if (world.runUntil(() => this.transfers(name).isDrained, world.nowMs + 60_000)) return;
    throw new Error(`${name} is not drained after 60 s\n${this.#cluster.log()}`);
  }

  #await(names: readonly string[], epoch: number): void {
    const { world } = this.#cluster;
    const isIn = (name: string): boolean => (this.#cluster.node(name).topology?.epoch ?? 0) >= epoch;
    if (world.runUntil(() => names.every(isIn), world.nowMs + 20_000)) return;
    const states = names.map((name) => `${name}: ${this.#cluster.node(name).topology?.epoch}`);
    throw new Error(`not in epoch ${epoch} after 20 s: ${states.join(', ')}\n${this.#cluster.log(names)}`);
  }
}

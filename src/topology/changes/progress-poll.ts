import type { TransferProgress, WireTopology } from '@memdb/protocol';

/** A node is asked again after this, and where many are asked after so long for each: 1000 nodes twice in 4 seconds. */
const ASK_AGAIN_MS = 250;
const ASK_EACH_MS = 2;

export interface ProgressPollOptions {
  readonly self: number;
  readonly own: () => TransferProgress;
  /** Asks another node; what it answers comes to `onProgress`. Does nothing while it cannot be reached. */
  readonly ask: (node: number) => void;
}

/**
 * How far the nodes are with the change in force, as they said in its very epoch. What was said in another one counts for
 * nothing (mechanisms: Epochs).
 */
export class ProgressPoll {
  readonly #options: ProgressPollOptions;
  #epoch = 0;
  #askedMs: number = Number.NEGATIVE_INFINITY;
  readonly #progress: Map<number, TransferProgress> = new Map();

  constructor(options: ProgressPollOptions) {
    this.#options = options;
  }

  /** Another epoch is in force. */
  onEpoch(epoch: number): void {
    this.#epoch = epoch;
    this.#askedMs = Number.NEGATIVE_INFINITY;
    this.#progress.clear();
  }

  /** A node answered while it was in `epoch`. */
  onProgress(node: number, epoch: number, progress: TransferProgress): void {
    if (epoch === this.#epoch) this.#progress.set(node, progress);
  }

  /** Asks whoever has not said yet that it is done; as often as `step` is called, but not more often than is of use. */
  step(topology: WireTopology, nowMs: number): void {
    const open = [...newOwnersOf(topology).filter((node) => !this.#isFilled(node)), ...this.#notDrained(topology)];
    if (nowMs - this.#askedMs < Math.max(ASK_AGAIN_MS, open.length * ASK_EACH_MS)) return;
    this.#askedMs = nowMs;
    for (const node of open) {
      if (node === this.#options.self) this.onProgress(node, topology.epoch, this.#options.own());
      else this.#options.ask(node);
    }
  }

  /** Whether every new owner said that it holds all it is to hold. */
  isComplete(topology: WireTopology): boolean {
    return newOwnersOf(topology).every((node) => this.#isFilled(node));
  }

  /** Nodes that have left, and said that they have handed over all they had. */
  drained(topology: WireTopology): Set<number> {
    return new Set(departingOf(topology).filter((node) => this.#progress.get(node)?.isDrained === true));
  }

  #isFilled(node: number): boolean {
    const progress = this.#progress.get(node);
    return progress !== undefined && progress.filled >= progress.partitions;
  }

  #notDrained(topology: WireTopology): number[] {
    return departingOf(topology).filter((node) => this.#progress.get(node)?.isDrained !== true);
  }
}

/** Who is to own something after the pending change; nobody while none is pending. */
export function newOwnersOf({ pending }: WireTopology): number[] {
  return pending === undefined ? [] : [...new Set(pending.owners)];
}

export function departingOf({ nodes }: WireTopology): number[] {
  return nodes.filter(({ standing }) => standing === 'departing').map(({ number }) => number);
}

import type { WireTopology } from '@memdb/protocol';
import { formatAddress } from '../../src/ports/address.js';
import {
  abortChange,
  beginChange,
  type ChangeRequest,
  commitChange,
  pauseChange,
  refusalOf,
  retire,
} from '../../src/topology/epoch-change.js';
import type { Epochs } from '../../src/topology/epochs.js';
import type { Journal } from './journal.js';
import type { SimCluster } from './sim-cluster.js';
import type { SimRandom } from './sim-random.js';
import type { SimWorld } from './sim-world.js';

/** Owners of fewer nodes than this would be the same for all partitions. */
const MEMBERS_MIN = 3;
/** A proposal that was not decided by then is made again, or another one. */
const AGAIN_MS = 400;
/** How long a node that is to be removed is dead: the change may be over by then, or not. */
const DEAD_MS = 2500;
/** How often it looks whether a change has come to its end. */
const LOOK_MS = 50;

/** What a mover sees of the node through which it acts. */
interface Door {
  readonly name: string;
  readonly epochs: Epochs;
}

export interface MoverOptions {
  /** Mean time between the end of one change and the beginning of the next. */
  readonly intervalMs: number;
  /** The disk of a node was emptied: it comes back as another one. */
  readonly onWiped: (name: string) => void;
}

/**
 * Moves partitions while the cluster works, as an operator does who sees all nodes at once: nodes join, leave, are removed
 * when they are dead, and replaced; weights change; changes are paused, and aborted. Several at once now and then.
 */
export class Mover {
  /** A dead node was removed: what it alone had acknowledged, at consistency `one`, is lost with it. */
  hasRemovedDead = false;
  committed = 0;
  aborted = 0;
  readonly #world: SimWorld;
  readonly #cluster: SimCluster;
  readonly #journal: Journal;
  readonly #random: SimRandom;
  readonly #options: MoverOptions;
  #untilMs = 0;
  #nextMs = 0;

  constructor(world: SimWorld, cluster: SimCluster, journal: Journal, options: MoverOptions) {
    this.#world = world;
    this.#cluster = cluster;
    this.#journal = journal;
    this.#random = world.random.fork('mover');
    this.#options = options;
  }

  run(untilMs: number): void {
    this.#untilMs = untilMs;
    this.#world.at(this.#world.nowMs + LOOK_MS, this.#look);
  }

  /** Whether nothing is pending, and nobody is on its way out. */
  get isAtRest(): boolean {
    const { topology } = this.#cluster;
    const isLeaving = topology?.nodes.some(({ standing }) => standing !== 'member');
    return topology !== undefined && topology.pending === undefined && isLeaving === false;
  }

  /** Begins nothing any more, and brings to its end what has begun. */
  finish(): void {
    const door = this.#door();
    if (door === undefined) return;
    if (door.epochs.current.pending?.isPaused === true) this.#propose(door, pauseChange(door.epochs.current, false));
    else this.#goOn(door);
  }

  readonly #look = (): void => {
    const random = this.#random;
    if (this.#world.nowMs >= this.#untilMs) return;
    const door = this.#door();
    if (door !== undefined) {
      const { current } = door.epochs;
      if (current.pending === undefined && this.#world.nowMs >= this.#nextMs) this.#begin(door);
      else if (current.pending !== undefined && random.chance(0.01)) this.#abort(door);
      else if (current.pending !== undefined && random.chance(current.pending.isPaused ? 0.1 : 0.01)) {
        this.#propose(door, pauseChange(current, !current.pending.isPaused));
      } else this.#goOn(door);
    }
    this.#wipeGone();
    this.#world.at(this.#world.nowMs + LOOK_MS, this.#look);
  };

  /** A node that is in the newest epoch, and may propose the next. */
  #door(): Door | undefined {
    const cluster = this.#cluster;
    const { topology } = cluster;
    const doors = cluster.members.flatMap((name): Door[] => {
      const { epochs, phase } = cluster.node(name);
      if (!this.#world.isRunning(name) || phase !== 'running' || epochs === undefined) return [];
      return epochs.isVoter && epochs.current.epoch === topology?.epoch ? [{ name, epochs }] : [];
    });
    return doors.length === 0 ? undefined : this.#random.pick(doors);
  }

  #begin(door: Door): void {
    const { current } = door.epochs;
    const requests: ChangeRequest[] = [];
    const doomed: string[] = [];
    for (let count = this.#random.pick([1, 1, 2, 3]); count > 0; count--) {
      const going = requests.filter(({ kind }) => kind === 'leave' || kind === 'remove').length;
      requests.push(...this.#draw(current, doomed, going));
    }
    if (requests.length === 0) return;
    const { transfers } = this.#cluster.node(door.name);
    this.#nextMs = this.#world.nowMs + AGAIN_MS;
    for (const name of doomed) {
      this.hasRemovedDead = true;
      if (name !== door.name && this.#random.chance(0.8)) this.#kill(name);
    }
    try {
      this.#propose(
        door,
        beginChange(current, requests, (entry) => transfers?.isReleased(entry) === true),
      );
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#journal.note(undefined, () => `refused: ${error.message}`);
    }
  }

  /** What an operator may want; nothing when there is nobody to do it to. */
  #draw(topology: WireTopology, doomed: string[], going: number): ChangeRequest[] {
    const random = this.#random;
    const members = topology.nodes.filter(({ standing }) => standing === 'member');
    const node = random.pick(members).number;
    const spare = this.#spares(topology);
    const mayGo = members.length - going > MEMBERS_MIN;
    const wishes: ChangeRequest[][] = [
      [{ kind: 'weigh', node, weight: random.pick([0.5, 1, 2, 4]) }],
      [{ kind: 'move', node, zone: random.pick(['', 'a', 'b']), host: random.pick(['x', 'y', 'z', 'w']) }],
    ];
    const join = spare.length === 0 ? undefined : this.#joinOf(random.pick(spare));
    if (join !== undefined) wishes.push([join], [join], [join]);
    if (mayGo) wishes.push([{ kind: 'leave', node }], [{ kind: 'leave', node }], [{ kind: 'remove', node }]);
    if (join !== undefined && doomed.length === 0) wishes.push([{ kind: 'replace', node }, join]);
    const wish = random.pick(wishes).filter((request) => refusalOf(topology, request) === undefined);
    for (const request of wish) {
      if (request.kind !== 'remove' && request.kind !== 'replace') continue;
      const name = this.#nameOf(topology, request.node);
      if (doomed.length > 0 || name === undefined) return [];
      doomed.push(name);
    }
    return wish;
  }

  /** Nodes that run and are in no cluster. */
  #spares(topology: WireTopology): string[] {
    const { names } = this.#cluster;
    const known = new Set([...topology.nodes, ...topology.removed].map(({ uuid }) => uuid));
    return names.filter((name) => this.#world.isRunning(name) && !known.has(this.#cluster.node(name).uuid));
  }

  #joinOf(name: string): ChangeRequest {
    const { uuid, address, config } = this.#cluster.node(name);
    const { zone, host, weight } = config.node;
    return { kind: 'join', record: { uuid, address: formatAddress(address), http: '', zone, host, weight } };
  }

  #goOn(door: Door): void {
    const { current } = door.epochs;
    const { pending } = current;
    if (pending !== undefined) {
      if (this.#isComplete(current)) {
        this.committed++;
        this.#propose(door, commitChange(current));
        this.#rest();
      }
      return;
    }
    const drained = current.nodes.filter(({ number, standing }) => {
      const name = standing === 'departing' ? this.#nameOf(current, number) : undefined;
      if (name === undefined || !this.#world.isRunning(name)) return false;
      const { topology, transfers } = this.#cluster.node(name);
      return topology?.epoch === current.epoch && transfers?.isDrained === true;
    });
    if (drained.length > 0) {
      this.#propose(
        door,
        retire(
          current,
          drained.map(({ number }) => number),
        ),
      );
    }
  }

  /** Every next owner is in this epoch and holds what it is to own. */
  #isComplete({ pending, epoch, nodes }: WireTopology): boolean {
    const owners = new Set(pending?.owners);
    return nodes.every(({ number, uuid }) => {
      if (!owners.has(number)) return true;
      const name = this.#cluster.names.find((candidate) => this.#cluster.node(candidate).uuid === uuid);
      if (name === undefined || !this.#world.isRunning(name)) return false;
      const { topology, transfers } = this.#cluster.node(name);
      return topology?.epoch === epoch && transfers?.isComplete === true;
    });
  }

  /** A node dies, and comes back after a while: removed by then, or not. */
  #kill(name: string): void {
    const world = this.#world;
    if (!world.isRunning(name)) return;
    this.#journal.note(undefined, () => `${name} dies`);
    this.#cluster.crash(name, { powerLoss: false });
    world.at(world.nowMs + DEAD_MS, () => {
      if (!world.isRunning(name)) this.#cluster.tryStart(name);
    });
  }

  #abort(door: Door): void {
    this.aborted++;
    this.#propose(door, abortChange(door.epochs.current));
    this.#rest();
  }

  #rest(): void {
    this.#nextMs = this.#world.nowMs - Math.log(1 - this.#random.unit()) * this.#options.intervalMs;
  }

  #propose({ name, epochs }: Door, next: WireTopology): void {
    this.#journal.note(undefined, () => `${name} proposes epoch ${next.epoch}: ${describe(next)}`);
    epochs.propose(next);
  }

  #nameOf(topology: WireTopology, number: number): string | undefined {
    const uuid = topology.nodes.find((node) => node.number === number)?.uuid;
    return this.#cluster.names.find((name) => this.#cluster.node(name).uuid === uuid);
  }

  /** A node that was removed for good comes back with an empty disk, as another one. */
  #wipeGone(): void {
    const { topology } = this.#cluster;
    for (const { uuid } of topology?.removed ?? []) {
      const name = this.#cluster.names.find((candidate) => this.#cluster.node(candidate).uuid === uuid);
      if (name === undefined || !this.#world.isRunning(name) || !this.#random.chance(0.1)) continue;
      this.#cluster.crash(name, { powerLoss: false });
      this.#cluster.tryStart(name);
    }
  }

  /** A process is to be started: with an empty disk, if its node was removed. */
  onStarting(name: string): void {
    const { topology, names } = this.#cluster;
    if (topology === undefined || !names.includes(name)) return;
    const { uuid } = this.#cluster.node(name);
    if (!topology.removed.some((node) => node.uuid === uuid)) return;
    this.#journal.note(undefined, () => `${name} was removed, and starts with an empty disk`);
    this.#cluster.wipe(name);
    this.#options.onWiped(name);
  }
}

function describe({ pending, nodes }: WireTopology): string {
  const standings = nodes.map(({ number, standing }) => `${number} ${standing}`).join(', ');
  if (pending === undefined) return standings;
  return `${JSON.stringify(pending.changes)}${pending.isPaused ? ', paused' : ''}; ${standings}`;
}

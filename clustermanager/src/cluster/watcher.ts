import { type Client, type ClusterTopology, MemDbError, type NodeEvent } from '@memdb/client';
import { POLL_MS, STATUS_TIMEOUT_MS } from '../limits.js';
import type { EventLog } from '../live/event-log.js';
import type { World } from '../platform/world.js';
import { describeChange } from './change-text.js';
import type { ClusterLink } from './cluster-link.js';
import { type NodeMetrics, parseMetrics, parseStatus } from './node-report.js';
import { type Answer, judge, type NodeView, opinionsOf } from './node-view.js';
import { Rates } from './rates.js';

export interface WatcherOptions {
  readonly link: ClusterLink;
  readonly world: World;
  readonly events: EventLog;
  /** After each look at all nodes. */
  readonly onLook: () => void;
}

/** Asks every node how it is, once a second, and notes what changed. */
export class Watcher {
  readonly rates: Rates = new Rates();
  readonly #options: WatcherOptions;
  #nodes: ReadonlyMap<number, NodeView> = new Map();
  #topology: ClusterTopology | undefined;
  /** Nodes to which there is no connection, with what ended the last one. */
  readonly #cutOff: Map<number, string> = new Map();
  #stopTimer: () => void = () => {};
  #isStopped = false;
  #look: Promise<void> | undefined;

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  /** In the order of their numbers. */
  get nodes(): readonly NodeView[] {
    return [...this.#nodes.values()].sort((a, b) => a.number - b.number);
  }

  /** By number, or by UUID. */
  node(name: string): NodeView | undefined {
    return this.nodes.find(({ number, id }) => String(number) === name || id === name);
  }

  /** Undefined until a node told it. */
  get topology(): ClusterTopology | undefined {
    return this.#topology;
  }

  /** The manager's connection to a node came up or ended. */
  onConnection({ node, state, error }: NodeEvent): void {
    if (state === 'up') this.#cutOff.delete(node);
    else this.#cutOff.set(node, error?.message ?? 'The connection to it ended.');
    void this.look();
  }

  start(): void {
    void this.#round();
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopTimer();
  }

  /** Looks now, or joins the look that is under way. */
  look(): Promise<void> {
    this.#look ??= this.#lookOnce().finally(() => {
      this.#look = undefined;
    });
    return this.#look;
  }

  async #round(): Promise<void> {
    const { world } = this.#options;
    const startedMs = world.monotonicMs();
    await this.look();
    if (this.#isStopped) return;
    const restMs = Math.max(0, POLL_MS - (world.monotonicMs() - startedMs));
    this.#stopTimer = world.after(restMs, () => void this.#round());
  }

  async #lookOnce(): Promise<void> {
    const { link, world, onLook } = this.#options;
    const { client } = link;
    if (client !== undefined) {
      await this.#refreshTopology(client);
      const numbers = this.#topology?.nodes.map(({ number }) => number) ?? [];
      const answers = new Map(
        await Promise.all(numbers.map(async (number) => [number, await this.#ask(client, number)] as const)),
      );
      if (this.#isStopped) return;
      this.#take(answers);
      const metrics = new Map<number, NodeMetrics>();
      for (const [number, answer] of answers) if (answer.kind === 'answered') metrics.set(number, answer.metrics);
      this.rates.add(world.wallMs(), metrics);
    }
    onLook();
  }

  async #refreshTopology(client: Client): Promise<void> {
    if (client.topology === undefined || client.topology.epoch === this.#topology?.epoch) return;
    try {
      const topology = await client.admin.topology(undefined, { timeoutMs: STATUS_TIMEOUT_MS });
      const before = this.#topology;
      if (before !== undefined && topology.epoch <= before.epoch) return;
      this.#topology = topology;
      if (before !== undefined) this.#tellEpoch(before, topology);
    } catch {
      // No node tells it now: the one that is known still stands, and the next look asks again.
    }
  }

  #tellEpoch(before: ClusterTopology, after: ClusterTopology): void {
    const { events } = this.#options;
    const { kind, severity, message } = describeChange(before, after);
    events.add(kind, severity, message);
  }

  #take(answers: ReadonlyMap<number, Answer>): void {
    const { world } = this.#options;
    const nowMs = world.wallMs();
    const next = new Map<number, NodeView>();
    for (const node of this.#topology?.nodes ?? []) {
      const before = this.#nodes.get(node.number);
      const answer = answers.get(node.number) ?? { kind: 'silent', reason: 'It was not asked.' };
      const opinions = opinionsOf(node.number, answers);
      const { state, reason } = judge(answer, opinions);
      const { number, uuid, address, http, zone, host, weight, standing } = node;
      const answered = answer.kind === 'answered';
      const view: NodeView = {
        ...{ number, id: uuid, address, http, zone, host, weight, standing, state, reason },
        sinceMs: before === undefined || before.state !== state ? nowMs : before.sinceMs,
        status: answered ? answer.status : before?.status,
        metrics: answered ? answer.metrics : before?.metrics,
        heardAtMs: answered ? nowMs : before?.heardAtMs,
        unheardBy: opinions.unheardBy,
      };
      next.set(number, view);
      this.#tellNode(before, view);
    }
    this.#nodes = next;
  }

  #tellNode(before: NodeView | undefined, after: NodeView): void {
    const { events } = this.#options;
    const name = `Node ${after.number} (${after.address})`;
    const isRestart = before?.status !== undefined && before.status.generation !== after.status?.generation;
    if (before !== undefined && isRestart && after.state === 'up') {
      events.add('node-restarted', 'good', `${name} was started again and serves.`, after.number);
    } else if (before?.state !== after.state && (before !== undefined || after.state !== 'up')) {
      const severity = { up: 'good', dead: 'critical', unreachable: 'warning', suspect: 'warning' } as const;
      const text =
        after.reason === undefined ? `${name} is ${after.state}.` : `${name} is ${after.state}: ${after.reason}`;
      const known = after.state in severity ? severity[after.state as keyof typeof severity] : 'info';
      events.add(`node-${after.state}`, known, text, after.number);
    }
  }

  async #ask(client: Client, number: number): Promise<Answer> {
    const reason = this.#cutOff.get(number);
    return reason === undefined ? await ask(client, number) : { kind: 'silent', reason };
  }
}

async function ask(client: Client, number: number): Promise<Answer> {
  try {
    const options = { timeoutMs: STATUS_TIMEOUT_MS };
    const [status, metrics] = await Promise.all([
      client.admin.status(number, options),
      client.admin.metrics(number, options),
    ]);
    return { kind: 'answered', status: parseStatus(status), metrics: parseMetrics(metrics) };
  } catch (error) {
    return { kind: 'silent', reason: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof MemDbError) return error.message;
  return 'It answered what this manager does not understand; upgrade the older of the two.';
}

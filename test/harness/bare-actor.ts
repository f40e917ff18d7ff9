import type { Node } from '../../src/node.js';
import { BareClient, type BareReply, LEVEL } from './bare-client.js';
import { contentOf } from './history.js';
import { SIM_PORT } from './sim-cluster.js';
import type { SimRandom } from './sim-random.js';
import type { SimPorts } from './sim-world.js';
import type { Actor, WorkloadContext } from './workload.js';

const TIMEOUT_MS = 1000;
/** Requests of one client that have no answer. */
const PENDING_MAX = 8;
/** Who waited in vain does not go on asking at full speed. */
const REST_MS = 200;
const REPLIES_ALL = 255;
/** A node that could not be reached is dialled again after this time. */
const REDIAL_MS = 50;
const UNKNOWN_OPCODE = 0x7e;

interface Asked {
  readonly connection: BareClient;
  /** Whom the connection leads to, and the process that ran there then. */
  readonly name: string;
  readonly node: Node;
  readonly what: string;
  answered: boolean;
}

interface Target {
  readonly name: string;
  readonly connection: BareClient;
}

/** A client that speaks the bare protocol to a node of its choice, and does what no client library would. */
export class BareActor implements Actor {
  readonly #context: WorkloadContext;
  readonly #name: string;
  readonly #random: SimRandom;
  readonly #ports: SimPorts;
  readonly #connections: Map<string, BareClient> = new Map();
  readonly #dialledMs: Map<string, number> = new Map();
  /** Carries its session token from node to node; the others have one token for each connection. */
  readonly #session: boolean;
  readonly #asked: Asked[] = [];
  #token = 0;
  #pending = 0;
  #restUntilMs = 0;

  constructor(context: WorkloadContext, name: string, session: boolean) {
    this.#context = context;
    this.#name = name;
    this.#session = session;
    this.#random = context.world.random.fork(name);
    this.#ports = context.world.createPorts(name);
  }

  act(): void {
    if (this.#context.world.nowMs < this.#restUntilMs) return;
    const random = this.#random;
    const name = random.pick(this.#context.cluster.admitted);
    const connection = this.#connection(name);
    if (connection === undefined) return;
    if (random.chance(0.02)) {
      this.#oddity({ name, connection });
      return;
    }
    // A few requests back to back are pipelined on one connection.
    const burst = random.chance(0.1) ? 1 + random.below(6) : 1;
    for (let count = 0; count < burst; count++) this.#request({ name, connection });
  }

  /** Requests that were never answered although the connection and both its ends live. */
  unanswered(): string[] {
    const { world, cluster } = this.#context;
    const lives = (asked: Asked): boolean =>
      !asked.connection.closed && cluster.node(asked.name) === asked.node && world.isRunning(asked.name);
    return this.#asked.filter((asked) => !asked.answered && lives(asked)).map(({ what }) => `${this.#name}: ${what}`);
  }

  #connection(name: string): BareClient | undefined {
    const known = this.#connections.get(name);
    if (known !== undefined && !known.closed) return known.ready ? known : undefined;
    const { nowMs } = this.#context.world;
    if (nowMs - (this.#dialledMs.get(name) ?? -REDIAL_MS) < REDIAL_MS) return undefined;
    this.#dialledMs.set(name, nowMs);
    const connection = new BareClient(this.#ports, { host: name, port: SIM_PORT });
    connection.onClosed = (): void => {
      this.#pending -= connection.pending;
    };
    this.#connections.set(name, connection);
    return undefined;
  }

  #request(target: Target): void {
    if (this.#pending >= PENDING_MAX) return;
    const random = this.#random;
    const { connection } = target;
    const key = this.#context.workload.pickKey(random);
    if (this.#session) connection.counter = Math.max(connection.counter, this.#token);
    const timeoutMs = random.chance(0.02) ? 1 + random.below(5) : TIMEOUT_MS;
    const dice = random.below(20);
    if (dice < 10) this.#write(target, key, !random.chance(this.#context.options.deleteShare), timeoutMs);
    else this.#read(target, key, dice < 17, timeoutMs);
  }

  #write(target: Target, key: string, isSet: boolean, timeoutMs: number): void {
    const random = this.#random;
    const { workload } = this.#context;
    const { connection } = target;
    const level = random.pick([LEVEL.quorum, LEVEL.quorum, LEVEL.quorum, LEVEL.quorum, LEVEL.all, LEVEL.one]);
    const write = workload.beginWrite(random, key, isSet, level, `${this.#name} at ${target.name}`);
    const token = connection.counter;
    const done = this.#expect(target, `write ${write.id} of ${key} at level ${level}`, (reply) => {
      if (reply.error !== undefined) workload.failWrite(write, reply.error.outcome, reply.error.message);
      else workload.acknowledge(write, { counter: reply.counter, node: reply.node }, token, connection);
    });
    if (write.value !== undefined) connection.set(key, write.value, level, done, timeoutMs);
    else connection.delete(key, level, done, timeoutMs);
  }

  #read(target: Target, key: string, isGet: boolean, timeoutMs: number): void {
    const random = this.#random;
    const { workload } = this.#context;
    const { connection } = target;
    const level = random.pick([LEVEL.quorum, LEVEL.quorum, LEVEL.quorum, LEVEL.all, LEVEL.one]);
    const replies = random.pick([0, 0, REPLIES_ALL]);
    const what = isGet ? `get at level ${level}` : `quorumGet of ${replies} replies`;
    const begun = workload.beginRead(key, `${this.#name} at ${target.name}: ${what}`);
    const done = this.#expect(target, `read of ${key}`, (reply) => {
      if (reply.error !== undefined) {
        workload.failRead(key, reply.error.outcome, reply.error.message);
        return;
      }
      const { counter, node, value } = reply;
      workload.answerRead(key, begun, !isGet || level !== LEVEL.one, { counter, node }, contentOf(value));
      if (reply.quorum !== undefined) this.#checkAnswers(key, reply, replies);
    });
    if (isGet) connection.get(key, level, done, timeoutMs);
    else connection.quorumGet(key, replies, done, timeoutMs);
  }

  /** What a quorumGet returns is the newest of what its replicas answered, and it says truly whether they agreed. */
  #checkAnswers(key: string, reply: BareReply, replies: number): void {
    const { broken } = this.#context;
    const responses = reply.quorum?.responses ?? [];
    const answered = responses.filter(({ kind }) => kind !== 'error').length;
    const needed = replies === REPLIES_ALL ? responses.length : Math.floor(responses.length / 2) + 1;
    if (answered < needed) broken.add(`quorumGet had ${answered} answers, ${needed} were asked for`, key);
    let agree = true;
    for (const response of responses) {
      if (response.kind === 'error' || response.kind === 'same') continue;
      const { counter, node } = response.stamp;
      if (counter > reply.counter || (counter === reply.counter && node > reply.node)) {
        broken.add(`quorumGet returned @${reply.counter} although a replica answered @${counter}`, key);
      }
      // An expired value here, its deletion there, at one stamp: that may be called either.
      if (counter === reply.counter && node === reply.node) return;
      agree = false;
    }
    if (reply.quorum?.agreed !== agree) broken.add(`quorumGet says agreed=${reply.quorum?.agreed}`, key);
  }

  #expect(target: Target, what: string, onReply: (reply: BareReply) => void): (reply: BareReply) => void {
    const { connection, name } = target;
    const { world, options, broken } = this.#context;
    const asked: Asked = { connection, name, node: this.#context.cluster.node(name), what, answered: false };
    const askedMs = world.nowMs;
    this.#asked.push(asked);
    this.#pending++;
    return (reply: BareReply): void => {
      asked.answered = true;
      this.#pending--;
      const tookMs = world.nowMs - askedMs;
      if (options.lateMsMax !== undefined && tookMs > TIMEOUT_MS + options.lateMsMax) {
        broken.add(`${what} was answered after ${tookMs.toFixed(0)} ms`);
      }
      this.#token = Math.max(this.#token, connection.counter);
      if (reply.error?.outcome === 'unknown') this.#restUntilMs = this.#context.world.nowMs + REST_MS;
      onReply(reply);
    };
  }

  /** Nobody knows where the next frame would begin: the connection is of no use any more, whatever the node does. */
  #sendGarbage({ name, connection }: Target): void {
    const random = this.#random;
    const { world } = this.#context;
    connection.sendRaw(Uint8Array.from({ length: 1 + random.below(64) }, () => random.below(256)));
    this.#connections.delete(name);
    world.at(world.nowMs + random.between(0, 500), () => connection.close());
  }

  /** What only a broken or hostile client does. The node answers with an error or hangs up, and lives on. */
  #oddity(target: Target): void {
    const random = this.#random;
    const { connection } = target;
    const { keyBytesMax, valueBytesMax } = this.#context.options;
    const refused = (what: string): ((reply: BareReply) => void) =>
      this.#expect(target, what, ({ error }) => {
        if (error?.outcome !== 'not-applied') this.#context.broken.add(`${what} was not refused as not-applied`);
      });
    switch (random.below(6)) {
      case 0:
        connection.close();
        break;
      case 1:
        this.#sendGarbage(target);
        break;
      case 2:
        connection.ask(UNKNOWN_OPCODE, 'key', refused('an unknown operation'));
        break;
      case 3:
        connection.get('k'.repeat(keyBytesMax + 1), LEVEL.quorum, refused('a key beyond the limit'));
        break;
      case 4:
        connection.set('large', 'v'.repeat(valueBytesMax + 1), LEVEL.one, refused('a value beyond the limit'));
        break;
      default:
        connection.set('', 'no key', LEVEL.quorum, refused('an empty key'));
    }
  }
}

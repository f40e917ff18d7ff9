import { Opcode } from '@memdb/protocol';
import { BareClient, type BareReply, LEVEL } from './bare-client.js';
import { SIM_PORT, type SimCluster } from './sim-cluster.js';
import type { SimPorts } from './sim-world.js';

/** A client process of a simulated cluster, with calls that run the world until they are answered. */
export class SimSession {
  readonly #cluster: SimCluster;
  readonly #ports: SimPorts;
  readonly #clients: Map<string, BareClient> = new Map();

  constructor(cluster: SimCluster, name = 'client') {
    this.#cluster = cluster;
    this.#ports = cluster.world.createPorts(name);
  }

  /** A connection to one node that is authenticated, opened anew when the last one ended. */
  to(node: string): BareClient {
    const known = this.#clients.get(node);
    if (known !== undefined && !known.closed) return known;
    const client = new BareClient(this.#ports, { host: node, port: SIM_PORT });
    this.#clients.set(node, client);
    const { world } = this.#cluster;
    if (!world.runUntil(() => client.ready || client.closed, world.nowMs + 5000) || client.closed) {
      throw new Error(`cannot connect to ${node}\n${this.#cluster.log()}`);
    }
    return client;
  }

  /** `ttlMs` 0: the value does not expire. */
  set(node: string, key: string, value: string, level: number = LEVEL.quorum, ttlMs = 0): BareReply {
    return this.#run((client, done) => client.set(key, value, level, done, 2000, ttlMs), node);
  }

  contains(node: string, key: string): boolean {
    const reply = this.#run((client, done) => client.ask(Opcode.contains, key, done), node);
    if (reply.error !== undefined) throw reply.error;
    return !reply.absent;
  }

  delete(node: string, key: string, level: number = LEVEL.quorum): BareReply {
    return this.#run((client, done) => client.delete(key, level, done), node);
  }

  get(node: string, key: string, level: number = LEVEL.quorum): BareReply {
    return this.#run((client, done) => client.get(key, level, done), node);
  }

  quorumGet(node: string, key: string, replies = 0): BareReply {
    return this.#run((client, done) => client.quorumGet(key, replies, done), node);
  }

  #run(ask: (client: BareClient, done: (reply: BareReply) => void) => void, node: string): BareReply {
    let answer: BareReply | undefined;
    ask(this.to(node), (reply) => {
      answer = reply;
    });
    const { world } = this.#cluster;
    world.runUntil(() => answer !== undefined, world.nowMs + 10_000);
    if (answer === undefined) throw new Error(`${node} did not answer\n${this.#cluster.log()}`);
    return answer;
  }
}

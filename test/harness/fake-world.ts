import { type Client, type ConnectOptions, createClient, MemDbError } from '@memdb/client';
import { FAKE_KEY, FakeCluster, FakeServer } from './fake-server.js';
import { type SimPorts, SimWorld } from './sim-world.js';

export const FAKE_PORT = 10_000;

/** A client and the fake cluster it talks to, in one simulated world. */
export class FakeWorld {
  readonly world: SimWorld;
  readonly cluster: FakeCluster;
  readonly #clients: Client[] = [];
  #processes = 0;

  constructor(servers: number = 3, seed: number = 1) {
    this.world = new SimWorld(seed);
    this.cluster = new FakeCluster();
    for (let number = 1; number <= servers; number++) this.addServer(number);
  }

  addServer(number: number): FakeServer {
    const ports = this.world.createPorts(`n${number}`);
    const server = new FakeServer(this.cluster, number, ports, { host: `n${number}`, port: FAKE_PORT });
    server.listen();
    return server;
  }

  server(number: number): FakeServer {
    const server = this.cluster.servers.find((candidate) => candidate.number === number);
    if (server === undefined) throw new Error(`there is no server ${number}`);
    return server;
  }

  clientPorts(): SimPorts {
    return this.world.createPorts(`client${++this.#processes}`);
  }

  /** A client that is not connected yet. */
  create(options: Partial<ConnectOptions> = {}): Client {
    const seeds = this.cluster.servers.map((server) => server.address);
    const client = createClient({ seeds, key: FAKE_KEY, ports: this.clientPorts(), ...options });
    this.#clients.push(client);
    return client;
  }

  async connect(options: Partial<ConnectOptions> = {}): Promise<Client> {
    const client = this.create(options);
    await this.settle(client.ready());
    return client;
  }

  /** What the promise brings, within a minute of the world. */
  settle<Result>(promise: Promise<Result>): Promise<Result> {
    return this.world.settle(promise, this.world.nowMs + 60_000);
  }

  /** The MemDbError that the promise fails with. */
  async failure(promise: Promise<unknown>): Promise<MemDbError> {
    const outcome = await this.settle(
      promise.then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      ),
    );
    if ('value' in outcome) throw new Error(`it brought ${JSON.stringify(outcome.value)} instead of failing`);
    if (!(outcome.error instanceof MemDbError)) throw outcome.error;
    return outcome.error;
  }

  /** Lets `ms` milliseconds pass, and the promises that settle meanwhile go on. */
  async pass(ms: number): Promise<void> {
    let isOver = false;
    this.world.at(this.world.nowMs + ms, () => {
      isOver = true;
    });
    while (!isOver) {
      this.world.run(this.world.nowMs + Math.min(ms, 1));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

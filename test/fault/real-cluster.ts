import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, connect } from '@memdb/client';
import type { ExecutionContext } from 'ava';
import { freePorts, type Program, startMemDb, temporaryDirectory } from '../e2e/memdb-process.js';

/** How one node of a `RealCluster` runs. */
export interface NodePlace {
  /** Default: loopback. */
  readonly host?: string;
  /** Default: a directory that goes with the test. */
  readonly dataDir?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly through?: readonly string[];
}

export interface RealClusterOptions {
  readonly nodes: number;
  /** Those that form the cluster, and are started at first. Default: all. */
  readonly founders?: number;
  readonly place?: (index: number) => NodePlace;
  /** More lines for `[storage]`. Segments are small, so that load changes them often. */
  readonly storage?: string;
}

/** One node as a process that can be ended and started again. */
export class RealServer {
  readonly configFile: string;
  readonly #t: ExecutionContext;
  readonly #place: NodePlace;
  #program: Program | undefined;

  constructor(t: ExecutionContext, configFile: string, place: NodePlace) {
    this.#t = t;
    this.configFile = configFile;
    this.#place = place;
  }

  get program(): Program {
    if (this.#program === undefined) throw new Error('the node was never started');
    return this.#program;
  }

  /** Resolves when it serves. */
  async start(): Promise<void> {
    const { environment, through } = this.#place;
    this.#program = startMemDb(this.#t, ['server', '--config', this.configFile], {
      directory: '/',
      ...(environment === undefined ? {} : { environment }),
      ...(through === undefined ? {} : { through }),
    });
    await this.#program.logged('serving');
  }

  async kill(): Promise<void> {
    this.program.signal('SIGKILL');
    await this.program.ended;
  }
}

/** Nodes as processes on real files and sockets; gone when the test ends. */
export class RealCluster {
  readonly nodes: readonly RealServer[];
  readonly addresses: readonly string[];
  readonly #t: ExecutionContext;
  readonly #secret: Readonly<Record<'client' | 'admin', string>>;

  private constructor(
    t: ExecutionContext,
    nodes: readonly RealServer[],
    addresses: readonly string[],
    secret: Readonly<Record<'client' | 'admin', string>>,
  ) {
    this.#t = t;
    this.nodes = nodes;
    this.addresses = addresses;
    this.#secret = secret;
  }

  /** Resolves when every founder serves. */
  static async start(t: ExecutionContext, options: RealClusterOptions): Promise<RealCluster> {
    const directory = temporaryDirectory(t);
    const port = await freePorts(options.nodes);
    const places = Array.from({ length: options.nodes }, (_, index) => options.place?.(index) ?? {});
    const addresses = places.map((place, index) => `${place.host ?? '127.0.0.1'}:${port + index}`);
    const keysFile = join(directory, 'keys.toml');
    const secret = { client: newSecret(), node: newSecret(), admin: newSecret() };
    const founders = options.founders ?? options.nodes;
    const table = (role: 'client' | 'node' | 'admin'): string =>
      `[[key]]\nid = "${role}s"\nrole = "${role}"\nsecret = "${secret[role]}"\n`;
    writeFileSync(keysFile, table('client') + table('node') + table('admin'), { mode: 0o600 });
    const nodes = places.map((place, index) => {
      const home = join(directory, `node${index + 1}`);
      mkdirSync(home);
      const configFile = join(home, 'memdb.toml');
      writeFileSync(
        configFile,
        `[node]\ndata_dir = "${place.dataDir ?? join(home, 'data')}"\nlisten = "${addresses[index]}"\n` +
          `http = "off"\nhost = "node${index + 1}"\n` +
          `[cluster]\nseeds = [${addresses.map((address) => `"${address}"`).join(', ')}]\n` +
          `founders = ${founders}\nreplication_factor = ${Math.min(3, options.nodes)}\n` +
          `[auth]\nkeys_file = "${keysFile}"\n[storage]\nsegment_size = "1MiB"\n${options.storage ?? ''}[limits]\nmax_value = "64KiB"\n`,
      );
      return new RealServer(t, configFile, place);
    });
    await Promise.all(nodes.slice(0, founders).map((node) => node.start()));
    return new RealCluster(t, nodes, addresses, secret);
  }

  get programs(): Program[] {
    return this.nodes.map((node) => node.program);
  }

  node(index: number): RealServer {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`there is no node ${index}`);
    return node;
  }

  /** A client of all nodes; closed when the test ends. */
  async connect(options: { readonly timeoutMs?: number; readonly role?: 'client' | 'admin' } = {}): Promise<Client> {
    const role = options.role ?? 'client';
    const url = `memdb://${role}s:${this.#secret[role]}@${this.addresses.join(',')}`;
    const client = await connect(url, { timeoutMs: 2_000, connectTimeoutMs: 20_000, ...options });
    this.#t.teardown(() => client.close());
    return client;
  }
}

function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

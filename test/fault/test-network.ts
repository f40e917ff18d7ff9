import type { ExecutionContext } from 'ava';
import { removeLeftNamespaces } from './leftovers.js';
import { run } from './machine.js';

/** What a rule counted. */
interface Counted {
  readonly nftables: readonly { readonly counter?: { readonly name: string; readonly packets: number } }[];
}

/** Kinds of trouble on the packets that a node is sent. */
type Trouble = 'cut' | 'lossy' | 'reset';

/**
 * Rules at the entrance of each node. A source address stands in the set of the trouble that it has; every rule counts
 * what it hit.
 */
const RULES = `
table inet fault {
  set cut_from { type ipv4_addr; }
  set lossy_from { type ipv4_addr; }
  set reset_from { type ipv4_addr; }
  counter cut_hits { }
  counter lossy_hits { }
  counter reset_hits { }
  chain entrance {
    type filter hook input priority 0;
    ip saddr @cut_from counter name cut_hits drop
    ip saddr @lossy_from numgen random mod 100 < 20 counter name lossy_hits drop
    ip saddr @reset_from meta l4proto tcp counter name reset_hits reject with tcp reset
  }
}`;

/**
 * A network of namespaces, one for each node, on a bridge that stands in one of its own; the test process has an
 * address there too. Names and addresses carry the process id, and all goes when the test ends.
 */
export class TestNetwork {
  readonly #subnet: string;
  readonly #prefix: string = `mf${process.pid}`;

  constructor(t: ExecutionContext, nodes: number) {
    removeLeftNamespaces();
    const { pid } = process;
    this.#subnet = `10.${128 + (Math.floor(pid / 250) % 120)}.${pid % 250}`;
    const bridge = this.#space('b');
    t.teardown(() => this.#remove(nodes));
    run('ip', 'netns', 'add', bridge);
    run('ip', '-n', bridge, 'link', 'add', 'bridge', 'type', 'bridge');
    run('ip', '-n', bridge, 'link', 'set', 'bridge', 'up');
    this.#plug('t', undefined, `${this.#subnet}.254`);
    for (let node = 0; node < nodes; node++) {
      const space = this.#space(node);
      run('ip', 'netns', 'add', space);
      this.#plug(node, space, this.addressOf(node));
      run('ip', '-n', space, 'link', 'set', 'lo', 'up');
      run('ip', 'netns', 'exec', space, 'nft', RULES);
    }
  }

  addressOf(node: number): string {
    return `${this.#subnet}.${node + 1}`;
  }

  /** What a program of this node is started through. */
  through(node: number): readonly string[] {
    return ['ip', 'netns', 'exec', this.#space(node)];
  }

  /** What `from` sends to `to` has this trouble from now on. The other direction has not. */
  oneWay(trouble: Trouble, from: number, to: number): void {
    this.#nft(to, 'add', 'element', 'inet', 'fault', `${trouble}_from`, `{ ${this.addressOf(from)} }`);
  }

  /** Both directions. */
  between(trouble: Trouble, one: number, other: number): void {
    this.oneWay(trouble, one, other);
    this.oneWay(trouble, other, one);
  }

  /** No trouble at this node's entrance any more. */
  heal(node: number): void {
    for (const trouble of ['cut', 'lossy', 'reset'])
      this.#nft(node, 'flush', 'set', 'inet', 'fault', `${trouble}_from`);
  }

  /** Packets that this trouble hit at the node's entrance. */
  hits(trouble: Trouble, node: number): number {
    const listed = JSON.parse(this.#nft(node, '--json', 'list', 'counters')) as Counted;
    return listed.nftables.find(({ counter }) => counter?.name === `${trouble}_hits`)?.counter?.packets ?? 0;
  }

  /** What the node sends leaves at this rate from now on. */
  limit(node: number, kilobits: number): void {
    const rate = ['rate', `${kilobits}kbit`, 'burst', '16kb', 'limit', '64kb'];
    run('tc', '-n', this.#space(node), 'qdisc', 'replace', 'dev', 'eth0', 'root', 'tbf', ...rate);
  }

  /** Packets that had to wait for the limit since it was set. */
  limited(node: number): number {
    const shown = run('tc', '-n', this.#space(node), '-s', 'qdisc', 'show', 'dev', 'eth0');
    return Number(/overlimits (\d+)/.exec(shown)?.[1] ?? 0);
  }

  unlimit(node: number): void {
    run('tc', '-n', this.#space(node), 'qdisc', 'del', 'dev', 'eth0', 'root');
  }

  /** A cable from the bridge to a namespace, or to this process's own. */
  #plug(end: number | string, space: string | undefined, address: string): void {
    const bridge = this.#space('b');
    const outer = `${this.#prefix}${end}`;
    const inner = space === undefined ? `${this.#prefix}own` : 'eth0';
    const at = space === undefined ? [] : ['-n', space];
    const target = space === undefined ? ['netns', '1'] : ['netns', space];
    run('ip', '-n', bridge, 'link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, ...target);
    run('ip', '-n', bridge, 'link', 'set', outer, 'master', 'bridge', 'up');
    run('ip', ...at, 'address', 'add', `${address}/24`, 'dev', inner);
    run('ip', ...at, 'link', 'set', inner, 'up');
  }

  #nft(node: number, ...words: readonly string[]): string {
    return run('ip', 'netns', 'exec', this.#space(node), 'nft', ...words);
  }

  #space(end: number | string): string {
    return `memdb-${process.pid}-${end}`;
  }

  /** Cables go with the namespaces at their ends. */
  #remove(nodes: number): void {
    const there = run('ip', 'netns', 'list');
    for (const end of ['b', ...Array.from({ length: nodes }, (_, node) => node)]) {
      if (there.includes(this.#space(end))) run('ip', 'netns', 'del', this.#space(end));
    }
  }
}

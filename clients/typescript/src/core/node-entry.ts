import type { Dialer } from './dialer.js';
import type { Link } from './link.js';
import type { Address } from './ports.js';

/** A node of the topology and the connections to it. */
export class NodeEntry {
  readonly number: number;
  /** Where the newest topology says it listens. */
  address: Address;
  readonly dialers: Dialer[] = [];
  /** Connections that take requests. */
  readonly ready: Link[] = [];

  constructor(number: number, address: Address) {
    this.number = number;
    this.address = address;
  }

  /** The connection for keys of this hash, or undefined when none is up. Hot. */
  pick(hash: number): Link | undefined {
    const count = this.ready.length;
    return count === 1 ? this.ready[0] : count === 0 ? undefined : this.ready[hash % count];
  }

  add(link: Link): void {
    this.ready.push(link);
  }

  remove(link: Link): void {
    const at = this.ready.indexOf(link);
    if (at >= 0) this.ready.splice(at, 1);
  }
}

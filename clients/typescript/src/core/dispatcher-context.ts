import type { Settings } from '../options.js';
import type { KeyScratch } from './key-scratch.js';
import type { Link } from './link.js';
import type { ClientPorts } from './ports.js';
import type { Statistics } from './statistics.js';

/** What the dispatcher needs of the client around it. */
export interface DispatcherContext {
  readonly ports: ClientPorts;
  readonly settings: Settings;
  readonly scratch: KeyScratch;
  readonly statistics: Statistics;
  /** A node answered that the topology known here is not the newest. */
  onStaleTopology(link: Link): void;
  /** Why no node is connected, for the sentence of an error. */
  unreachableReason(): string;
}

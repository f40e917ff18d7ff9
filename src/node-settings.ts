import type { WireTopology } from '@memdb/protocol';
import { type ClusterSettings, clusterSettings } from './config/cluster-settings.js';
import type { NodeConfig } from './node-options.js';

type Limits = NodeConfig['limits'];

/** What the cluster agreed on, over what the configuration of one node says. */
export class NodeSettings {
  #configured: Limits;
  #agreed: ClusterSettings = clusterSettings([]);
  #limits: Limits;

  constructor(configured: Limits) {
    this.#configured = configured;
    this.#limits = configured;
  }

  /** Of this node, as they are in force. Hot: one object until something changes. */
  get limits(): Limits {
    return this.#limits;
  }

  get agreed(): ClusterSettings {
    return this.#agreed;
  }

  /** The configuration was read again. */
  configure(limits: Limits): void {
    this.#configured = limits;
    this.#combine();
  }

  /** An epoch is in force. */
  onEpoch({ settings }: WireTopology): void {
    this.#agreed = clusterSettings(settings);
    this.#combine();
  }

  #combine(): void {
    const { requestTimeoutMs, inflightMax, connectionsMax } = this.#agreed;
    const configured = this.#configured;
    this.#limits = {
      ...configured,
      requestTimeoutMs: requestTimeoutMs ?? configured.requestTimeoutMs,
      inflightMax: inflightMax ?? configured.inflightMax,
      connectionsMax: connectionsMax ?? configured.connectionsMax,
    };
  }
}

import type { Address, Connection, ConnectionHandler, Listener, Transport } from '../../src/ports/transport.js';
import { SIM_EVENT, SimCall } from './sim-event.js';
import type { SimHost } from './sim-host.js';
import type { SimNetwork } from './sim-network.js';

/** The network as one process sees it. Any host name will do: an address belongs to the node that listens at it. */
export class SimTransport implements Transport {
  readonly #network: SimNetwork;
  readonly #host: SimHost;

  constructor(network: SimNetwork, host: SimHost) {
    this.#network = network;
    this.#host = host;
  }

  listen(
    address: Address,
    accept: (connection: Connection) => ConnectionHandler,
    ready: (error: Error | undefined, bound: Address) => void,
  ): Listener {
    const network = this.#network;
    const listening = { host: this.#host, accept };
    let closed = false;
    let bound: Address | undefined;
    this.#soon(() => {
      if (closed) return;
      bound = network.listen(address, listening);
      if (bound === undefined) ready(new Error(`EADDRINUSE: ${address.host}:${address.port} is in use`), address);
      else ready(undefined, bound);
    });
    return {
      close: (done): void => {
        closed = true;
        if (bound !== undefined) network.unlisten(bound, listening);
        if (done !== undefined) this.#soon(done);
      },
    };
  }

  connect(address: Address, handler: ConnectionHandler): Connection {
    return this.#network.dial(this.#host, address, handler);
  }

  #soon(call: () => void): void {
    const { scheduler } = this.#network;
    scheduler.schedule(new SimCall(this.#host, SIM_EVENT.world, call), scheduler.nowMs);
  }
}

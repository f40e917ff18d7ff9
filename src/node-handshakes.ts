import type { ClientHandshakeOptions, ServerHandshakeOptions, ServerHandshakeResult } from '@memdb/protocol';
import { FEATURES_KNOWN, parseUuid, Role, roleName } from '@memdb/protocol';
import type { NodeKeys } from './node-options.js';
import { formatAddress } from './ports/address.js';
import type { Random } from './ports/random.js';
import type { Address } from './ports/transport.js';
import type { Identity } from './topology/identity.js';

export interface NodeHandshakesOptions {
  readonly identity: () => Identity;
  readonly keys: NodeKeys;
  readonly random: Random;
  /** Undefined before founding. */
  readonly clusterId: () => Uint8Array | undefined;
  /** Number in the topology; 0 before founding. */
  readonly number: () => number;
  /** Why a node that proved its key is not let in; undefined when it is. */
  readonly refuses: (peer: ServerHandshakeResult) => string | undefined;
  /** Where the node is reached. */
  readonly address: () => Address;
}

/** How a node introduces itself: to the nodes it dials, and to whoever dials it. */
export class NodeHandshakes {
  readonly #options: NodeHandshakesOptions;

  constructor(options: NodeHandshakesOptions) {
    this.#options = options;
  }

  /** For a connection to a peer. Throws when there is no key for that, and says how to make one. */
  toPeer(): ClientHandshakeOptions {
    const key = this.#options.keys.preferred('node');
    if (key === undefined)
      throw new Error('auth.keys_file holds no key of role "node"; make one: memdb keygen --role node');
    return {
      role: Role.node,
      keyId: key.id,
      secret: key.secret,
      advertisedAddress: formatAddress(this.#options.address()),
      ...this.#common(),
    };
  }

  /** For a connection that was accepted. */
  asServer(): ServerHandshakeOptions {
    return {
      keys: (role, keyId) => this.#options.keys.secret(roleName(role), keyId),
      nodeNumber: this.#options.number(),
      refuses: this.#options.refuses,
      ...this.#common(),
    };
  }

  #common(): Pick<
    ClientHandshakeOptions & ServerHandshakeOptions,
    'clusterId' | 'features' | 'random' | 'identity' | 'generation' | 'bootNonce'
  > {
    const { random, clusterId } = this.#options;
    const { uuid, generation, bootNonce } = this.#options.identity();
    return {
      clusterId: clusterId() ?? new Uint8Array(16),
      features: FEATURES_KNOWN,
      random: (bytes) => random.fill(bytes),
      identity: parseUuid(uuid),
      generation,
      bootNonce,
    };
  }
}

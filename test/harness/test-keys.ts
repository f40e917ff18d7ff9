import type { NodeKeys } from '../../src/node-options.js';

/** The shared keys of test clusters. */
export const TEST_KEYS: Readonly<Record<'client' | 'node' | 'admin', { id: string; secret: Uint8Array }>> = {
  client: { id: 'app', secret: new Uint8Array(32).fill(1) },
  node: { id: 'peers', secret: new Uint8Array(32).fill(2) },
  admin: { id: 'ops', secret: new Uint8Array(32).fill(3) },
};

export const TEST_NODE_KEYS: NodeKeys = {
  secret: (role, id) => (TEST_KEYS[role].id === id ? TEST_KEYS[role].secret : undefined),
  preferred: (role) => TEST_KEYS[role],
};

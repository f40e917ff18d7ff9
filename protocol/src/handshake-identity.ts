/** Not for secrets: it takes longer the more is equal. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** Whether both clusters are known (16 zeros: not) and differ. */
export function isOtherCluster(a: Uint8Array, b: Uint8Array): boolean {
  const known = (id: Uint8Array): boolean => id.some((byte) => byte !== 0);
  return known(a) && known(b) && !sameBytes(a, b);
}

/** What is said of a node that has the identity of the one it dials. */
export function ownIdentity(isSelf: boolean): {
  readonly code: 'same-node' | 'duplicate-node';
  readonly message: string;
} {
  if (isSelf) return { code: 'same-node', message: 'The node at this address is this very process.' };
  const message =
    'Another process runs with the identity of this node: one of their data directories is a copy of the other. Stop one; to run a second node, start it on an empty data directory.';
  return { code: 'duplicate-node', message };
}

/** Two hexadecimal digits for each byte. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

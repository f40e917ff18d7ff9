/** Not for secrets: it takes longer the more is equal. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** Whether both clusters are known (16 zeros: not) and differ. */
export function isOtherCluster(a: Uint8Array, b: Uint8Array): boolean {
  const known = (id: Uint8Array): boolean => id.some((byte) => byte !== 0);
  return known(a) && known(b) && !sameBytes(a, b);
}

/** Two hexadecimal digits for each byte. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

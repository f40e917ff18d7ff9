/** How keys are divided into partitions. It is chosen once, when the cluster is founded. */
export interface Placement {
  /** A power of two. */
  readonly partitions: number;
  readonly hashSeed: number;
}

/** The meta record that keeps it. */
export const PLACEMENT_META = 'placement';
const PLACEMENT_BYTES = 8;

/** The value of the meta record `placement`: two u32. */
export function encodePlacement(placement: Placement): Uint8Array {
  const bytes = new Uint8Array(PLACEMENT_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, placement.partitions, true);
  view.setUint32(4, placement.hashSeed, true);
  return bytes;
}

export function decodePlacement(bytes: Uint8Array | undefined): Placement | undefined {
  if (bytes === undefined || bytes.length !== PLACEMENT_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { partitions: view.getUint32(0, true), hashSeed: view.getUint32(4, true) };
}

/** Sizes that performance.md fixes for every row. */
export const KEY_BYTES = 16;
export const VALUE_BYTES = 100;

/** Key number `index`: 16 ASCII bytes. */
export function keyText(index: number): string {
  return `key:${index.toString().padStart(12, '0')}`;
}

/**
 * The value of key number `index`: the key itself, then text that depends on it, 100 ASCII bytes. Because a value
 * begins with its key, a reply can be checked against the request without a table.
 */
export function valueText(index: number): string {
  let text = keyText(index);
  let state = index ^ 0x9e3779b9;
  while (text.length < VALUE_BYTES) {
    state = nextRandom(state);
    text += (state >>> 0).toString(36);
  }
  return text.slice(0, VALUE_BYTES);
}

/** `count` key numbers below `keyCount`, uniform, the same for the same seed. */
export function randomOrder(count: number, keyCount: number, seed: number): Uint32Array {
  const order = new Uint32Array(count);
  let state = seed | 1;
  for (let at = 0; at < count; at++) {
    state = nextRandom(state);
    order[at] = Math.floor(((state >>> 0) / 4294967296) * keyCount);
  }
  return order;
}

/** Key numbers from `first` on, once each. */
export function sequentialOrder(first: number, count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, at) => first + at);
}

/** xorshift32 (Marsaglia, "Xorshift RNGs", 2003). The state is never 0. */
function nextRandom(state: number): number {
  let next = state === 0 ? 1 : state;
  next ^= next << 13;
  next ^= next >>> 17;
  next ^= next << 5;
  return next;
}

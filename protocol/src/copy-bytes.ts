/** Up to here words through a DataView beat `set` of a `subarray`: 17 ns against 41 for 116 bytes, 45 against 41 for 256. */
const WORD_COPY_BYTES_MAX = 224;

/**
 * Copies `source[start, start + length)` to `target` at `offset`; each view covers the same memory as its bytes.
 * The two ranges must not overlap. Hot: `bench -- node` watches it.
 */
export function copyBytes(
  target: Uint8Array,
  targetView: DataView,
  offset: number,
  source: Uint8Array,
  sourceView: DataView,
  start: number,
  length: number,
): void {
  if (length > WORD_COPY_BYTES_MAX) {
    target.set(source.subarray(start, start + length), offset);
    return;
  }
  const wordsEnd = start + (length & ~3);
  let from = start;
  let to = offset;
  for (; from < wordsEnd; from += 4, to += 4) targetView.setInt32(to, sourceView.getInt32(from, true), true);
  const end = start + length;
  for (; from < end; from++, to++) target[to] = source[from];
}

/** Whether two ranges hold the same bytes; each view covers the memory that its offset counts in. Hot: every lookup. */
export function sameBytes(
  left: DataView,
  leftStart: number,
  right: DataView,
  rightStart: number,
  length: number,
): boolean {
  const wordsEnd = leftStart + (length & ~3);
  let at = leftStart;
  let other = rightStart;
  for (; at < wordsEnd; at += 4, other += 4) {
    if (left.getInt32(at, true) !== right.getInt32(other, true)) return false;
  }
  const end = leftStart + length;
  for (; at < end; at++, other++) {
    if (left.getUint8(at) !== right.getUint8(other)) return false;
  }
  return true;
}

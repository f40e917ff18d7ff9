/**
 * `source` with the one place where `find` stands replaced. Whitespace in `find` stands for any whitespace, since the
 * compiler lays code out in its own way. Throws when it stands nowhere, or more than once.
 */
export function replaceOnce(source: string, find: string, replace: string): string {
  const words = find
    .trim()
    .split(/\s+/)
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const matches = [...source.matchAll(new RegExp(words.join('\\s+'), 'g'))];
  if (matches.length !== 1) throw new Error(`the text stands there ${matches.length} times, not once: ${find}`);
  const [match] = matches;
  return source.slice(0, match.index) + replace + source.slice(match.index + match[0].length);
}

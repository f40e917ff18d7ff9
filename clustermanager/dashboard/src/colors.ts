/** A node keeps its colour by its number; there are as many as one can tell apart, then they begin again. */
const COLORS = 8;

export function nodeColor(number: number): string {
  return `var(--node-${(number - 1) % COLORS})`;
}

/** What a line of a chart is drawn in, by kind of operation. */
export function operationColor(kind: string): string {
  const known: Record<string, string> = {
    get: '--series-0',
    set: '--series-1',
    delete: '--series-2',
    quorumGet: '--series-3',
    getMany: '--series-4',
    setMany: '--series-5',
    contains: '--series-6',
    scan: '--series-7',
  };
  return known[kind] ?? '--series-7';
}

/** The value of a colour of the theme that is shown now, for canvases. */
export function cssColor(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

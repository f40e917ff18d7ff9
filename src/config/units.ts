const bytesPerUnit: ReadonlyMap<string, number> = new Map([
  ['B', 1],
  ['kB', 1e3],
  ['MB', 1e6],
  ['GB', 1e9],
  ['KiB', 2 ** 10],
  ['MiB', 2 ** 20],
  ['GiB', 2 ** 30],
  ['TiB', 2 ** 40],
]);

const millisecondsPerUnit: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1e3],
  ['m', 60e3],
  ['h', 3_600e3],
  ['d', 86_400e3],
]);

/** Reads a size such as "16MiB", "4 KiB" or "512" (bytes). Undefined unless it is a whole number of bytes. */
export function parseBytes(text: string): number | undefined {
  return scaled(text, bytesPerUnit, 'B');
}

/** Reads a time such as "100ms", "2s" or "1.5m". A bare number other than 0 has no unit and is refused. */
export function parseDurationMs(text: string): number | undefined {
  if (/^\s*0+\s*$/.test(text)) return 0;
  return scaled(text, millisecondsPerUnit, undefined);
}

function scaled(text: string, units: ReadonlyMap<string, number>, unitless: string | undefined): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(text);
  if (match === null) return undefined;
  const unit = match[2] === '' ? unitless : match[2];
  const factor = unit === undefined ? undefined : units.get(unit);
  if (factor === undefined) return undefined;
  const value = Number(match[1]) * factor;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Bytes in the largest binary unit that divides them: 16777216 → "16MiB". */
export function formatBytes(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const factor = bytesPerUnit.get(unit) ?? 1;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}B`;
}

/** Milliseconds in the largest unit that divides them: 2000 → "2s". */
export function formatDurationMs(milliseconds: number): string {
  for (const unit of ['h', 'm', 's']) {
    const factor = millisecondsPerUnit.get(unit) ?? 1;
    if (milliseconds >= factor && milliseconds % factor === 0) return `${milliseconds / factor}${unit}`;
  }
  return `${milliseconds}ms`;
}

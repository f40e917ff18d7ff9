/** Turns one JSON log line into one for people: time, level, event, sentence, then the other fields. */
export function prettyLine(json: string): string {
  let line: Record<string, unknown>;
  try {
    line = JSON.parse(json) as Record<string, unknown>;
  } catch {
    return json;
  }
  const { time, level, event, message, ...fields } = line;
  const parts = [clockOf(time), String(level).toUpperCase().padEnd(5), String(event)];
  if (message !== undefined) parts.push(String(message));
  for (const [name, value] of Object.entries(fields)) {
    parts.push(`${name}=${typeof value === 'string' && !/[\s"=]/.test(value) ? value : JSON.stringify(value)}`);
  }
  return `${parts.join(' ')}\n`;
}

/** The time of day of an ISO time, in UTC. */
function clockOf(time: unknown): string {
  return typeof time === 'string' && time.length >= 23 ? time.slice(11, 23) : '-';
}

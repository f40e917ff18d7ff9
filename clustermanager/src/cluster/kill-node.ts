import { type Client, MemDbError, type NodeEvent } from '@memdb/client';
import type { z } from 'zod';
import type { killedSchema } from '../api/schemas.js';
import { NOTICE_MS, NOTICE_POLL_MS } from '../limits.js';
import type { World } from '../platform/world.js';
import { parseStatus } from './node-report.js';
import type { NodeView } from './node-view.js';

type Killed = z.infer<typeof killedSchema>;

/** Long enough for a node that lives on a busy machine, short beside what is measured. */
const ASK_TIMEOUT_MS = 400;

/**
 * Ends the process of a node and watches what becomes of it: until it answers no more and another node misses it, but not
 * for longer than `NOTICE_MS`.
 */
export async function killNode(
  client: Client,
  world: World,
  target: NodeView,
  others: readonly NodeView[],
  graceful: boolean,
): Promise<Killed> {
  const requestedAtMs = world.wallMs();
  const startedMs = world.monotonicMs();
  const elapsed = (): number => Math.round(world.monotonicMs() - startedMs);
  let endedAfterMs: number | null = null;
  const onNode = ({ node, state }: NodeEvent): void => {
    if (node === target.number && state === 'down') endedAfterMs ??= elapsed();
  };
  client.on('node', onNode);
  try {
    await client.admin.kill(target.number, { graceful });
  } catch (error) {
    // It was quicker than its answer.
    if (!(error instanceof MemDbError) || error.code !== 'connection-lost') {
      client.off('node', onNode);
      throw error;
    }
  }
  let noticedAfterMs: number | null = null;
  let noticedBy: number[] = [];
  while (elapsed() < NOTICE_MS && (endedAfterMs === null || noticedAfterMs === null)) {
    const missing = await Promise.all(others.map((other) => misses(client, other.number, target.number)));
    noticedBy = others.filter((_, index) => missing[index]).map(({ number }) => number);
    if (noticedBy.length > 0) noticedAfterMs ??= elapsed();
    await new Promise<void>((resolve) => void world.after(NOTICE_POLL_MS, resolve));
  }
  client.off('node', onNode);
  const { number: node, id } = target;
  return { node, id, graceful, requestedAtMs, endedAfterMs, noticedAfterMs, noticedBy };
}

/** Whether node `asked` does not hear node `number`. */
async function misses(client: Client, asked: number, number: number): Promise<boolean> {
  try {
    const { members } = parseStatus(await client.admin.status(asked, { timeoutMs: ASK_TIMEOUT_MS }));
    return members.some((member) => member.number === number && !member.reachable);
  } catch {
    return false;
  }
}

import { type Client, MemDbError } from '@memdb/client';
import { deadlineMs } from './events.js';
import type { Ledger } from './ledger.js';

/** Reads under way at the same time. */
const WINDOW = 128;

/**
 * Reads every key that was written since `moment` from a majority, and returns each broken promise as a sentence. A
 * cluster that has just healed may refuse for a while: refusals are asked again until the deadline.
 */
export async function readBack(client: Client, ledger: Ledger, moment: number = 0): Promise<string[]> {
  const keys = ledger.keysSince(moment);
  const broken: string[] = [];
  const deadline = Date.now() + deadlineMs;
  let next = 0;
  const reader = async (): Promise<void> => {
    for (let key = keys[next++]; key !== undefined; key = keys[next++]) {
      const problem = await readOne(client, ledger, key, deadline);
      if (problem !== undefined) broken.push(problem);
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, reader));
  return broken;
}

async function readOne(client: Client, ledger: Ledger, key: string, deadline: number): Promise<string | undefined> {
  for (;;) {
    const read = ledger.beginRead(key);
    try {
      const { value, stamp } = await client.quorumGet(key);
      return ledger.judge(read, value, stamp);
    } catch (error) {
      if (!(error instanceof MemDbError)) throw error;
      if (Date.now() > deadline) return `${key} cannot be read: ${error.message}`;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** Resolves once the owners of each key of the ledger agree on it: all that was missed has been caught up. */
export async function agreement(client: Client, keys: readonly string[]): Promise<string | undefined> {
  const deadline = Date.now() + deadlineMs;
  let next = 0;
  let disagreed: string | undefined;
  const reader = async (): Promise<void> => {
    for (let key = keys[next++]; key !== undefined; key = keys[next++]) {
      if (!(await agreesOn(client, key, deadline))) disagreed = key;
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, reader));
  return disagreed;
}

async function agreesOn(client: Client, key: string, deadline: number): Promise<boolean> {
  while (Date.now() < deadline) {
    try {
      if ((await client.quorumGet(key, { replies: 'all' })).agreed) return true;
    } catch (error) {
      if (!(error instanceof MemDbError)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

import { formatUuid } from '@memdb/protocol';
import type { Disk } from '../ports/disk.js';
import type { Random } from '../ports/random.js';

/** Who this node is. Made with its data directory; a directory that is lost comes back as somebody else. */
export interface Identity {
  readonly uuid: string;
  /** How often the directory was started, this start included. */
  readonly generation: number;
  /** Fresh at every start: tells two processes on copies of one directory apart. */
  readonly bootNonce: Uint8Array;
}

const FILE = 'identity.json';

/**
 * Reads the identity of a data directory, or makes it, and counts the start; durable on return. Without a disk every
 * start is a new node. Throws when the file is damaged: a guess could impersonate another start of this node.
 */
export function takeIdentity(disk: Disk | undefined, random: Random): Identity {
  const bootNonce = new Uint8Array(8);
  random.fill(bootNonce);
  const fresh = new Uint8Array(16);
  random.fill(fresh);
  // RFC 9562, version 4: random.
  fresh[6] = (fresh[6] & 0x0f) | 0x40;
  fresh[8] = (fresh[8] & 0x3f) | 0x80;
  if (disk === undefined) return { uuid: formatUuid(fresh), generation: 1, bootNonce };
  const known = disk.exists(FILE) ? parse(disk.read(FILE)) : { uuid: formatUuid(fresh), generation: 0 };
  const identity = { uuid: known.uuid, generation: known.generation + 1, bootNonce };
  const text = `${JSON.stringify({ uuid: identity.uuid, generation: identity.generation })}\n`;
  disk.replace(FILE, new TextEncoder().encode(text));
  return identity;
}

function parse(bytes: Uint8Array): { uuid: string; generation: number } {
  const problem = `${FILE} in the data directory is damaged; restore it, or empty the directory to start as a new node`;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new Error(problem, { cause });
  }
  if (typeof value !== 'object' || value === null || !('uuid' in value) || !('generation' in value)) {
    throw new Error(problem);
  }
  const { uuid, generation } = value;
  if (typeof uuid !== 'string' || typeof generation !== 'number' || !Number.isInteger(generation) || generation < 1) {
    throw new Error(problem);
  }
  return { uuid, generation };
}

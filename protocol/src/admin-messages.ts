import { BodyReader } from './body-reader.js';
import { formatUuid, parseUuid, UUID_BYTES } from './uuid.js';

/** What `kill` asks: which node is meant, and whether it may finish what it accepted. */
export interface WireKill {
  /** UUID of the node that is to end: a connection may have reached another one at the same address. */
  readonly node: string;
  /** False: the process ends at once. True: it drains, syncs and exits with 0. */
  readonly isGraceful: boolean;
}

/** how 1 + zero 3 + uuid 16. */
const KILL_BYTES: number = 4 + UUID_BYTES;
const AT_ONCE = 1;
const GRACEFUL = 2;

/** Body of a kill (PROTOCOL.md, "Administration"). Throws RangeError for a UUID that is none. */
export function encodeKill({ node, isGraceful }: WireKill): Uint8Array {
  const body = new Uint8Array(KILL_BYTES);
  body[0] = isGraceful ? GRACEFUL : AT_ONCE;
  body.set(parseUuid(node), 4);
  return body;
}

/** Reads what `encodeKill` wrote. Throws `ProtocolError` when it is malformed: nothing ends by accident. */
export function decodeKill(bytes: Uint8Array, view: DataView, start: number, end: number): WireKill {
  const reader = new BodyReader('kill', bytes, view, start, end);
  const how = reader.u8('how');
  if (how !== AT_ONCE && how !== GRACEFUL) reader.fail(`way ${how} of ending`);
  reader.zeros(3);
  const node = formatUuid(reader.bytes(UUID_BYTES, 'node'));
  reader.finish();
  return { node, isGraceful: how === GRACEFUL };
}

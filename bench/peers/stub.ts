import { fileURLToPath } from 'node:url';
import { type Children, freePort, SERVER_CORE, untilReady } from '../children.js';
import type { Operation } from '../generators/request-pool.js';
import type { Peer } from './peer.js';

const PROCESS_FILE = fileURLToPath(new URL('./stub-process.js', import.meta.url));

/** A responder that does no work: what the generator reaches against it is the generator's own ceiling. */
export async function startStub(children: Children, wire: 'memdb' | 'redis', operation: Operation): Promise<Peer> {
  const port = await freePort();
  const args = [PROCESS_FILE, wire, operation, String(port)];
  const child = children.start(`stub-${wire}`, process.execPath, args, { core: SERVER_CORE, messages: true });
  let listening = false;
  child.process.once('message', () => {
    listening = true;
  });
  await untilReady(child, async () => listening, 10);
  return { ports: [port], pids: [child.pid], stop: () => children.stop(child) };
}

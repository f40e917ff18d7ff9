import { GossipWorld } from './gossip-world.js';

/** By then what the nodes heard at their start is old news. */
const SETTLE_MS_PER_NODE = 300;
const MEASURE_MS = 120_000;

/** What one of so many nodes sends in a second while nothing happens. */
export function gossipLoad(count: number): { readonly messages: number; readonly bytes: number } {
  const world = GossipWorld.formed(7, count);
  world.run(world.nowMs + count * SETTLE_MS_PER_NODE);
  const { messages, bytes } = world;
  world.run(world.nowMs + MEASURE_MS);
  const perNode = (sum: number): number => (sum * 1000) / MEASURE_MS / count;
  return { messages: perNode(world.messages - messages), bytes: perNode(world.bytes - bytes) };
}

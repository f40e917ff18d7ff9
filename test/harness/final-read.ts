import type { BareReply } from './bare-client.js';
import { LEVEL } from './bare-client.js';
import type { BrokenPromises } from './broken-promise.js';
import type { FinalVersion } from './check-history.js';
import type { SerialHistory } from './serial-history.js';
import type { SimCluster } from './sim-cluster.js';
import { SimSession } from './sim-session.js';

const REPLIES_ALL = 255;
const DEADLINE_MS = 10_000;

/**
 * Reads every key from all its owners, which repairs what no log could bring, and once more from a majority.
 * `alternating`: keys whose values expire while clocks were moved, so that one node finds them absent and another not.
 */
export function readAll(
  cluster: SimCluster,
  keys: readonly string[],
  alternating: ReadonlySet<string>,
  broken: BrokenPromises,
): Map<string, FinalVersion> {
  const { world } = cluster;
  const session = new SimSession(cluster, 'judge');
  const ask = (again: boolean): Map<string, BareReply> => {
    const replies = new Map<string, BareReply>();
    for (const key of keys) {
      const client = session.to(world.random.pick(cluster.members));
      const done = (reply: BareReply): void => {
        replies.set(key, reply);
      };
      if (again) client.get(key, LEVEL.quorum, done);
      else client.quorumGet(key, REPLIES_ALL, done);
    }
    world.runUntil(() => replies.size === keys.length, world.nowMs + DEADLINE_MS);
    return replies;
  };
  const all = ask(false);
  const again = ask(true);
  const final = new Map<string, FinalVersion>();
  for (const key of keys) {
    const one = all.get(key);
    const two = again.get(key);
    const error = one?.error ?? two?.error;
    if (one === undefined || two === undefined || error !== undefined) {
      broken.add(`it cannot be read at the end: ${error?.message ?? 'no answer'}`, key);
      continue;
    }
    // An absent key answers with the floor of whoever is asked, and a value may expire in between.
    const restamped = two.value !== undefined && two.counter !== one.counter;
    const differs = restamped || (two.value ?? one.value) !== one.value;
    if (differs && !alternating.has(key)) broken.add('two reads at the end differ', key);
    final.set(key, { stamp: { counter: one.counter, node: one.node }, value: one.value });
  }
  return final;
}

/** Reads every serial key once more: what all clients saw ends in that. */
export function readSerial(cluster: SimCluster, history: SerialHistory, broken: BrokenPromises): void {
  const { world } = cluster;
  const session = new SimSession(cluster, 'serial-judge');
  let answered = 0;
  const { keys } = history;
  for (const key of keys) {
    const event = history.begin(key, { kind: 'get' });
    session.to(world.random.pick(cluster.names)).get(key, LEVEL.serial, (reply) => {
      answered++;
      if (reply.error === undefined) history.answer(event, { kind: 'value', value: reply.value });
      else broken.add(`it cannot be read at the end: ${reply.error.message}`, key);
    });
  }
  if (!world.runUntil(() => answered === keys.length, world.nowMs + DEADLINE_MS)) {
    broken.add(`${keys.length - answered} serial keys are not answered at the end`);
  }
}

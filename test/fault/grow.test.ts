import type { Client } from '@memdb/client';
import test from 'ava';
import { deadlineMs, within } from './events.js';
import { cyclesOf } from './fault-cycles.js';
import { Ledger } from './ledger.js';
import { Load } from './load.js';
import { agreement, readBack } from './read-back.js';
import { RealCluster } from './real-cluster.js';

const FOUNDERS = 3;

/** Bytes of records that all nodes took since they started; those that were killed count anew. */
async function bytesTaken(client: Client, numbers: readonly number[]): Promise<number> {
  const statuses = await Promise.all(numbers.map((number) => client.admin.status(number, { timeoutMs: 5000 })));
  return statuses.reduce((sum, { transfer }) => sum + Number((transfer as { bytesTaken?: number }).bytesTaken ?? 0), 0);
}

/** Waits until the cluster has so many members and nothing is pending. */
async function settled(admin: Client, members: number): Promise<void> {
  let last = 'nothing';
  let done = false;
  const ask = async (): Promise<void> => {
    while (!done) {
      try {
        const { pending, nodes, epoch } = await admin.admin.topology();
        done =
          pending === undefined && nodes.length === members && nodes.every(({ standing }) => standing === 'member');
        last = `epoch ${epoch}: ${nodes.length} nodes, ${pending === undefined ? 'nothing pending' : 'a change pending'}`;
      } catch (error) {
        last = error instanceof Error ? error.message : String(error);
      }
      if (!done) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  void ask();
  try {
    await within(
      deadlineMs * 2,
      () => done,
      () => `${members} members; ${last}`,
    );
  } finally {
    done = true;
  }
}

/** Waits until a change is pending. */
async function begun(admin: Client): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (Date.now() < deadline) {
    const topology = await admin.admin.topology().catch(() => undefined);
    if (topology?.pending !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('no change began');
}

test('a cluster grows and shrinks under load, a node killed during each change, and loses nothing', async (t) => {
  const most = FOUNDERS + cyclesOf(1);
  const cluster = await RealCluster.start(t, { nodes: most, founders: FOUNDERS });
  const client = await cluster.connect();
  const admin = await cluster.connect({ role: 'admin', timeoutMs: 5000 });
  const ledger = new Ledger();
  const load = new Load(t, client, ledger);
  await load.more('acknowledged', 2000);
  const figures: string[] = [];
  for (let members = FOUNDERS; members < most; members++) {
    const joins = cluster.node(members).start();
    await begun(admin);
    // About the change that is pending: what it moves, of what there is now. Later writes reach the newcomer by themselves.
    const preview = await admin.admin.preview({ kind: 'pause' }).catch(() => undefined);
    const victim = cluster.node(members % FOUNDERS);
    await victim.kill();
    await victim.start();
    await joins;
    await settled(admin, members + 1);
    const taken = await bytesTaken(admin, [members + 1]);
    figures.push(`join ${members + 1}: ${taken} bytes taken, ${String(preview?.bytes ?? 'unknown')} foreseen`);
    await load.more('acknowledged', 200);
  }
  for (let members = most; members > FOUNDERS; members--) {
    const leaver = cluster.node(members - 1);
    await admin.admin.change({ kind: 'leave', node: members });
    await begun(admin);
    const victim = cluster.node(members % FOUNDERS);
    await victim.kill();
    await victim.start();
    t.is((await leaver.program.ended).code, 0);
    await settled(admin, members - 1);
    await load.more('acknowledged', 200);
  }
  await load.stop();
  t.deepEqual(load.broken, []);
  t.deepEqual(await readBack(client, ledger), []);
  t.is(await agreement(client, ledger.keysSince(0)), undefined);
  t.log(`${FOUNDERS} → ${most} → ${FOUNDERS} nodes: ${ledger.summary()}; ${figures.join('; ')}`);
});

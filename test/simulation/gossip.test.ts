import test from 'ava';
import { ROUND_MS } from '../../src/membership/swim/timing.js';
import { gossipLoad } from '../harness/gossip-load.js';
import { GossipWorld, nameOf } from '../harness/gossip-world.js';
import { simulateGossip } from '../harness/simulate-gossip.js';

const names = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => nameOf(from + index));

/** Calls `measure` with so many seeds; it returns milliseconds. The rounds that it took, ascending. */
function rounds(seeds: number, measure: (seed: number) => number | undefined): number[] {
  const taken = Array.from(
    { length: seeds },
    (_, index) => (measure(index + 1) ?? Number.POSITIVE_INFINITY) / ROUND_MS,
  );
  return taken.sort((a, b) => a - b);
}

const summary = (taken: readonly number[]): string =>
  `median ${taken[Math.floor(taken.length / 2)]} rounds, longest ${taken.at(-1)}`;

for (const loss of [0, 0.05]) {
  test(`100 nodes, ${loss * 100} % of their messages lost, all know within 15 rounds that one vanished`, (t) => {
    const taken = rounds(8, (seed) => {
      const world = GossipWorld.formed(seed, 100);
      world.loss = loss;
      world.run(world.nowMs + world.random.between(0, ROUND_MS));
      world.crash('n7');
      return world.runUntil(() => world.allHold('n7', 'dead'), 60 * ROUND_MS);
    });
    t.log(summary(taken));
    t.true((taken.at(-1) ?? 0) <= 15);
  });

  test(`100 nodes, ${loss * 100} % of their messages lost, all know within 15 rounds of one that joined`, (t) => {
    const taken = rounds(8, (seed) => {
      const world = GossipWorld.formed(seed, 100);
      world.loss = loss;
      world.start('new', 'n3');
      return world.runUntil(
        () => world.allHold('new', 'alive') && world.node('new').swim.present === 101,
        60 * ROUND_MS,
      );
    });
    t.log(summary(taken));
    t.true((taken.at(-1) ?? 0) <= 15);
  });
}

test('one node of 8 at a tenth of its speed causes no false death in 100 node-hours', (t) => {
  const world = GossipWorld.formed(1, 8);
  const slow = world.node('n3');
  slow.slowness = 10;
  world.run(world.nowMs + 12.5 * 3_600_000);
  t.deepEqual(
    world.falseDeaths.map(({ at, member }) => `${at.name} declares ${member.uuid} dead`),
    [],
  );
  // It bit: the others often waited in vain, and it had to refute.
  t.true(slow.swim.counts.refutations > 100, `${slow.swim.counts.refutations}`);
  // And it knew better than to accuse them.
  t.is(slow.swim.counts.suspicions, 0);
});

test('a busy node accuses nobody, however long its event loop stands still', (t) => {
  const world = GossipWorld.formed(2, 8);
  for (let count = 0; count < 50; count++) {
    world.pause('n2');
    world.run(world.nowMs + world.random.between(100, 60_000));
    world.resume('n2');
    world.run(world.nowMs + world.random.between(500, 5000));
  }
  world.run(world.nowMs + 60_000);
  t.is(world.node('n2').swim.counts.suspicions, 0);
  t.true(world.isAgreed);
});

test('a cut through the middle of 100 nodes heals without a restart', (t) => {
  const world = GossipWorld.formed(3, 100);
  world.cut(names(0, 50), names(50, 100));
  const isCut = (): boolean =>
    names(0, 50).every((one) =>
      names(50, 100).every((other) => world.node(one).swim.others.get(other)?.claim.state === 'dead'),
    );
  t.not(world.runUntil(isCut, 120 * ROUND_MS), undefined);
  world.heal();
  const healedMs = world.runUntil(() => world.isAgreed, 120 * ROUND_MS);
  t.log(`all agree ${healedMs} ms after the cut healed`);
  t.not(healedMs, undefined);
  t.true(names(0, 100).every((name) => world.node(name).generation === 1));
});

test('a node that was away for an hour learns what happened, from any one that is there', (t) => {
  const world = GossipWorld.formed(4, 8);
  world.crash('n1');
  world.run(world.nowMs + 10 * 60_000);
  // While it is away one dies, one leaves, one starts again, one joins, and an epoch is made.
  world.crash('n2');
  world.node('n3').leave();
  world.crash('n3');
  world.crash('n4');
  world.run(world.nowMs + 10 * 60_000);
  world.start('n4', 'n5');
  world.start('n9', 'n6');
  const { swim } = world.node('n5');
  swim.describe({ ...swim.self.profile, epoch: 7 }, true);
  world.run(world.nowMs + 40 * 60_000);
  const returned = world.start('n1', 'n8');
  t.true((world.runUntil(() => world.isAgreed, 15 * ROUND_MS) ?? 0) <= 15 * ROUND_MS);
  const { others } = returned.swim;
  t.is(others.get('n2')?.claim.state, 'dead');
  t.is(others.get('n3')?.claim.state, 'left');
  t.is(others.get('n4')?.generation, 2);
  t.is(others.get('n9')?.claim.state, 'alive');
  t.is(others.get('n5')?.profile.epoch, 7);
  const diedMs = 60_000 + 10 * 60_000;
  const sinceMs = others.get('n2')?.claim.sinceMs ?? 0;
  t.true(sinceMs >= diedMs && sinceMs < diedMs + 60_000, 'since when it is dead, not since when that was learned');
});

test('two nodes that cannot reach each other stay alive for everybody while others reach both', (t) => {
  for (const isOneWay of [false, true]) {
    const world = GossipWorld.formed(5, 5);
    world.cut(['n1'], ['n2'], isOneWay);
    world.run(world.nowMs + 3_600_000);
    t.true(world.isWhole);
    t.deepEqual(world.falseDeaths, []);
    const [first, second] = [world.node('n1').swim.counts, world.node('n2').swim.counts];
    t.true(first.relaysAsked + second.relaysAsked > 100);
    t.is(first.suspicions + second.suspicions, 0);
  }
});

test('random troubles: nobody well is declared dead, nothing goes back, news spread, all agree in the end', (t) => {
  for (let seed = 1; seed <= 40; seed++) {
    t.deepEqual(simulateGossip({ seed }).broken, [], `npm run sim -- --workload gossip --seed ${seed}`);
  }
});

for (const [count, messagesMax, bytesMax] of [
  [10, 5, 1000],
  [100, 5, 2500],
] as const) {
  test(`a node of ${count} sends at most ${messagesMax} messages and ${bytesMax} bytes of gossip a second`, (t) => {
    const { messages, bytes } = gossipLoad(count);
    t.log(`${messages.toFixed(2)} messages, ${bytes.toFixed(0)} bytes`);
    t.true(messages <= messagesMax);
    t.true(bytes <= bytesMax);
  });
}

test('a node of 100 sends no more than so much while ten others die at once', (t) => {
  const world = GossipWorld.formed(8, 100);
  const [messages, bytes] = [world.messages, world.bytes];
  for (const name of names(90, 100)) world.crash(name);
  const takenMs = world.runUntil(() => names(90, 100).every((name) => world.allHold(name, 'dead')), 60 * ROUND_MS) ?? 0;
  const seconds = takenMs / 1000;
  const [sent, sentBytes] = [world.messages - messages, world.bytes - bytes].map((sum) => sum / 90 / seconds);
  t.log(`${takenMs} ms: ${sent.toFixed(2)} messages, ${sentBytes.toFixed(0)} bytes a second`);
  t.true(takenMs <= 20 * ROUND_MS);
  t.true(sent <= 10 && sentBytes <= 20_000);
});

test('one seed of gossip, run twice, is one history', (t) => {
  t.is(simulateGossip({ seed: 6 }).hash, simulateGossip({ seed: 6 }).hash);
  t.not(simulateGossip({ seed: 6 }).hash, simulateGossip({ seed: 7 }).hash);
});

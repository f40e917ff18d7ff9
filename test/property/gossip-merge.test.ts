import test from 'ava';
import fc from 'fast-check';
import {
  compareClaims,
  compareStarts,
  MEMBER_STATES,
  type Member,
  mergeMembers,
  type Profile,
} from '../../src/membership/swim/member.js';
import { startOf } from '../harness/gossip-world.js';

/** One node under all circumstances. What it tells of itself is one thing for one start and version, as in life. */
const member: fc.Arbitrary<Member> = fc
  .record({
    generation: fc.integer({ min: 1, max: 3 }),
    nonce: fc.constantFrom('00000000000000aa', '00000000000000bb'),
    incarnation: fc.nat(3),
    state: fc.constantFrom(...MEMBER_STATES),
    by: fc.constantFrom('', 'n2', 'n3'),
    sinceMs: fc.nat(3),
    version: fc.nat(3),
  })
  .map(({ generation, nonce, incarnation, state, by, sinceMs, version }) => {
    const { profile } = startOf('n1', generation, 0);
    const told: Profile = { ...profile, version, load: version * 100 + generation };
    return { uuid: 'n1', generation, bootNonce: nonce, claim: { incarnation, state, by, sinceMs }, profile: told };
  });

function holds(property: fc.IRawProperty<unknown[]>): void {
  fc.assert(property as fc.IRawProperty<unknown>, { numRuns: 3000 });
}

test('merging is commutative: who is told first does not matter', (t) => {
  holds(fc.property(member, member, (a, b) => void t.deepEqual(mergeMembers(a, b), mergeMembers(b, a))));
  t.pass();
});

test('merging is associative: the way that news take does not matter', (t) => {
  const property = fc.property(member, member, member, (a, b, c) => {
    t.deepEqual(mergeMembers(mergeMembers(a, b), c), mergeMembers(a, mergeMembers(b, c)));
  });
  holds(property);
  t.pass();
});

test('merging is idempotent: what is told again adds nothing, and is seen to add nothing', (t) => {
  const property = fc.property(member, member, (a, b) => {
    const once = mergeMembers(a, b);
    t.is(mergeMembers(once, a), once);
    t.is(mergeMembers(once, b), once);
  });
  holds(property);
  t.pass();
});

test('what is held never goes back, in start, claim or version', (t) => {
  const property = fc.property(member, member, (held, heard) => {
    const merged = mergeMembers(held, heard);
    const later = compareStarts(merged, held);
    t.true(later >= 0);
    if (later > 0) return;
    t.true(compareClaims(merged.claim, held.claim) >= 0);
    t.true(merged.profile.version >= held.profile.version);
  });
  holds(property);
  t.pass();
});

test('a refutation beats every accusation of an earlier incarnation, and a later start every death', (t) => {
  const property = fc.property(member, (accused) => {
    const { claim } = accused;
    const alive = { incarnation: claim.incarnation + 1, state: 'alive', by: '', sinceMs: 9 } as const;
    const refuted = { ...accused, claim: alive };
    t.is(mergeMembers(accused, refuted).claim, alive);
    t.is(mergeMembers(refuted, accused).claim, alive);
    const restarted = startOf('n1', accused.generation + 1, 9);
    t.is(mergeMembers(accused, restarted), restarted);
    t.is(mergeMembers(restarted, accused), restarted);
  });
  holds(property);
  t.pass();
});

import test from 'ava';
import { Doorkeeper } from '../../src/membership/doorkeeper.js';
import type { Member } from '../../src/membership/swim/member.js';
import { startOf } from '../harness/gossip-world.js';

/** What it says of a start of n1, of whose third start it knows that its log reached LSN 100. */
function answer(start: {
  generation: number;
  bootNonce?: string;
  logEnd?: number;
  address?: string;
}): string | undefined {
  const known: Member = withLog(startOf('n1', 3, 0), 100);
  const doorkeeper = new Doorkeeper({
    self: () => startOf('n2', 1, 0),
    memberOf: (uuid) => (uuid === 'n1' ? known : undefined),
    members: () => [known],
    linkTo: () => undefined,
  });
  const { generation, bootNonce, logEnd, address } = start;
  const plain = withLog(startOf('n1', generation, 0), logEnd ?? 100);
  const asked: Member = {
    ...plain,
    bootNonce: bootNonce ?? plain.bootNonce,
    profile: { ...plain.profile, address: address ?? plain.profile.address },
  };
  let said: string | undefined = 'nothing';
  doorkeeper.onIntroduced(asked, 0, (refusal) => {
    said = refusal;
  });
  return said;
}

function withLog(member: Member, logEnd: number): Member {
  return { ...member, profile: { ...member.profile, logEnd } };
}

test('a later start whose log lacks nothing, and one that is known already, are welcome', (t) => {
  t.is(answer({ generation: 4 }), undefined);
  t.is(answer({ generation: 9, logEnd: 2000 }), undefined);
  t.is(answer({ generation: 3, logEnd: 0 }), undefined);
});

test('a lower restart count, or the same with another boot nonce, is a copy or an older state', (t) => {
  t.regex(
    answer({ generation: 2 }) ?? '',
    /started 3 times, and this is start 2.*copy, or an older state.*empty the data/,
  );
  t.regex(
    answer({ generation: 3, bootNonce: 'ffffffffffffffff' }) ?? '',
    /start 3 of node n1.*copy of the other.*Stop/,
  );
});

test('a log that ends below what was on the disk before was put back from a copy (counterexample 17)', (t) => {
  t.regex(answer({ generation: 4, logEnd: 99 }) ?? '', /ends at LSN 99, and it had LSN 100 on its disk before/);
});

test('the address of the node that is asked is not free', (t) => {
  t.regex(
    answer({ generation: 4, address: 'n2:10000' }) ?? '',
    /has the address n2:10000, and is alive.*node\.advertise/,
  );
});

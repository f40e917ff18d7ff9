import { VersionKind } from '@memdb/protocol';
import test from 'ava';
import { quorumAnswer } from '../../src/replication/quorum-answer.js';
import { ReadOperation } from '../../src/replication/read-operation.js';
import { ReplySink } from '../harness/reply-sink.js';

const SET = {
  index: 0,
  members: [1, 2, 3],
  selfIndex: 0,
  coordinates: true,
  owners: 0b111,
  next: 0,
  majority: 2,
  nextMajority: 0,
};
const VALUE = new Uint8Array([118]);
const NONE = new Uint8Array(0);

/**
 * A read that met an expired value on one owner, and the floor by which another had purged that very value, wrote a
 * tombstone with the stamp of the value back. Evictions made such a tombstone the newer version: one stamp, two contents.
 * Found by `npm run sim -- --seed 524974565` and `--seed 620395570`.
 */
test('a value that expired and was purged on one owner stays what it is on the others, and counts as over', (t) => {
  const operation = new ReadOperation(0);
  operation.begin(new ReplySink(), 0, 0, 2);
  operation.ask(SET);
  operation.answers = [];
  operation.vote(0, VersionKind.value, 964, 1, VALUE, 0, 1, 5000);
  operation.vote(1, VersionKind.never, 964, 1, NONE, 0, 0, 0);
  t.is(operation.kind, VersionKind.value);
  // Also where the clock of the coordinator is behind.
  t.false(operation.hasValue(4000));
  t.is(operation.holders, 0b11);
  const answer = quorumAnswer(operation, SET, 4000);
  t.is(answer.value, undefined);
  t.true(answer.agreed);
});

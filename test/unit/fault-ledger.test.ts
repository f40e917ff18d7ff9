import test from 'ava';
import { Ledger } from '../fault/ledger.js';

const at = (counter: number): { counter: number; node: number } => ({ counter, node: 1 });

function written(): { ledger: Ledger; value: string | undefined } {
  const ledger = new Ledger();
  const write = ledger.beginSet('k', 1);
  ledger.acknowledged(write);
  return { ledger, value: write.value };
}

test('a ledger does not accept a read that goes back, to an older value or to none', (t) => {
  const { ledger, value } = written();
  t.is(ledger.judge(ledger.beginRead('k'), value, at(7)), undefined);
  t.regex(ledger.judge(ledger.beginRead('k'), value, at(6)) ?? '', /had returned 7/);
  ledger.acknowledged(ledger.beginDelete('k'));
  t.regex(ledger.judge(ledger.beginRead('k'), undefined, at(6)) ?? '', /had returned 7/);
});

test('a ledger does not accept what comes back from below the floor that a read had answered', (t) => {
  const { ledger, value } = written();
  const remove = ledger.beginDelete('k');
  ledger.acknowledged(remove);
  t.is(ledger.judge(ledger.beginRead('k'), undefined, at(9)), undefined);
  t.regex(ledger.judge(ledger.beginRead('k'), value, at(8)) ?? '', /was gone at 9/);
  t.regex(ledger.judge(ledger.beginRead('k'), value, at(9)) ?? '', /was gone at 9/);
});

test('a ledger accepts that an absent key answers with the lower floor of another replica', (t) => {
  const ledger = new Ledger();
  ledger.beginSet('k', 1);
  t.is(ledger.judge(ledger.beginRead('k'), undefined, at(9)), undefined);
  t.is(ledger.judge(ledger.beginRead('k'), undefined, at(0)), undefined);
});

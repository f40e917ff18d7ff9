import test from 'ava';
import { checkLinearizable, type Operation } from '../harness/linearizability.js';
import { type RegisterInput, type RegisterOutput, registerModel } from '../harness/register-model.js';

type RegisterOperation = Operation<RegisterInput, RegisterOutput>;

const NEVER = Number.POSITIVE_INFINITY;

function set(begun: number, answered: number, value: string | undefined): RegisterOperation {
  const output: RegisterOutput | undefined = answered === NEVER ? undefined : { kind: 'done' };
  return { input: { kind: 'set', value }, output, begun, answered };
}

function get(begun: number, answered: number, value: string | undefined): RegisterOperation {
  return { input: { kind: 'get' }, output: { kind: 'value', value }, begun, answered };
}

function cas(begun: number, answered: number, expected: string | undefined, next: string, actual: string | undefined) {
  const output: RegisterOutput = { kind: 'compared', applied: actual === expected, actual };
  return { input: { kind: 'cas', expected, next } as const, output, begun, answered };
}

function verdict(...history: RegisterOperation[]): string {
  return checkLinearizable(registerModel, history);
}

test('nothing, and what happens one after the other, is linearizable', (t) => {
  t.is(verdict(), 'linearizable');
  t.is(
    verdict(get(1, 2, undefined), set(3, 4, 'a'), get(5, 6, 'a'), set(7, 8, undefined), get(9, 10, undefined)),
    'linearizable',
  );
});

test('a read that runs with a write may see it or not', (t) => {
  t.is(verdict(set(1, 10, 'a'), get(2, 3, undefined), get(4, 5, 'a')), 'linearizable');
  t.is(verdict(set(1, 10, 'a'), get(2, 5, 'a'), get(3, 6, undefined)), 'linearizable');
});

test('a read that goes back is not linearizable', (t) => {
  t.is(verdict(set(1, 10, 'a'), get(2, 3, 'a'), get(4, 5, undefined)), 'not linearizable');
});

test('a read that misses a write that had ended is not linearizable', (t) => {
  t.is(verdict(set(1, 2, 'a'), set(3, 4, 'b'), get(5, 6, 'a')), 'not linearizable');
});

test('a value that nobody wrote is not linearizable', (t) => {
  t.is(verdict(set(1, 2, 'a'), get(3, 4, 'b')), 'not linearizable');
});

test('a write of unknown outcome may take effect late, or never, but not be taken back', (t) => {
  t.is(verdict(set(1, NEVER, 'a'), set(2, 3, 'b'), get(4, 5, 'b'), get(6, 7, 'a')), 'linearizable');
  t.is(verdict(set(1, NEVER, 'a'), set(2, 3, 'b'), get(4, 5, 'b'), get(6, 7, 'b')), 'linearizable');
  t.is(verdict(set(1, NEVER, 'a'), set(2, 3, 'b'), get(4, 5, 'a'), get(6, 7, 'b')), 'not linearizable');
});

test('of two comparisons with the same value one fails', (t) => {
  t.is(verdict(cas(1, 5, undefined, 'a', undefined), cas(2, 6, undefined, 'b', 'a'), get(7, 8, 'a')), 'linearizable');
  t.is(verdict(cas(1, 5, undefined, 'a', undefined), cas(2, 6, undefined, 'b', undefined)), 'not linearizable');
  t.is(verdict(cas(1, 2, undefined, 'a', undefined), cas(3, 4, 'a', 'b', 'a'), get(5, 6, 'a')), 'not linearizable');
});

test('two readers that see two writes in different orders are not linearizable', (t) => {
  const history = [set(1, 20, 'a'), set(1, 20, 'b'), get(2, 3, 'a'), get(4, 5, 'b'), get(6, 7, 'a')];
  t.is(verdict(...history), 'not linearizable');
});

/** Operations of eight clients that take effect at a moment between their beginning and their answer. */
function honestHistory(seed: number, length: number): RegisterOperation[] {
  let state = seed;
  const below = (bound: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  let value: string | undefined;
  return Array.from({ length }, (_, index): RegisterOperation => {
    const at = index * 10;
    const [begun, answered] = [at - below(40), at + 1 + below(40)];
    const dice = below(3);
    if (dice === 0) return get(begun, answered, value);
    if (dice === 1) {
      value = `v${index}`;
      return set(begun, answered, value);
    }
    const expected = below(2) === 0 ? value : 'something else';
    const actual = value;
    if (actual === expected) value = `v${index}`;
    return cas(begun, answered, expected, `v${index}`, actual);
  });
}

test('long histories of concurrent operations are judged, and one wrong answer among them is found', (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const history = honestHistory(seed, 200);
    t.is(verdict(...history), 'linearizable', `seed ${seed}`);
    const wrong = history.findIndex(({ input }, index) => index > 100 && input.kind === 'get');
    const { begun, answered } = history[wrong];
    t.is(verdict(...history.with(wrong, get(begun, answered, 'wrong'))), 'not linearizable', `seed ${seed}`);
  }
});

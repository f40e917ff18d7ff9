import { keyHash, Opcode, writeFrame } from '@memdb/protocol';
import test from 'ava';
import { LOOKAHEAD_FRAMES_MAX, LOOKAHEAD_FRAMES_MIN } from '../../src/model/limits.js';
import { Lookahead, type Warmable } from '../../src/server/lookahead.js';
import { placed, viewOf, written } from '../harness/protocol-frames.js';

const SEED = 99;

/** Remembers what it was asked to warm. */
class Warmed implements Warmable {
  readonly hashSeed = SEED;
  worthWarming = true;
  readonly calls: { hashes: number[]; values: boolean }[] = [];

  warm(hashes: Float64Array, count: number, values: boolean): void {
    this.calls.push({ hashes: [...hashes.subarray(0, count)], values });
  }
}

function request(opcode: number, key: string, value: string = ''): Uint8Array {
  const body = Buffer.from(`\u0002\0\0\0${key}${value}`, 'latin1');
  body.writeUInt16LE(key.length, 2);
  return written((out) => writeFrame(out, opcode, 0, 1, 0, 0, 0, body));
}

function hashOf(key: string): number {
  const bytes = Buffer.from(key);
  return keyHash(bytes, viewOf(bytes), 0, bytes.length, SEED);
}

function gets(count: number): Uint8Array {
  return Buffer.concat(Array.from({ length: count }, (_, index) => request(Opcode.get, `key-${index}`)));
}

test('the keys of pipelined requests are warmed together, values too when one of them reads', (t) => {
  const warmed = new Warmed();
  const names = ['a', 'bb', 'ccc', 'dddd'];
  const sets = Buffer.concat(names.map((name) => request(Opcode.set, name, 'value')));
  const lookahead = new Lookahead(() => warmed);
  const { bytes, view, start, end } = placed(sets);
  t.is(lookahead.look(bytes, view, start, end), end);
  const mixed = placed(Buffer.concat([sets, request(Opcode.get, 'a')]));
  lookahead.look(mixed.bytes, mixed.view, mixed.start, mixed.end);
  t.deepEqual(warmed.calls, [
    { hashes: names.map(hashOf), values: false },
    { hashes: [...names, 'a'].map(hashOf), values: true },
  ]);
});

test('no more requests than the bound are looked at, and the next look begins behind them', (t) => {
  const warmed = new Warmed();
  const lookahead = new Lookahead(() => warmed);
  const { bytes, view, start, end } = placed(gets(LOOKAHEAD_FRAMES_MAX + LOOKAHEAD_FRAMES_MIN));
  const behind = lookahead.look(bytes, view, start, end);
  t.is(behind, start + gets(LOOKAHEAD_FRAMES_MAX).length);
  t.is(lookahead.look(bytes, view, behind, end), end);
  t.deepEqual(
    warmed.calls.map(({ hashes }) => hashes.length),
    [LOOKAHEAD_FRAMES_MAX, LOOKAHEAD_FRAMES_MIN],
  );
});

test('few requests, a small store and a node without a cluster are left alone', (t) => {
  const warmed = new Warmed();
  const { bytes, view, start, end } = placed(gets(LOOKAHEAD_FRAMES_MIN));
  t.is(new Lookahead(() => undefined).look(bytes, view, start, end), end);
  warmed.worthWarming = false;
  t.is(new Lookahead(() => warmed).look(bytes, view, start, end), end);
  warmed.worthWarming = true;
  const few = placed(gets(LOOKAHEAD_FRAMES_MIN - 1));
  new Lookahead(() => warmed).look(few.bytes, few.view, few.start, few.end);
  t.is(warmed.calls.length, 0);
});

test('frames that are cut or make no sense are left to whoever answers them, at every cut and every byte', (t) => {
  const lookahead = new Lookahead(() => new Warmed());
  const whole = gets(6);
  for (let length = 0; length < whole.length; length++) {
    const { bytes, view, start, end } = placed(whole.subarray(0, length));
    const behind = lookahead.look(bytes, view, start, end);
    t.true(behind >= start && behind <= end);
  }
  for (let at = 0; at < whole.length; at++) {
    for (const value of [0, 1, 0x7f, 0xff]) {
      const { bytes, view, start, end } = placed(whole);
      bytes[start + at] = value;
      const behind = lookahead.look(bytes, view, start, end);
      t.true(behind > start && behind <= end);
    }
  }
});

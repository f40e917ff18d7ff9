import {
  decodeIntroduction,
  decodeMembers,
  decodeRelay,
  decodeRelayed,
  encodeIntroduction,
  encodeMembers,
  encodeRelay,
  encodeRelayed,
  FrameReader,
  GOSSIP_MEMBERS_MAX,
  memberBytes,
  Opcode,
  OutgoingBuffer,
  ProtocolError,
  type WireMember,
  writeFrame,
} from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import { viewOf } from '../harness/protocol-frames.js';

const u32 = fc.nat(2 ** 32 - 1);
const uuid = fc.uuid();
const text = fc.oneof(fc.stringMatching(/^[a-z0-9.:-]{0,30}$/), fc.constantFrom('', 'zürich', '☃'.repeat(85)));

const member: fc.Arbitrary<WireMember> = fc.record({
  uuid,
  generation: u32,
  bootNonce: fc.stringMatching(/^[0-9a-f]{16}$/),
  claim: fc.record({
    incarnation: u32,
    state: fc.constantFrom('alive', 'suspect', 'dead', 'left'),
    by: fc.oneof(fc.constant(''), uuid),
    sinceMs: fc.maxSafeNat(),
  }),
  profile: fc.record({
    version: u32,
    address: text,
    http: text,
    zone: text,
    host: text,
    weight: fc.nat(65_535).map((hundredths) => hundredths / 100),
    release: text,
    epoch: u32,
    load: u32,
    health: fc.nat(8),
    logEnd: fc.maxSafeNat(),
  }),
});
const members = fc.array(member, { maxLength: 4 });

type Decode<T> = (bytes: Uint8Array, view: DataView, start: number, end: number) => T;

function roundTrips<T>(
  name: string,
  value: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: Decode<T>,
): void {
  test(`${name} is read back as it was written, and refused when it is cut or has bytes behind it`, (t) => {
    const property = fc.property(value, fc.nat(7), (written, before) => {
      const body = encode(written);
      const bytes = new Uint8Array(before + body.length + 1);
      bytes.set(body, before);
      t.deepEqual(decode(bytes, viewOf(bytes), before, before + body.length), written);
      t.throws(() => decode(bytes, viewOf(bytes), before, bytes.length), { instanceOf: ProtocolError });
      for (let end = before; end < before + body.length; end++) {
        const cut = bytes.slice(0, end);
        t.throws(() => decode(cut, viewOf(cut), before, end), { instanceOf: ProtocolError });
      }
    });
    fc.assert(property, { numRuns: 25 });
  });
}

roundTrips('a list of members', members, encodeMembers, decodeMembers);
roundTrips(
  'gossipRelay',
  fc.record({ target: uuid, members }),
  ({ target, members }) => encodeRelay(target, members),
  decodeRelay,
);
roundTrips(
  'the answer to gossipRelay',
  fc.record({ reached: fc.boolean(), members }),
  ({ reached, members }) => encodeRelayed(reached, members),
  decodeRelayed,
);

roundTrips(
  'introduce',
  fc.record({ self: member, wantsMembers: fc.boolean() }),
  ({ self, wantsMembers }) => encodeIntroduction(self, wantsMembers),
  decodeIntroduction,
);

test('gossip arrives whole however its frames are split', (t) => {
  const property = fc.property(fc.array(members, { minLength: 1, maxLength: 3 }), fc.nat(), (lists, seed) => {
    const out = new OutgoingBuffer();
    for (const list of lists) writeFrame(out, Opcode.gossipPing, 0, 1, 0, 0, 0, encodeMembers(list));
    const stream = out.bytes.slice(0, out.end);
    for (const step of [1, 2, 3, 29, 1 + (seed % stream.length)]) {
      const read: WireMember[][] = [];
      const reader = new FrameReader({
        maxFrameBytes: 1 << 20,
        onFrame: (bytes, view, start, end) => read.push(decodeMembers(bytes, view, start + 28, end)),
      });
      for (let at = 0; at < stream.length; at += step) {
        const piece = stream.slice(at, at + step);
        reader.push(piece, viewOf(piece), 0, piece.length);
      }
      t.deepEqual(read, lists);
    }
  });
  fc.assert(property, { numRuns: 25 });
});

test('what a member takes in a list is known before it is written', (t) => {
  const property = fc.property(members, (list) => {
    t.is(encodeMembers(list).length, 2 + list.reduce((sum, member) => sum + memberBytes(member), 0));
  });
  fc.assert(property, { numRuns: 50 });
  t.pass();
});

test('more members than any cluster has, unknown states and reserved bytes are refused before anything is made of them', (t) => {
  const many = new Uint8Array(2);
  viewOf(many).setUint16(0, GOSSIP_MEMBERS_MAX + 1, true);
  t.throws(() => decodeMembers(many, viewOf(many), 0, 2), { instanceOf: ProtocolError, message: /2050 members/ });
  const [sample] = fc.sample(member, { numRuns: 1, seed: 1 });
  for (const [at, value, message] of [
    [2 + 32, 4, /state 4/],
    [2 + 33, 9, /health 9/],
    [2 + 59, 0xff, /2\^53/],
  ] as const) {
    const broken = encodeMembers([sample]);
    broken[at] = value;
    t.throws(() => decodeMembers(broken, viewOf(broken), 0, broken.length), { instanceOf: ProtocolError, message });
  }
  for (const [at, value] of [
    [0, 2],
    [1, 1],
  ] as const) {
    const broken = encodeRelayed(true, []);
    broken[at] = value;
    t.throws(() => decodeRelayed(broken, viewOf(broken), 0, broken.length), { instanceOf: ProtocolError });
    const introduction = encodeIntroduction(sample, true);
    introduction[at] = value;
    t.throws(() => decodeIntroduction(introduction, viewOf(introduction), 0, introduction.length), {
      instanceOf: ProtocolError,
    });
  }
  const two = encodeRelayed(true, [sample, sample]);
  t.throws(() => decodeIntroduction(two, viewOf(two), 0, two.length), {
    instanceOf: ProtocolError,
    message: /2 members introduce/,
  });
});

import {
  type AuditVersion,
  decodeAuditDiffering,
  decodeAuditFetch,
  decodeAuditList,
  decodeAuditListRequest,
  decodeAuditRoots,
  decodeAuditTable,
  decodeAuditTableRequest,
  encodeAuditDiffering,
  encodeAuditFetch,
  encodeAuditList,
  encodeAuditListRequest,
  encodeAuditRoots,
  encodeAuditTable,
  encodeAuditTableRequest,
  ProtocolError,
  type WireFloor,
} from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import { viewOf } from '../harness/protocol-frames.js';

const counter = fc.maxSafeNat();
const u32 = fc.nat(2 ** 32 - 1);
const i32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const floor: fc.Arbitrary<WireFloor> = fc.record({ counter, node: fc.nat(65_535), cutoffMs: counter });
const versions: fc.Arbitrary<AuditVersion[]> = fc.array(
  fc.record({ hash: u32, counter, node: fc.nat(65_535), kind: fc.nat(65_535) }),
);

interface Codec<T> {
  readonly name: string;
  readonly value: fc.Arbitrary<T>;
  readonly encode: (value: T) => Uint8Array;
  readonly decode: (view: DataView, start: number, end: number) => T;
}

function roundTrips<T>({ name, value, encode, decode }: Codec<T>): void {
  test(`${name} is read back as it was written, and refused when it is cut or has bytes behind it`, (t) => {
    const property = fc.property(value, fc.nat(7), (written, before) => {
      const body = encode(written);
      const bytes = new Uint8Array(before + body.length + 1);
      bytes.set(body, before);
      t.deepEqual(decode(viewOf(bytes), before, before + body.length), written);
      t.throws(() => decode(viewOf(bytes), before, bytes.length), { instanceOf: ProtocolError });
      for (let end = before; end < before + body.length; end++) {
        const cut = bytes.slice(0, end);
        t.throws(() => decode(viewOf(cut), before, end), { instanceOf: ProtocolError });
      }
    });
    fc.assert(property, { numRuns: 40 });
  });
}

roundTrips({
  name: 'auditRoots',
  value: fc.array(fc.record({ partition: u32, floor, first: i32, second: i32 })),
  encode: encodeAuditRoots,
  decode: decodeAuditRoots,
});
roundTrips({
  name: 'the answer to auditRoots',
  value: fc.array(u32),
  encode: encodeAuditDiffering,
  decode: decodeAuditDiffering,
});
roundTrips({
  name: 'auditTable',
  value: fc.record({ partition: u32, floor }),
  encode: ({ partition, floor }) => encodeAuditTableRequest(partition, floor),
  decode: decodeAuditTableRequest,
});
roundTrips({
  name: 'the answer to auditTable',
  value: fc.record({ partition: u32, floor, table: fc.int32Array({ minLength: 8, maxLength: 8 }) }),
  encode: encodeAuditTable,
  decode: (view, start, end) => decodeAuditTable(view, start, end, 8),
});
roundTrips({
  name: 'auditList',
  value: fc.record({ partition: u32, floor, bucket: u32 }),
  encode: ({ partition, floor, bucket }) => encodeAuditListRequest(partition, floor, bucket),
  decode: decodeAuditListRequest,
});
roundTrips({
  name: 'the answer to auditList',
  value: fc.record({ partition: u32, floor, bucket: u32, versions }),
  encode: encodeAuditList,
  decode: decodeAuditList,
});
roundTrips({
  name: 'auditFetch',
  value: fc.record({ partition: u32, versions }),
  encode: ({ partition, versions }) => encodeAuditFetch(partition, versions),
  decode: decodeAuditFetch,
});

test('a list longer than the limit is refused before anything is allocated', (t) => {
  const bytes = new Uint8Array(32);
  viewOf(bytes).setUint32(28, 0xffffffff, true);
  t.throws(() => decodeAuditList(viewOf(bytes), 0, 32), { instanceOf: ProtocolError });
});

import {
  decodeEpochAccept,
  decodeEpochAcceptance,
  decodeEpochPrepare,
  decodeEpochPromise,
  decodeHoldings,
  decodeKill,
  decodeRequest,
  decodeTransferList,
  decodeTransferListRequest,
  decodeTransferPage,
  decodeTransferPageRequest,
  decodeTransferProgress,
  encodeEpochAccept,
  encodeEpochAcceptance,
  encodeEpochPrepare,
  encodeEpochPromise,
  encodeHoldings,
  encodeKill,
  encodeRequest,
  encodeTransferList,
  encodeTransferListRequest,
  encodeTransferPage,
  encodeTransferPageRequest,
  encodeTransferProgress,
  ProtocolError,
  type WireRequest,
} from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import { decodeFounder, decodePledge, encodeFounder, encodePledge } from '../../src/topology/pledge.js';
import { placed } from '../harness/protocol-frames.js';

const text = fc.stringMatching(/^[a-z0-9.:-]{0,40}$/);

/** Every prefix of a valid body, and the body with a byte too many, is refused as malformed and nothing else. */
function refusesCuts(bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown): boolean {
  const broken = [...Array.from({ length: bytes.length }, (_, end) => bytes.slice(0, end)), Uint8Array.of(...bytes, 0)];
  return broken.every((cut) => {
    try {
      decode(cut);
      return false;
    } catch (error) {
      return error instanceof ProtocolError;
    }
  });
}

test('pledges and founders round-trip, and every cut of one is refused', (t) => {
  const pledge = fc.record({
    leader: text,
    clusterId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    founders: fc.array(text, { maxLength: 4 }),
  });
  fc.assert(
    fc.property(pledge, (value) => {
      t.deepEqual(decodePledge(encodePledge(value)), value);
      return refusesCuts(encodePledge(value), decodePledge);
    }),
    { numRuns: 50 },
  );
  const founder = { uuid: 'u', address: 'a:1', http: '', zone: 'z', host: 'h', weight: 1.25 };
  t.deepEqual(decodeFounder(encodeFounder(founder)), founder);
});

test('what nodes send each other to decide an epoch round-trips, and every cut of it is refused', (t) => {
  const ballot = fc.record({
    counter: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    node: fc.integer({ min: 0, max: 65_535 }),
    generation: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  });
  const epoch = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const read = <T>(
    decode: (bytes: Uint8Array, view: DataView, start: number, end: number) => T,
    body: Uint8Array,
  ): T => {
    const { bytes, view, start, end } = placed(body);
    return decode(bytes, view, start, end);
  };
  fc.assert(
    fc.property(
      epoch,
      ballot,
      ballot,
      fc.boolean(),
      fc.option(fc.uint8Array({ maxLength: 9 })),
      (at, one, two, isRefused, value) => {
        const proposal = { epoch: at, ballot: one };
        const answer = { isRefused, promised: one };
        const accepted = value === null ? undefined : { ballot: two, value };
        t.deepEqual(read(decodeEpochPrepare, encodeEpochPrepare(proposal)), proposal);
        t.deepEqual(read(decodeEpochPromise, encodeEpochPromise(answer, accepted)), { ...answer, accepted });
        t.deepEqual(read(decodeEpochAcceptance, encodeEpochAcceptance(answer)), answer);
        const taken = { ...proposal, value: value ?? new Uint8Array(0) };
        t.deepEqual(read(decodeEpochAccept, encodeEpochAccept(proposal, taken.value)), taken);
        return (
          refusesCuts(encodeEpochPrepare(proposal), (bytes) => read(decodeEpochPrepare, bytes)) &&
          refusesCuts(encodeEpochAcceptance(answer), (bytes) => read(decodeEpochAcceptance, bytes)) &&
          refusesCuts(encodeEpochPromise(answer, undefined), (bytes) => read(decodeEpochPromise, bytes))
        );
      },
    ),
    { numRuns: 50 },
  );
});

test('what moves a partition, and what asks for a change, round-trips, and every cut of it is refused', (t) => {
  const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const u16 = fc.integer({ min: 0, max: 65_535 });
  const counter = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  const floor = fc.record({ counter, node: u16, cutoffMs: counter });
  const read = <T>(
    decode: (bytes: Uint8Array, view: DataView, start: number, end: number) => T,
    body: Uint8Array,
  ): T => {
    const { bytes, view, start, end } = placed(body);
    return decode(bytes, view, start, end);
  };
  const version = fc.record({ hash: u32, counter, node: u16, kind: u16, bytes: u32 });
  const list = fc.record({
    partition: u32,
    floor,
    next: fc.option(u32, { nil: undefined }),
    versions: fc.array(version, { maxLength: 4 }),
  });
  const place = fc.record({ partition: u32, position: u32, after: fc.uint8Array({ maxLength: 9 }) });
  const listRequest = fc.record({ partition: u32, floor, position: u32, bucketsLow: u32, bucketsHigh: u32 });
  const weight = fc.integer({ min: 0, max: 65_535 }).map((hundredths) => hundredths / 100);
  const uuid = fc.uuid();
  const record = fc.record({ uuid, address: text, http: text, zone: text, host: text, weight });
  const request: fc.Arbitrary<WireRequest> = fc.oneof(
    record.map((node) => ({ kind: 'join' as const, record: node })),
    fc.record({ kind: fc.constantFrom('leave' as const, 'remove' as const, 'replace' as const), node: u16 }),
    fc.record({ kind: fc.constant('weigh' as const), node: u16, weight }),
    fc.record({ kind: fc.constant('move' as const), node: u16, zone: text, host: text }),
    fc.record({ kind: fc.constant('replicate' as const), replicationFactor: fc.integer({ min: 1, max: 7 }) }),
    fc.record({ kind: fc.constant('set' as const), name: text, value: fc.option(text, { nil: undefined }) }),
    fc.record({ kind: fc.constantFrom('pause' as const, 'resume' as const, 'abort' as const) }),
  );
  fc.assert(
    fc.property(
      list,
      place,
      listRequest,
      request,
      fc.array(u32, { maxLength: 5 }),
      (one, at, asked, wanted, partitions) => {
        t.deepEqual(read(decodeTransferList, encodeTransferList(one)), one);
        t.deepEqual(read(decodeTransferPageRequest, encodeTransferPageRequest(at)), at);
        t.deepEqual(read(decodeTransferListRequest, encodeTransferListRequest(asked)), asked);
        t.deepEqual(read(decodeRequest, encodeRequest(wanted)), wanted);
        t.deepEqual(read(decodeHoldings, encodeHoldings(partitions)), partitions);
        const page = encodeTransferPage(at.partition, one.floor, at, Uint8Array.of(1, 2, 3));
        const { next, partition, floor: own } = read(decodeTransferPage, page);
        t.deepEqual([next, partition, own], [at, at.partition, one.floor]);
        const progress = { partitions: 9, filled: 3, bytesTaken: one.floor.counter, isDrained: false };
        t.deepEqual(read(decodeTransferProgress, encodeTransferProgress(progress)), progress);
        return (
          refusesCuts(encodeTransferList(one), (bytes) => read(decodeTransferList, bytes)) &&
          refusesCuts(encodeTransferPageRequest(at), (bytes) => read(decodeTransferPageRequest, bytes)) &&
          refusesCuts(encodeTransferListRequest(asked), (bytes) => read(decodeTransferListRequest, bytes)) &&
          refusesCuts(encodeRequest(wanted), (bytes) => read(decodeRequest, bytes)) &&
          refusesCuts(encodeHoldings(partitions), (bytes) => read(decodeHoldings, bytes)) &&
          refusesCuts(encodeTransferProgress(progress), (bytes) => read(decodeTransferProgress, bytes))
        );
      },
    ),
    { numRuns: 60 },
  );
});

test('kills round-trip, and every cut of one is refused', (t) => {
  const decode = (bytes: Uint8Array): unknown =>
    decodeKill(bytes, new DataView(bytes.buffer, bytes.byteOffset), 0, bytes.length);
  fc.assert(
    fc.property(fc.uuid(), fc.boolean(), (node, isGraceful) => {
      const bytes = encodeKill({ node, isGraceful });
      t.deepEqual(decode(bytes), { node, isGraceful });
      return refusesCuts(bytes, decode);
    }),
  );
});

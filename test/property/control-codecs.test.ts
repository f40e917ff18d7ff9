import { ProtocolError } from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import { decodeSightings, encodeSightings } from '../../src/membership/heartbeat.js';
import { decodeFounder, decodePledge, encodeFounder, encodePledge } from '../../src/topology/pledge.js';

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

test('heartbeats round-trip, and every cut of one is refused', (t) => {
  const sighting = fc.record({
    number: fc.integer({ min: 0, max: 65_535 }),
    generation: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    address: fc.record({ host: text, port: fc.integer({ min: 0, max: 65_535 }) }),
  });
  const decode = (bytes: Uint8Array): unknown =>
    decodeSightings(bytes, new DataView(bytes.buffer, bytes.byteOffset), 0, bytes.length);
  fc.assert(
    fc.property(fc.array(sighting, { maxLength: 5 }), (sightings) => {
      const bytes = encodeSightings(sightings);
      t.deepEqual(decode(bytes), sightings);
      return refusesCuts(bytes, decode);
    }),
    { numRuns: 50 },
  );
});

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

import { BodyReader, type WireNodeRecord } from '@memdb/protocol';

/** A founder's promise to one set of founders under one leader; made once, durably (mechanisms: Epochs, founding). */
export interface Pledge {
  /** UUID of the first founder, which composes epoch 1. */
  readonly leader: string;
  readonly clusterId: Uint8Array;
  /** Addresses of all founders, in the order of `cluster.seeds`. */
  readonly founders: readonly string[];
}

/** What a node tells of itself when it pledges, or asks to join. */
export type NodeRecord = WireNodeRecord;

const CLUSTER_ID_BYTES = 16;
const TEXT_BYTES_MAX = 255;
/** Founders of one cluster: more join later. */
const FOUNDERS_MAX = 64;

/** Layout: 16 bytes cluster id, then u16 count of texts and each text as u16 length and UTF-8. */
export function encodePledge(pledge: Pledge): Uint8Array {
  return encodeTexts(pledge.clusterId, [pledge.leader, ...pledge.founders]);
}

/** Reads what `encodePledge` wrote. Throws `ProtocolError` when it is malformed. */
export function decodePledge(bytes: Uint8Array): Pledge {
  const { prefix, texts } = decodeTexts('pledge', bytes, CLUSTER_ID_BYTES);
  const [leader = '', ...founders] = texts;
  return { leader, clusterId: prefix, founders };
}

/** Layout: u32 weight in hundredths, then texts as above: uuid, address, http, zone, host. */
export function encodeFounder(founder: NodeRecord): Uint8Array {
  const prefix = new Uint8Array(4);
  new DataView(prefix.buffer).setUint32(0, Math.round(founder.weight * 100), true);
  return encodeTexts(prefix, [founder.uuid, founder.address, founder.http, founder.zone, founder.host]);
}

/** Reads what `encodeFounder` wrote. Throws `ProtocolError` when it is malformed. */
export function decodeFounder(bytes: Uint8Array): NodeRecord {
  const { prefix, texts } = decodeTexts('founder', bytes, 4);
  const [uuid = '', address = '', http = '', zone = '', host = ''] = texts;
  return { uuid, address, http, zone, host, weight: new DataView(prefix.buffer).getUint32(0, true) / 100 };
}

/** Whether two pledges bind to the same founding. */
export function samePledge(a: Pledge, b: Pledge): boolean {
  return (
    a.leader === b.leader &&
    Buffer.compare(a.clusterId, b.clusterId) === 0 &&
    a.founders.length === b.founders.length &&
    a.founders.every((founder, index) => founder === b.founders[index])
  );
}

function encodeTexts(prefix: Uint8Array, texts: readonly string[]): Uint8Array {
  const encoded = texts.map((text) => new TextEncoder().encode(text));
  const bytes = new Uint8Array(prefix.length + 2 + encoded.reduce((sum, text) => sum + 2 + text.length, 0));
  const view = new DataView(bytes.buffer);
  bytes.set(prefix);
  view.setUint16(prefix.length, texts.length, true);
  let at = prefix.length + 2;
  for (const text of encoded) {
    view.setUint16(at, text.length, true);
    bytes.set(text, at + 2);
    at += 2 + text.length;
  }
  return bytes;
}

function decodeTexts(what: string, bytes: Uint8Array, prefixBytes: number): { prefix: Uint8Array; texts: string[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader = new BodyReader(what, bytes, view, 0, bytes.length);
  const prefix = reader.bytes(prefixBytes, 'fixed part');
  const count = reader.u16('count');
  if (count > FOUNDERS_MAX + 1) reader.fail(`${count} entries, at most ${FOUNDERS_MAX + 1} are accepted`);
  const texts = Array.from({ length: count }, () => reader.text(reader.u16('length'), TEXT_BYTES_MAX, 'text'));
  reader.finish();
  return { prefix, texts };
}

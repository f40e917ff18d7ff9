import { BodyReader } from './body-reader.js';
import { ADDRESS_BYTES_MAX, NAME_BYTES_MAX, REPLICAS_MAX, SETTING_BYTES_MAX } from './limits.js';
import { formatUuid, parseUuid, UUID_BYTES } from './uuid.js';

/** What a node tells of itself when it asks to join. */
export interface WireNodeRecord {
  readonly uuid: string;
  readonly address: string;
  readonly http: string;
  readonly zone: string;
  readonly host: string;
  readonly weight: number;
}

/** What is asked of a cluster: by a node for itself, or by an operator (PROTOCOL.md, "Changes"). */
export type WireRequest =
  | { readonly kind: 'join'; readonly record: WireNodeRecord }
  | { readonly kind: 'leave' | 'remove'; readonly node: number }
  /** The dead node's data goes straight to the next node that joins. */
  | { readonly kind: 'replace'; readonly node: number }
  | { readonly kind: 'weigh'; readonly node: number; readonly weight: number }
  | { readonly kind: 'move'; readonly node: number; readonly zone: string; readonly host: string }
  | { readonly kind: 'replicate'; readonly replicationFactor: number }
  /** Without a value the setting is taken away, and the configuration of each node counts again. */
  | { readonly kind: 'set'; readonly name: string; readonly value: string | undefined }
  | { readonly kind: 'pause' | 'resume' | 'abort' };

const KINDS: readonly WireRequest['kind'][] = [
  'join',
  'leave',
  'remove',
  'replace',
  'weigh',
  'move',
  'replicate',
  'set',
  'pause',
  'resume',
  'abort',
];
/** kind 1 + replication factor 1 + node 2 + weight 2 + texts 2 + uuid 16. */
const FIXED_BYTES: number = 8 + UUID_BYTES;
const TEXTS_MAX = 4;

/**
 * Body of an epochChange: u8 kind, u8 replication factor, u16 node, u16 weight in hundredths, u16 number of texts, 16 bytes
 * UUID, then the texts, each u16 bytes and UTF-8. What a kind has no use for is 0.
 */
export function encodeRequest(request: WireRequest): Uint8Array {
  const texts = textsOf(request).map((text) => new TextEncoder().encode(text));
  const bytes = new Uint8Array(FIXED_BYTES + texts.reduce((sum, text) => sum + 2 + text.length, 0));
  const view = new DataView(bytes.buffer);
  view.setUint8(0, KINDS.indexOf(request.kind) + 1);
  view.setUint8(1, request.kind === 'replicate' ? request.replicationFactor : 0);
  view.setUint16(2, 'node' in request ? request.node : 0, true);
  const weight = request.kind === 'join' ? request.record.weight : request.kind === 'weigh' ? request.weight : 0;
  view.setUint16(4, Math.round(weight * 100), true);
  view.setUint16(6, texts.length, true);
  if (request.kind === 'join') bytes.set(parseUuid(request.record.uuid), 8);
  let at = FIXED_BYTES;
  for (const text of texts) {
    view.setUint16(at, text.length, true);
    bytes.set(text, at + 2);
    at += 2 + text.length;
  }
  return bytes;
}

/** Reads what `encodeRequest` wrote. Throws `ProtocolError` when it is malformed. */
export function decodeRequest(bytes: Uint8Array, view: DataView, start: number, end: number): WireRequest {
  const reader = new BodyReader('epochChange', bytes, view, start, end);
  const kind = KINDS[reader.u8('kind') - 1];
  const replicationFactor = reader.u8('replication factor');
  const node = reader.u16('node');
  const weight = reader.u16('weight') / 100;
  const count = reader.u16('texts');
  const uuid = formatUuid(reader.bytes(UUID_BYTES, 'uuid'));
  if (kind === undefined || count > TEXTS_MAX) return reader.fail('a request of an unknown kind');
  const texts = Array.from({ length: count }, () => reader.text(reader.u16('text'), ADDRESS_BYTES_MAX, 'text'));
  reader.finish();
  const wanted = (expected: number): void => {
    if (count !== expected) reader.fail(`${kind} with ${count} texts`);
  };
  const [first = '', second = '', third = '', fourth = ''] = texts;
  switch (kind) {
    case 'join':
      wanted(4);
      return { kind, record: { uuid, address: first, http: second, zone: third, host: fourth, weight } };
    case 'leave':
    case 'remove':
    case 'replace':
      wanted(0);
      return { kind, node };
    case 'weigh':
      wanted(0);
      return { kind, node, weight };
    case 'move':
      wanted(2);
      if (Math.max(first.length, second.length) > NAME_BYTES_MAX) reader.fail('a name that is too long');
      return { kind, node, zone: first, host: second };
    case 'replicate':
      wanted(0);
      if (replicationFactor === 0 || replicationFactor > REPLICAS_MAX) reader.fail(`factor ${replicationFactor}`);
      return { kind, replicationFactor };
    case 'set':
      if (count !== 1) wanted(2);
      if (Math.max(first.length, second.length) > SETTING_BYTES_MAX) reader.fail('a setting that is too long');
      return { kind, name: first, value: count === 1 ? undefined : second };
    case 'pause':
    case 'resume':
    case 'abort':
      wanted(0);
      return { kind };
  }
}

function textsOf(request: WireRequest): readonly string[] {
  switch (request.kind) {
    case 'join': {
      const { address, http, zone, host } = request.record;
      return [address, http, zone, host];
    }
    case 'move':
      return [request.zone, request.host];
    case 'set':
      return request.value === undefined ? [request.name] : [request.name, request.value];
    default:
      return [];
  }
}

import { BodyReader } from './body-reader.js';
import { ProtocolError } from './errors.js';
import { FRAME_HEADER_BYTES, frameBytes, frameOpcode, frameVersion, writeFrameHeader } from './frame.js';
import { NONCE_BYTES, PROOF_BYTES, PUBLIC_KEY_BYTES } from './handshake-crypto.js';
import { ADDRESS_BYTES_MAX, KEY_ID_BYTES_MAX } from './limits.js';
import { type Opcode, Role } from './opcodes.js';
import type { OutgoingBuffer } from './outgoing-buffer.js';
import { UUID_BYTES } from './uuid.js';

export const BOOT_NONCE_BYTES = 8;

/** Handshake frames keep this header for good: what the frames that follow look like is agreed on in them. */
const HANDSHAKE_FRAME_VERSION = 1;

/** versions 2, role 1, key id length 1, features 4, cluster 16, identity 16, generation 4, boot nonce 8, key 32, nonce 32. */
const HELLO_FIXED_BYTES = 116;
/** version 1, zero 1, node number 2, features 4, cluster 16, identity 16, generation 4, boot nonce 8, key 32, nonce 32. */
export const WELCOME_BYTES_WITHOUT_PROOF = 116;

export interface Hello {
  readonly versionMin: number;
  readonly versionMax: number;
  readonly role: Role;
  readonly features: number;
  /** 16 zeros: any cluster. */
  readonly clusterId: Uint8Array;
  readonly identity: Uint8Array;
  readonly generation: number;
  readonly bootNonce: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly nonce: Uint8Array;
  readonly keyId: string;
  /** Where the dialing node can be dialed; empty for others. */
  readonly advertisedAddress: string;
}

export interface Welcome {
  readonly version: number;
  /** 0: not known yet. */
  readonly nodeNumber: number;
  readonly features: number;
  readonly clusterId: Uint8Array;
  readonly identity: Uint8Array;
  readonly generation: number;
  readonly bootNonce: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly nonce: Uint8Array;
}

const keyIdPattern = /^[A-Za-z0-9._-]{1,64}$/;

/** Key ids appear in URLs, files and logs: 1 to 64 letters, digits, dots, underscores and hyphens. */
export function isKeyId(text: string): boolean {
  return keyIdPattern.test(text);
}

/** The hello's body. */
export function encodeHello(hello: Hello): Uint8Array {
  const keyId = new TextEncoder().encode(hello.keyId);
  const address = new TextEncoder().encode(hello.advertisedAddress);
  const body = new Uint8Array(HELLO_FIXED_BYTES + keyId.length + 2 + address.length);
  const view = new DataView(body.buffer);
  body.set([hello.versionMin, hello.versionMax, hello.role, keyId.length]);
  view.setUint32(4, hello.features, true);
  body.set(hello.clusterId, 8);
  body.set(hello.identity, 24);
  view.setUint32(40, hello.generation, true);
  body.set(hello.bootNonce, 44);
  body.set(hello.publicKey, 52);
  body.set(hello.nonce, 84);
  body.set(keyId, HELLO_FIXED_BYTES);
  view.setUint16(HELLO_FIXED_BYTES + keyId.length, address.length, true);
  body.set(address, HELLO_FIXED_BYTES + keyId.length + 2);
  return body;
}

/** Reads a hello's body. Throws ProtocolError. */
export function decodeHello(body: Uint8Array): Hello {
  const reader = new BodyReader('hello', body, viewOf(body), 0, body.length);
  const versionMin = reader.u8('version');
  const versionMax = reader.u8('version');
  if (versionMin > versionMax) reader.fail(`versions ${versionMin} to ${versionMax}`);
  const role = readRole(reader);
  const keyIdBytes = reader.u8('key id length');
  const fixed = {
    features: reader.u32('features'),
    clusterId: reader.bytes(UUID_BYTES, 'cluster id'),
    identity: reader.bytes(UUID_BYTES, 'identity'),
    generation: reader.u32('generation'),
    bootNonce: reader.bytes(BOOT_NONCE_BYTES, 'boot nonce'),
    publicKey: reader.bytes(PUBLIC_KEY_BYTES, 'public key'),
    nonce: reader.bytes(NONCE_BYTES, 'nonce'),
  };
  const keyId = reader.text(keyIdBytes, KEY_ID_BYTES_MAX, 'key id');
  if (!isKeyId(keyId)) reader.fail('key id is empty or has other characters than A-Z a-z 0-9 . _ -');
  const advertisedAddress = reader.text(reader.u16('address length'), ADDRESS_BYTES_MAX, 'address');
  if (advertisedAddress !== '' && role !== Role.node) reader.fail('only nodes advertise an address');
  reader.finish();
  return { versionMin, versionMax, role, ...fixed, keyId, advertisedAddress };
}

function readRole(reader: BodyReader): Role {
  const role = reader.u8('role');
  for (const known of Object.values(Role)) if (known === role) return known;
  return reader.fail(`role ${role}`);
}

/** The welcome's body up to its proof: what the transcript covers. */
export function encodeWelcome(welcome: Welcome): Uint8Array {
  const body = new Uint8Array(WELCOME_BYTES_WITHOUT_PROOF);
  const view = new DataView(body.buffer);
  view.setUint8(0, welcome.version);
  view.setUint16(2, welcome.nodeNumber, true);
  view.setUint32(4, welcome.features, true);
  body.set(welcome.clusterId, 8);
  body.set(welcome.identity, 24);
  view.setUint32(40, welcome.generation, true);
  body.set(welcome.bootNonce, 44);
  body.set(welcome.publicKey, 52);
  body.set(welcome.nonce, 84);
  return body;
}

/** Reads a welcome's body with its proof. Throws ProtocolError. */
export function decodeWelcome(body: Uint8Array): { readonly welcome: Welcome; readonly proof: Uint8Array } {
  const reader = new BodyReader('welcome', body, viewOf(body), 0, body.length);
  const version = reader.u8('version');
  reader.zeros(1);
  const welcome: Welcome = {
    version,
    nodeNumber: reader.u16('node number'),
    features: reader.u32('features'),
    clusterId: reader.bytes(UUID_BYTES, 'cluster id'),
    identity: reader.bytes(UUID_BYTES, 'identity'),
    generation: reader.u32('generation'),
    bootNonce: reader.bytes(BOOT_NONCE_BYTES, 'boot nonce'),
    publicKey: reader.bytes(PUBLIC_KEY_BYTES, 'public key'),
    nonce: reader.bytes(NONCE_BYTES, 'nonce'),
  };
  const proof = reader.bytes(PROOF_BYTES, 'proof');
  reader.finish();
  return { welcome, proof };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Appends a handshake frame: correlation, deadline, counter, epoch and flags are 0. */
export function appendHandshakeFrame(out: OutgoingBuffer, opcode: Opcode, body: Uint8Array, tail?: Uint8Array): void {
  const at = out.reserve(FRAME_HEADER_BYTES);
  out.append(body);
  if (tail !== undefined) out.append(tail);
  writeFrameHeader(out.view, at, out.end - at - FRAME_HEADER_BYTES, opcode, 0, 0, 0, 0, 0);
}

/**
 * A copy of the body of the handshake frame `[start, end)`. Throws ProtocolError unless it is the message that is due
 * and all else in its header is 0: nothing in the header is covered by the transcript, so nothing there may matter.
 */
export function handshakeBody(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  opcode: number,
  name: string,
): Uint8Array {
  if (end - start < FRAME_HEADER_BYTES || frameBytes(view, start) !== end - start) {
    throw new ProtocolError('bad-request', start, `${name}: frame length and bytes differ`);
  }
  if (frameVersion(view, start) !== HANDSHAKE_FRAME_VERSION) {
    throw new ProtocolError('unsupported-version', start + 4, `${name}: frame of version ${frameVersion(view, start)}`);
  }
  if (frameOpcode(view, start) !== opcode) {
    throw new ProtocolError('bad-request', start, `opcode ${frameOpcode(view, start)} where ${name} is due`);
  }
  for (let at = start + 6; at < start + FRAME_HEADER_BYTES; at++) {
    if (bytes[at] !== 0) throw new ProtocolError('bad-request', at, `${name}: header field that must be 0 is not`);
  }
  return bytes.slice(start + FRAME_HEADER_BYTES, end);
}

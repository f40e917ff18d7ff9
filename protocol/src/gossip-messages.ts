import { BodyReader } from './body-reader.js';
import { writeCounter } from './frame.js';
import { hex } from './handshake-identity.js';
import { BOOT_NONCE_BYTES } from './handshake-messages.js';
import { ADDRESS_BYTES_MAX, GOSSIP_MEMBERS_MAX, NAME_BYTES_MAX } from './limits.js';
import { formatUuid, parseUuid, UUID_BYTES } from './uuid.js';

/** A member's states as they travel: 0 to 3. */
const STATES = ['alive', 'suspect', 'dead', 'left'] as const;

/** One start of one node as gossip tells of it (PROTOCOL.md, "Gossip"). */
export interface WireMember {
  readonly uuid: string;
  readonly generation: number;
  /** 16 hexadecimal digits. */
  readonly bootNonce: string;
  readonly claim: {
    readonly incarnation: number;
    readonly state: (typeof STATES)[number];
    /** UUID of the accuser; empty for what a member says of itself. */
    readonly by: string;
    /** Unix milliseconds. */
    readonly sinceMs: number;
  };
  readonly profile: {
    readonly version: number;
    readonly address: string;
    readonly http: string;
    readonly zone: string;
    readonly host: string;
    /** In hundredths: 0 to 655.35. */
    readonly weight: number;
    readonly release: string;
    readonly epoch: number;
    readonly load: number;
    /** 0 to 8. */
    readonly health: number;
    /** LSN up to which its log is on its disk. */
    readonly logEnd: number;
  };
}

/** uuid 16 + generation 4 + nonce 8 + incarnation 4 + state 1 + health 1 + weight 2 + by 16 + since 8 + version 4 + epoch 4 + load 4 + log end 8. */
const MEMBER_FIXED_BYTES = 80;
const HEALTH_MAX = 8;
const NOBODY = new Uint8Array(UUID_BYTES);

/** Bytes of a member in a list. */
export function memberBytes(member: WireMember): number {
  return textsOf(member).reduce((sum, text) => sum + 2 + Buffer.byteLength(text), MEMBER_FIXED_BYTES);
}

/** The body of `gossipPing`, `gossipExchange` and their answers, and of the answer to `introduce`: u16 count, members. */
export function encodeMembers(members: readonly WireMember[]): Uint8Array {
  return withMembers(0, members);
}

/** Reads what `encodeMembers` wrote. Throws ProtocolError when it is malformed. */
export function decodeMembers(bytes: Uint8Array, view: DataView, start: number, end: number): WireMember[] {
  return readMembers(new BodyReader('members', bytes, view, start, end));
}

/** The body of `gossipRelay`: 16 bytes UUID of the target, then members. */
export function encodeRelay(target: string, members: readonly WireMember[]): Uint8Array {
  const bytes = withMembers(UUID_BYTES, members);
  bytes.set(parseUuid(target));
  return bytes;
}

export function decodeRelay(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): { readonly target: string; readonly members: WireMember[] } {
  const reader = new BodyReader('relay', bytes, view, start, end);
  return { target: formatUuid(reader.bytes(UUID_BYTES, 'target')), members: readMembers(reader) };
}

/** The answer to `gossipRelay`: u8 1 when the target answered, u8 zero, then members. */
export function encodeRelayed(reached: boolean, members: readonly WireMember[]): Uint8Array {
  const bytes = withMembers(2, members);
  bytes[0] = reached ? 1 : 0;
  return bytes;
}

export function decodeRelayed(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): { readonly reached: boolean; readonly members: WireMember[] } {
  const reader = new BodyReader('relayed', bytes, view, start, end);
  const reached = reader.u8('reached');
  if (reached > 1) reader.fail(`${reached} where 0 or 1 is said`);
  reader.zeros(1);
  return { reached: reached === 1, members: readMembers(reader) };
}

/** The body of `introduce`: u8 1 when the sender wants to hear of the other members, u8 zero, then a list of one, the sender. */
export function encodeIntroduction(self: WireMember, wantsMembers: boolean): Uint8Array {
  const bytes = withMembers(2, [self]);
  bytes[0] = wantsMembers ? 1 : 0;
  return bytes;
}

export function decodeIntroduction(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): { readonly self: WireMember; readonly wantsMembers: boolean } {
  const reader = new BodyReader('introduction', bytes, view, start, end);
  const wanted = reader.u8('whether members are wanted');
  if (wanted > 1) reader.fail(`${wanted} where 0 or 1 is said`);
  reader.zeros(1);
  const members = readMembers(reader);
  if (members.length !== 1) reader.fail(`${members.length} members introduce themselves at once`);
  return { self: members[0], wantsMembers: wanted === 1 };
}

function withMembers(before: number, members: readonly WireMember[]): Uint8Array {
  const bytes = new Uint8Array(members.reduce((sum, member) => sum + memberBytes(member), before + 2));
  const view = new DataView(bytes.buffer);
  view.setUint16(before, members.length, true);
  let at = before + 2;
  for (const member of members) at = writeMember(bytes, view, at, member);
  return bytes;
}

function writeMember(bytes: Uint8Array, view: DataView, start: number, member: WireMember): number {
  const { claim, profile } = member;
  bytes.set(parseUuid(member.uuid), start);
  view.setUint32(start + 16, member.generation, true);
  bytes.set(Buffer.from(member.bootNonce, 'hex'), start + 20);
  view.setUint32(start + 28, claim.incarnation, true);
  view.setUint8(start + 32, STATES.indexOf(claim.state));
  view.setUint8(start + 33, profile.health);
  view.setUint16(start + 34, Math.round(profile.weight * 100), true);
  bytes.set(claim.by === '' ? NOBODY : parseUuid(claim.by), start + 36);
  writeCounter(view, start + 52, claim.sinceMs);
  view.setUint32(start + 60, profile.version, true);
  view.setUint32(start + 64, profile.epoch, true);
  view.setUint32(start + 68, profile.load, true);
  writeCounter(view, start + 72, profile.logEnd);
  let at = start + MEMBER_FIXED_BYTES;
  for (const text of textsOf(member)) {
    const encoded = new TextEncoder().encode(text);
    view.setUint16(at, encoded.length, true);
    bytes.set(encoded, at + 2);
    at += 2 + encoded.length;
  }
  return at;
}

function textsOf({ profile }: WireMember): string[] {
  return [profile.address, profile.http, profile.zone, profile.host, profile.release];
}

function readMembers(reader: BodyReader): WireMember[] {
  const count = reader.u16('number of members');
  if (count > GOSSIP_MEMBERS_MAX) reader.fail(`${count} members, at most ${GOSSIP_MEMBERS_MAX} are accepted`);
  const members: WireMember[] = [];
  for (let index = 0; index < count; index++) members.push(readMember(reader));
  reader.finish();
  return members;
}

function readMember(reader: BodyReader): WireMember {
  const uuid = formatUuid(reader.bytes(UUID_BYTES, 'uuid'));
  const generation = reader.u32('generation');
  const bootNonce = hex(reader.bytes(BOOT_NONCE_BYTES, 'boot nonce'));
  const incarnation = reader.u32('incarnation');
  const code = reader.u8('state');
  const state = STATES[code] ?? reader.fail(`state ${code}`);
  const health = reader.u8('health');
  if (health > HEALTH_MAX) reader.fail(`health ${health}, at most ${HEALTH_MAX} is accepted`);
  const weight = reader.u16('weight') / 100;
  const accuser = reader.bytes(UUID_BYTES, 'by');
  const sinceMs = reader.u64('since');
  return {
    uuid,
    generation,
    bootNonce,
    claim: { incarnation, state, by: accuser.some((byte) => byte !== 0) ? formatUuid(accuser) : '', sinceMs },
    profile: {
      version: reader.u32('version'),
      epoch: reader.u32('epoch'),
      load: reader.u32('load'),
      logEnd: reader.u64('log end'),
      health,
      weight,
      address: reader.text(reader.u16('address length'), ADDRESS_BYTES_MAX, 'address'),
      http: reader.text(reader.u16('http length'), ADDRESS_BYTES_MAX, 'http address'),
      zone: reader.text(reader.u16('zone length'), NAME_BYTES_MAX, 'zone'),
      host: reader.text(reader.u16('host length'), NAME_BYTES_MAX, 'host'),
      release: reader.text(reader.u16('release length'), NAME_BYTES_MAX, 'release'),
    },
  };
}

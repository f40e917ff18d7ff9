import { ProtocolError } from '@memdb/protocol';
import type { Address } from '../ports/transport.js';

/** What one node knows of where another one is. The higher generation is the newer knowledge. */
export interface Sighting {
  readonly number: number;
  /** Restart count of the member's data directory. */
  readonly generation: number;
  readonly address: Address;
}

/** Members named in one heartbeat: all of them, up to the largest cluster this release is meant for. */
const HEARTBEAT_SIGHTINGS_MAX = 1024;
const HOST_BYTES_MAX = 255;
const ENTRY_FIXED_BYTES = 10;

/** Bytes of the body: u16 count, then u16 number, u32 generation, u16 port, u16 host bytes, host. */
export function encodeSightings(sightings: readonly Sighting[]): Uint8Array {
  const hosts = sightings.map((sighting) => Buffer.from(sighting.address.host));
  const total = hosts.reduce((sum, host) => sum + ENTRY_FIXED_BYTES + host.length, 2);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, sightings.length, true);
  let at = 2;
  for (const [index, sighting] of sightings.entries()) {
    const host = hosts[index];
    view.setUint16(at, sighting.number, true);
    view.setUint32(at + 2, sighting.generation, true);
    view.setUint16(at + 6, sighting.address.port, true);
    view.setUint16(at + 8, host.length, true);
    bytes.set(host, at + ENTRY_FIXED_BYTES);
    at += ENTRY_FIXED_BYTES + host.length;
  }
  return bytes;
}

/** Reads what `encodeSightings` wrote. Throws `ProtocolError` when the body is malformed. */
export function decodeSightings(bytes: Uint8Array, view: DataView, start: number, end: number): Sighting[] {
  if (end - start < 2) throw new ProtocolError('bad-request', start, 'heartbeat without a count');
  const count = view.getUint16(start, true);
  if (count > HEARTBEAT_SIGHTINGS_MAX)
    throw new ProtocolError('bad-request', start, `heartbeat names ${count} members`);
  const sightings: Sighting[] = [];
  let at = start + 2;
  for (let index = 0; index < count; index++) {
    if (at + ENTRY_FIXED_BYTES > end) throw new ProtocolError('bad-request', at, 'heartbeat entry is cut');
    const hostBytes = view.getUint16(at + 8, true);
    const hostStart = at + ENTRY_FIXED_BYTES;
    if (hostBytes > HOST_BYTES_MAX || hostStart + hostBytes > end) {
      throw new ProtocolError('bad-request', at, 'heartbeat host is cut or too long');
    }
    sightings.push({
      number: view.getUint16(at, true),
      generation: view.getUint32(at + 2, true),
      address: {
        host: Buffer.from(bytes.buffer, bytes.byteOffset + hostStart, hostBytes).toString(),
        port: view.getUint16(at + 6, true),
      },
    });
    at = hostStart + hostBytes;
  }
  if (at !== end) throw new ProtocolError('bad-request', at, 'heartbeat has bytes after its last entry');
  return sightings;
}

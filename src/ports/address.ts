import type { Address } from './transport.js';

/** `host:port`, an IPv6 host in brackets: how addresses are written, compared and shown. */
export function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** The inverse of `formatAddress`, for names that it wrote. */
export function parseAddress(name: string): Address {
  const colon = name.lastIndexOf(':');
  const host = name.slice(0, colon);
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port: Number(name.slice(colon + 1)) };
}

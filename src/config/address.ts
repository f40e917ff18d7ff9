/** Host and port, structurally the `Address` of the transport port (configuration does not import ports). */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads `host:port`; an IPv6 host stands in brackets (`[::1]:10000`). Returns undefined when `text` is not an
 * address with a port from 1 to 65535.
 */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]/@]+)):(\d{1,5})$/.exec(text.trim());
  if (match === null) return undefined;
  const host = match[1] ?? match[2] ?? '';
  const port = Number(match[3]);
  return port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

/** The inverse of `parseAddress`. */
export function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** True when nobody outside this machine can reach `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** True for the addresses that mean "every interface": a peer cannot dial them. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::' || host === '::0';
}

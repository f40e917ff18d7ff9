/**
 * What would let the outside world into code that must run the same way twice (architecture.md, Determinism). Time,
 * chance, files and sockets come in through the ports, so that a whole cluster can run on virtual time from one seed.
 */

/** Names of the runtime that are not to be mentioned at all. */
export const ambientGlobals: ReadonlySet<string> = new Set([
  'setTimeout',
  'setInterval',
  'setImmediate',
  'performance',
  'fetch',
]);

/** Members of the runtime's objects that are not to be used; the objects have others that are harmless. */
export const ambientMembers: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['Date', new Set(['now'])],
  ['Math', new Set(['random'])],
  ['process', new Set(['hrtime', 'nextTick', 'uptime'])],
  ['crypto', new Set(['getRandomValues', 'randomUUID'])],
  ['globalThis', ambientGlobals],
]);

/** Modules that are not to be imported, with or without `node:`, nor anything below them. */
export const ambientModules: ReadonlySet<string> = new Set([
  'fs',
  'net',
  'tls',
  'dgram',
  'dns',
  'http',
  'https',
  'http2',
  'timers',
  'perf_hooks',
  'child_process',
  'worker_threads',
]);

/** The names of node:crypto that make randomness; its hashes are functions like any other. */
export const ambientCrypto: ReadonlySet<string> = new Set([
  'default',
  '*',
  'getRandomValues',
  'randomBytes',
  'randomFill',
  'randomFillSync',
  'randomInt',
  'randomUUID',
  'webcrypto',
]);

/** The real ports, and the process that puts them together. */
export function mayUseAmbient(path: string): boolean {
  return (
    path === 'src/main.ts' ||
    ['src/platform/', 'clients/typescript/src/platform/', 'clustermanager/src/platform/'].some((folder) =>
      path.startsWith(folder),
    )
  );
}

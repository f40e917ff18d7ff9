/** Kinds of frames. Numbers are part of the wire format (PROTOCOL.md) and are never reused. */
export const Opcode = {
  ping: 0x01,
  topology: 0x02,
  status: 0x03,

  get: 0x10,
  set: 0x11,
  delete: 0x12,
  contains: 0x13,
  quorumGet: 0x14,
  getMany: 0x15,
  setMany: 0x16,
  scan: 0x17,
  backupOpen: 0x18,
  backupRead: 0x19,
  backupClose: 0x1a,

  heartbeat: 0x20,
  streamOpen: 0x21,
  streamRun: 0x22,
  streamAck: 0x23,
  readVersion: 0x24,
  repair: 0x25,
  pledge: 0x26,
  announceEpoch: 0x27,
  auditRoots: 0x28,
  auditTable: 0x29,
  auditList: 0x2a,
  auditFetch: 0x2b,
  memoryPressure: 0x2e,
  epochPrepare: 0x30,
  epochAccept: 0x31,
  epochChange: 0x32,
  transferProgress: 0x33,
  transferList: 0x34,
  transferPage: 0x35,
  holdings: 0x36,
  epochPreview: 0x37,
  gossipPing: 0x38,
  gossipRelay: 0x39,
  gossipExchange: 0x3a,
  introduce: 0x3b,

  cas: 0x40,
  resolve: 0x41,
  serialRead: 0x42,
  serialPrepare: 0x43,
  serialAccept: 0x44,
  counterAdd: 0x50,
  counterGet: 0x51,
  counterEntries: 0x52,
  counterMerge: 0x53,

  kill: 0x60,
  metrics: 0x61,
  conflicts: 0x62,

  hello: 0x70,
  welcome: 0x71,
  proof: 0x72,
  ready: 0x73,
  goodbye: 0x74,
} as const;
export type Opcode = (typeof Opcode)[keyof typeof Opcode];

/** Bits of a frame's `flags` field. */
export const Flag = {
  /** The frame answers the request with the same correlation id; `opcode` is the request's. */
  reply: 1,
  /** With `reply`: the body is an error. */
  error: 2,
  /** With `reply`: there is no value (never written, or deleted). */
  absent: 4,
  /** The request was forwarded by a node that holds no replica; it is not forwarded again. */
  forwarded: 8,
} as const;

/** How many replicas an operation waits for. */
export const Consistency = { one: 1, quorum: 2, all: 3, serial: 4 } as const;
export type Consistency = (typeof Consistency)[keyof typeof Consistency];

/** Bits of the options byte of a request about keys. */
export const RequestOption = {
  /** Of set and setMany, where feature `ttl` was agreed on: a time to live follows. */
  ttl: 1,
  /** Of serial operations, where feature `serial` was agreed on: an operation id follows. */
  operation: 2,
  /** An earlier copy of the operation may have arrived. */
  repeated: 4,
  /** Of cas: the key must exist, with the value that follows. */
  expected: 8,
  /** Of cas: the key is deleted. */
  deletes: 16,
} as const;

/**
 * Abilities that go beyond the first version's core, one bit each; hello carries those of the client, welcome those
 * that both sides have. A message of a feature is sent only where its bit was agreed on. Bits are never reused.
 */
export const Feature = {
  /** getMany and setMany. */
  batch: 1,
  /** scan. */
  scan: 2,
  /** Option `ttl` of set and setMany; between nodes, versions that carry a deadline. */
  ttl: 4,
  /** auditRoots, auditTable, auditList and auditFetch. */
  audit: 8,
  /** backupOpen, backupRead and backupClose. */
  backup: 16,
  /** Serial operations: cas, resolve, consistency `serial`; between nodes, rounds and serial states. */
  serial: 32,
  /** counterAdd and counterGet; between nodes counterEntries, counterMerge, and entries of counters among the records. */
  counters: 64,
} as const;
/** All bits this version knows. */
export const FEATURES_KNOWN: number =
  Feature.batch | Feature.scan | Feature.ttl | Feature.audit | Feature.backup | Feature.serial | Feature.counters;

/** Who is at the other end of a connection; each role has keys of its own. */
export const Role = { client: 1, node: 2, admin: 3 } as const;
export type Role = (typeof Role)[keyof typeof Role];

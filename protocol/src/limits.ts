import { FRAME_HEADER_BYTES } from './frame.js';

/** Every bound of the wire format, with its arithmetic. PROTOCOL.md, "Limits". */

/** No key is longer, whatever a node is configured to. Its length travels in 16 bits; a quarter of that is ample. */
export const KEY_BYTES_HARD_MAX = 16_384;
/** The longest key unless `limits.max_key` says otherwise. */
export const KEY_BYTES_DEFAULT_MAX = 4096;

/** No value is longer: a value travels in one frame and is appended in one turn, 64 MiB is about 60 ms of that. */
export const VALUE_BYTES_HARD_MAX: number = 64 * 1024 * 1024;
/** The longest value unless `limits.max_value` says otherwise. */
export const VALUE_BYTES_DEFAULT_MAX: number = 8 * 1024 * 1024;

/** Keys or entries in one batch: at 1 µs each a batch holds the event loop for about 4 ms. */
export const BATCH_ITEMS_MAX = 4096;

/** Owners of a partition, and so answers to one quorumGet: a replication factor above 7 has no use. */
export const REPLICAS_MAX = 7;

/**
 * Entries of one counter: one for each node and generation that ever added to it, so three as a rule, and one more for
 * each time that its partition moved on. A list of them takes 4 + 2048 × 36 = 73,732 bytes.
 */
export const COUNTER_ENTRIES_MAX = 2048;

/** Bytes of an error's sentence, UTF-8. */
export const ERROR_MESSAGE_BYTES_MAX = 512;
/** code 2 + outcome 1 + retryable 1 + node 2 + message length 2. */
export const ERROR_BODY_FIXED_BYTES = 8;
export const ERROR_BODY_BYTES_MAX: number = ERROR_BODY_FIXED_BYTES + ERROR_MESSAGE_BYTES_MAX;

export const KEY_ID_BYTES_MAX = 64;
/** "host:port": a DNS name has at most 253 bytes; 255 is what one byte could count. */
export const ADDRESS_BYTES_MAX = 255;

/**
 * Frames before a peer is authenticated, the length field included. The longest are
 * hello = 28 header + 116 fixed + 64 key id + 2 + 255 address = 465, and an error = 28 + 520 = 548; rounded up.
 */
export const HANDSHAKE_FRAME_BYTES_MAX = 576;

/** Nodes in one topology: node numbers have 16 bits, the ring is tested up to this. */
export const NODES_MAX = 1024;
/** Partitions in one topology: 16 bits of the key hash. */
export const PARTITIONS_MAX = 65_536;
/** Members in one message of gossip: those of the largest topology, as many that are gone, and the sender. */
export const GOSSIP_MEMBERS_MAX: number = 2 * NODES_MAX + 1;
/** Names of a zone or failure domain, UTF-8. */
export const NAME_BYTES_MAX = 255;
/** Settings of the whole cluster, and bytes of the name or value of one. */
export const SETTINGS_MAX = 64;
export const SETTING_BYTES_MAX = 64;
/** number 2 + uuid 16 + weight 2 + standing 1 + zero 1 + four lengths of 2. */
export const TOPOLOGY_NODE_FIXED_BYTES = 30;
/** epoch 4 + cluster 16 + seed 4 + partitions 4 + replicas 1 + state 1 + node count 2. */
export const TOPOLOGY_FIXED_BYTES = 32;
/**
 * Fixed 32 + 1024 nodes × (30 + 4 × 255) + owners, now and next, 2 × 65,536 × 7 × 2, then behind the owners fixed 20 +
 * 1024 changes × (8 + 2 × 255) + 64 settings × (4 + 2 × 64) + 65,535 removed nodes × 18 + former owners, those of two
 * changes, 2 × 65,536 × 7 × 6 = 10,135,970: 10 MB at the very most. A cluster of 1000 nodes and 4096 partitions takes
 * 200 KB, one of three nodes 3 KB.
 */
export const TOPOLOGY_BYTES_MAX: number =
  TOPOLOGY_FIXED_BYTES +
  NODES_MAX * (TOPOLOGY_NODE_FIXED_BYTES + 2 * ADDRESS_BYTES_MAX + 2 * NAME_BYTES_MAX) +
  2 * PARTITIONS_MAX * REPLICAS_MAX * 2 +
  20 +
  NODES_MAX * (8 + 2 * NAME_BYTES_MAX) +
  SETTINGS_MAX * (4 + 2 * SETTING_BYTES_MAX) +
  65_535 * 18 +
  2 * PARTITIONS_MAX * REPLICAS_MAX * 6;

/** An epoch that is proposed, or reported by a voter: header, up to two ballots and 4 bytes, and the topology. */
export const EPOCH_FRAME_BYTES_MAX: number = FRAME_HEADER_BYTES + 2 * 16 + 4 + TOPOLOGY_BYTES_MAX;

/** Partitions in one auditRoots: 4 + 256 × 32 bytes = 8 KiB, a cluster of the default size in one frame. */
export const AUDIT_PARTITIONS_MAX = 256;
/**
 * Versions in one auditList or auditFetch: 16,384 × 16 bytes = 256 KiB. A bucket is a 64th of a partition, so 256
 * partitions are listed completely up to 268 million keys on a node.
 */
export const AUDIT_LIST_MAX = 16_384;

/** Versions in one transferList: 8192 × 20 bytes = 160 KiB, collected in about half a millisecond. */
export const TRANSFER_LIST_MAX = 8192;

/** consistency 1 + options 1 + key length 2, before the key. */
export const KEY_REQUEST_FIXED_BYTES = 4;

/** A time to live in a request: u64 milliseconds. */
export const TTL_BYTES = 8;
/**
 * The longest time to live: 3650 days of 86,400,000 ms. What shall outlive that is no cache entry and no session, and
 * milliseconds taken for microseconds, or a point in time taken for a span, show up as an error instead of as a key
 * that never goes.
 */
export const TTL_MS_MAX = 315_360_000_000;

/** A frame that every side must accept, so that pings, small batches and topologies of small clusters always fit. */
export const FRAME_BYTES_FLOOR = 65_536;

/**
 * The longest request, the length field included, where keys and values have these limits: a set of both that expires.
 * A batch must fit into the same length; the client cuts it.
 *
 * @example maxFrameBytes(4096, 8 MiB) = 28 + 4 + 4096 + 8 + 8,388,608 = 8,392,744
 */
export function maxFrameBytes(maxKeyBytes: number, maxValueBytes: number): number {
  return Math.max(
    FRAME_BYTES_FLOOR,
    FRAME_HEADER_BYTES + KEY_REQUEST_FIXED_BYTES + maxKeyBytes + TTL_BYTES + maxValueBytes,
  );
}

/**
 * The longest reply, the length field included: a quorumGet in which each replica holds another version of the
 * longest value: header 28 + fixed 20 + per replica 20 + value or error. A batch reply must fit into it as well: the
 * node answers `batch-too-large` for the items that would not, and the client asks for those one by one.
 */
export function maxReplyFrameBytes(maxValueBytes: number, replicas: number = REPLICAS_MAX): number {
  const perReplica = 20 + Math.max(maxValueBytes, ERROR_BODY_BYTES_MAX);
  return Math.max(FRAME_HEADER_BYTES + 20 + replicas * perReplica, FRAME_HEADER_BYTES + TOPOLOGY_BYTES_MAX);
}

/** Bytes of a segment in one answer of a backup: large enough to amortise, copied in about 30 µs. */
export const BACKUP_CHUNK_BYTES_MAX: number = 256 * 1024;
/** Segments in one snapshot: 2^32 words of 4 bytes in segments of at least 128 KiB make 131,072, so 4 MiB of list. */
export const BACKUP_SEGMENTS_MAX = 131_072;

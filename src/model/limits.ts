/**
 * Every bound on what a peer or client can make this node hold, with its arithmetic. Limits of the wire itself are in
 * `protocol/src/limits.ts`; those that an operator sets are in the configuration.
 */

/** Bytes waiting for one peer before its link is reset: two stream windows and the replies beside them. */
export const PEER_RETAINED_BYTES_MAX: number = 64 * 1024 * 1024;

/** Bytes of log sent to a peer and not acknowledged: at 100 MB/s and 50 ms to a durable answer 5 MB are on the way. */
export const STREAM_WINDOW_BYTES: number = 8 * 1024 * 1024;

/** Bytes of log in one streamRun frame, one oversized record excepted: large enough to amortise, small enough to interleave. */
export const STREAM_RUN_BYTES_MAX: number = 256 * 1024;

/** streamRun frames sent and not acknowledged before small runs are held back to be merged. */
export const STREAM_FRAMES_EAGER = 4;

/** Refusals named in one streamAck: 20 bytes each, so 80 KiB. */
export const STREAM_REFUSALS_MAX = 4096;

/** Output waiting for a client before its requests are no longer read: replies to a full pipeline of small requests. */
export const SESSION_OUTPUT_PAUSE_BYTES: number = 1024 * 1024;

/**
 * Output waiting for a client above which its reads are refused: one chunk of requests, read before the pause took
 * hold, may ask for thousands of large values.
 */
export const SESSION_OUTPUT_MAX_BYTES: number = 32 * 1024 * 1024;

/** Requests whose keys are warmed together: their slots, records and values are 64 × 4 cache lines, half of a first-level cache. */
export const LOOKAHEAD_FRAMES_MAX = 64;
/** Fewer requests together than this overlap too little to pay. */
export const LOOKAHEAD_FRAMES_MIN = 4;
/** Below this many keys lookups do not miss: 20,000 records of 140 bytes are 3 MB. */
export const WARM_KEYS_MIN = 20_000;

/** A client that takes no output for this long while some is waiting is disconnected. */
export const SESSION_STALL_MS = 30_000;

/** A connection that has not proved a key within this time is closed. */
export const HANDSHAKE_TIMEOUT_MS = 5_000;

/** Replies held until their record is durable, in bytes, for all connections: 64 in flight × 1 MiB. */
export const HELD_REPLY_BYTES_MAX: number = 64 * 1024 * 1024;

/** How often deadlines, hedges and stalled connections are looked at. */
export const SWEEP_INTERVAL_MS = 20;

/** A quorum read that waits longer than this asks the remaining owners too. */
export const READ_HEDGE_MS = 60;

/** Answers to comparisons that wait for the log, for all peers: 64 × a list of 256 KiB = 16 MiB. */
export const AUDIT_ANSWERS_HELD_MAX = 64;

/** Quorum reads of counters under way at once: a slot number is the low half of the correlation id sent to replicas. */
export const COUNTER_READS_MAX = 16_384;

/** Answers about counters that wait for the log, for all peers: 4096 × (36 bytes × three entries) = 450 KB as a rule. */
export const COUNTER_ANSWERS_HELD_MAX = 4096;

/**
 * Entries of one counter beyond which no node opens another: half of what may travel, so that nodes that open one at once
 * stay below that. A counter has one for each node, and for each time that its partition came back to one.
 */
export const COUNTER_ENTRIES_OPENED_MAX = 1024;

/** How often a comparison may be begun or gone on with, in milliseconds. */
export const AUDIT_TICK_MS = 100;

/** A cycle over all partitions takes at least this long: purging and the finding of bit rot wait for it. */
export const AUDIT_CYCLE_MS = 2000;

/**
 * Wait before a partition that differed is looked at again: writes on their way explain most differences, and they
 * arrive within milliseconds.
 */
export const AUDIT_RECHECK_MS = 250;

/** Partitions of one peer that are compared bucket by bucket at once. Others wait for the next cycle. */
export const AUDIT_FOCUS_MAX = 16;

/** Buckets listed for one partition before its table is compared again. */
export const AUDIT_BUCKETS_LISTED_MAX = 8;

/** Looks at a partition whose differing buckets are other ones each time (busy keys) before they are listed anyway. */
export const AUDIT_LOOKS_UNSTABLE = 4;

/** Looks at one partition in a row, each with a repair: 16 × 8 buckets list all 64 twice over. */
export const AUDIT_LOOKS_MAX = 20;

/** Tables asked of one peer in one tick: one may cost a walk over the partition, 120 µs at a million keys. */
export const AUDIT_TABLES_PER_TICK = 4;

/** Versions asked for in one auditFetch: answers are cut at 256 KiB, so that 2,000 records of 128 bytes fit into one. */
export const AUDIT_FETCH_MAX = 2048;

/** An answer that does not come within this time is given up. */
export const AUDIT_ANSWER_MS = 5000;

/** Records in one page of a partition that moves, one more excepted: a page is taken in in 1 ms at 140 bytes a record. */
export const TRANSFER_PAGE_BYTES: number = 256 * 1024;

/** Pages and lists that a node makes for others at once, or that wait for its disk: 16 × 256 KiB = 4 MiB. */
export const TRANSFER_ANSWERS_MAX = 16;

/** A list ends once it has so many versions: one more slice of the index has 4096 at most, and the wire 8192 in a list. */
export const TRANSFER_VERSIONS_REACHED = 4096;

/** Slices of the index in one page or list: 64 × 0.3 ms = 20 ms of work, spread over as many turns. */
export const TRANSFER_LIST_SLICES = 64;

/** Partitions that a node fills at once: one waits for its source's disk while another one's page is on its way. */
export const TRANSFER_FILLS_MAX = 4;

/** Bytes of records that a node takes in a second unless the cluster is set otherwise: 128 pages, an eighth of a core. */
export const TRANSFER_BYTES_PER_SECOND: number = 32 * 1024 * 1024;

/** How often a node looks at what it has to fill or to hand over. */
export const TRANSFER_TICK_MS = 20;

/** After a failure, and while newer versions are on their way: a round trip, and the sync of a disk that is slow. */
export const TRANSFER_WAIT_MS = 100;

/** Looks at versions that are on their way before they are listed again: 2 seconds. */
export const TRANSFER_LOOKS_MAX = 20;

/** Partitions that a former owner hands over at once. */
export const HANDOVERS_MAX = 4;

/** Records on their way to an owner that lacks them: 64 × 1 MiB at worst. */
export const HANDOVER_REPAIRS_MAX = 64;

/** How often a former owner tells what it still has: whoever was not connected, or in another epoch, hears it then. */
export const HOLDINGS_INTERVAL_MS = 500;

/** Scans that a node drives at once; one more is refused. Each holds 7 pages of 32 KiB at most: 1.4 MiB altogether. */
export const SCANS_MAX = 6;

/** Pages that a replica makes at once, for its own scans and those of others: 32 × 32 KiB = 1 MiB. */
export const SCAN_PAGES_MAX = 32;

/**
 * Keys and stamps in a replica's page, and keys in a reply, once reached: one more key (16 KiB at most) may follow. Two
 * pages of 450 short keys are read and merged in 0.15 ms.
 */
export const SCAN_PAGE_BYTES: number = 16 * 1024;

/**
 * Keys that all scans of a node look at in a tick of their timer, a millisecond. With verifying, merging and encoding
 * that is a quarter of a core; a million keys take 4 s or more. `npm run bench -- scan` shows what others feel of it.
 */
export const SCAN_KEYS_PER_TICK = 256;

/**
 * Bytes of records that are verified in one slice, once reached: 0.1 ms. Another record may follow, of 8 MiB at most by
 * default, which takes 2 ms as it does when it is read.
 */
export const SCAN_SLICE_BYTES: number = 256 * 1024;

/** Slices of the index in one page: with a rare prefix it ends empty rather than late, after about 36 ms. */
export const SCAN_PAGE_SLICES = 32;

/** Partitions in one reply: small ones are passed through many at a time. */
export const SCAN_PARTITIONS_MAX = 64;

/** Keys walked over in one tick to purge, one partition excepted: at 30 ns each half a millisecond. */
export const PURGE_KEYS_PER_TICK = 16_384;

/** A partition is purged at most this often: each purge is a record in the log. */
export const PURGE_INTERVAL_MS = 2000;

/** Expired values stay this long: clocks of coordinators may differ, and one that is behind still shows them. */
export const EXPIRED_PURGE_AFTER_MS = 60_000;
/** Backups that a node serves at once. Each keeps the segments of its snapshot from being compacted. */
export const SNAPSHOTS_MAX = 2;

/** A backup that asks for nothing for this long has gone away: what it kept is let go. */
export const SNAPSHOT_IDLE_MS = 30_000;

/** Keys evicted in one step: 2 µs each, so about half a millisecond on the loop, and half a million a second. */
export const EVICTION_KEYS_PER_STEP_MAX = 256;
/** Slots of the index that the clock's hand passes in one step: 2 ns each when nothing is found. */
export const EVICTION_SLOTS_PER_STEP = 16_384;
/**
 * What may be held, newest versions and index, as a part of max_memory: the rest is for what compaction has not taken
 * back yet. It starts where a log at 70 % use fits, and moves between these bounds.
 */
export const EVICTION_CEILING_START_PART = 0.7;
export const EVICTION_CEILING_MIN_PART = 0.25;
export const EVICTION_CEILING_MAX_PART = 0.9;
/** Above this part of max_memory in use the ceiling is lowered, below the other one it is raised. */
export const EVICTION_PRESSED_PART = 0.92;
export const EVICTION_EASY_PART = 0.87;
/**
 * A part of what is too much goes in so many milliseconds, the same part again in the next: long beside the time that a
 * tombstone takes to the other owners, so that each sees what the others evict; short beside the time in which a full
 * load of writes (100 MB/s) fills what lies between the ceiling and the bound.
 */
export const EVICTION_TIME_CONSTANT_MS = 50;
/** And when a bound is about to be reached. */
export const EVICTION_URGENT_TIME_CONSTANT_MS = 5;
/** Above this part of max_memory in use it is urgent. */
export const EVICTION_URGENT_PART = 0.95;
/** With eviction, new keys are refused only so many above max_entries: a sixteenth, and two steps' worth. */
export function entriesSlack(entriesMax: number): number {
  return Math.ceil(entriesMax / 16) + 2 * EVICTION_KEYS_PER_STEP_MAX;
}

/** Slots of the index looked at for expired values in one tick: 100 ns each at worst, 0.4 ms; a million keys take 6 s. */
export const EXPIRY_SLOTS_PER_TICK = 4096;

/** Everything in memory, and every file, is looked at within this time, unless there is too much for that. */
export const SCRUB_CYCLE_MS = 20_000;

/** Between two slices of the scrub: half a second where there is little to look at, never less than the second. */
export const SCRUB_TICK_MS_MAX = 500;
export const SCRUB_TICK_MS_MIN = 20;

/**
 * Bytes of memory verified in one slice: at 1 to 2 GB/s 256 KiB take 0.1 to 0.3 ms, so with a slice every 20 ms the scrub
 * takes at most 1.5 % of a core. 12 MB/s: a million keys in 20 s, 10 GB in a quarter of an hour.
 */
export const SCRUB_SLICE_BYTES_MAX: number = 256 * 1024;
export const SCRUB_SLICE_BYTES_MIN: number = 64 * 1024;

/** Bytes of a file read at once by the scrub: comparing them with memory takes 0.1 ms, opening and reading 0.2. */
export const SCRUB_FILE_PIECE_BYTES: number = 512 * 1024;

/** Members that gossip knows, those gone included: twice the largest topology. About 400 bytes each, so under 1 MiB. */
export const MEMBERS_MAX = 2048;

/**
 * Rumors told in one message: 64 × 130 bytes, so 8 KiB at most, and none at all while nothing changes. When a cut heals or
 * many nodes start together there are as many rumors as members.
 */
export const RUMORS_TOLD_MAX = 64;

/** An operation that takes longer is logged: ten times what a quorum of busy disks takes. */
export const SLOW_OPERATION_MS = 100;

/**
 * Writes that lost to one made without knowing them, as a node remembers them: 256 × (4 KiB of key + 2 × 256 bytes of
 * value) = 1.2 MiB at most.
 */
export const CONFLICTS_KEPT = 256;
export const CONFLICT_VALUE_BYTES_MAX = 256;
/** Noted a second: where every write is one, copying them would cost more than they tell. All are counted. */
export const CONFLICTS_PER_SECOND_MAX = 32;

/** Operations in one round on a key: with the id of an adopted plain version fewer than the 63 that a state remembers. */
export const SERIAL_BATCH_MAX = 48;
/** Operations that wait for one key's rounds at a node: 20 rounds of a full batch; one more is refused. */
export const SERIAL_WAITING_MAX = 1024;
/** Keys whose promise this node keeps for its next round: about 150 bytes each, so 10 MB. */
export const SERIAL_KEPT_PROMISES_MAX = 65_536;
/** A round that was outbid waits a random part of this, doubled each time up to the second one: a round takes about 1 ms. */
export const SERIAL_BACKOFF_MS_MIN = 2;
export const SERIAL_BACKOFF_MS_MAX = 100;
/** A phase of a round that is not answered by then begins again, in another ballot. */
export const SERIAL_PHASE_MS = 500;
/** Slots of the index passed in one tick in search of keys to settle: 30 ns each, so 0.1 ms. */
export const SERIAL_SETTLE_SLOTS_PER_TICK = 4096;
/** Keys settled in one tick: each is a round. */
export const SERIAL_SETTLE_KEYS_PER_TICK = 8;
/** A state that is older than this is settled: retries of its operations have ended, and its proposer with them. */
export const SERIAL_SETTLE_AFTER_MS = 30_000;

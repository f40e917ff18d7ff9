import type { Mutant } from './mutants.js';

const COORDINATOR = 'dist/src/replication/write-coordinator.js';
const STREAM = 'dist/src/replication/peer-stream.js';
const INBOUND = 'dist/src/replication/inbound-stream.js';

/** Planted in the way of a write: stamp, stream, acknowledgement, catch-up. */
export const WRITE_MUTANTS: readonly Mutant[] = [
  {
    name: 'quorum-one-too-small',
    why: 'A write or read at quorum is content with one owner less than a majority.',
    file: COORDINATOR,
    find: 'return set.majority;',
    replace: 'return set.majority - 1;',
  },
  {
    name: 'counts-across-stamps',
    why: 'Owners that refused the stamp count as holders once they acknowledged beyond it.',
    file: COORDINATOR,
    find: 'this.#holders(set, lsn, queue.refused(slot)) < needed',
    replace: 'false',
  },
  {
    name: 'superseded-counts-as-stored',
    why: 'An owner that answers "superseded" to a write counts as one that stored it.',
    file: COORDINATOR,
    find: 'queue.refuse(slot, memberIndex, counter);',
    replace: '',
  },
  {
    name: 'commit-point-one-too-far',
    why: 'The commit point is the LSN that one owner less than needed has reached.',
    file: COORDINATOR,
    find: 'return sorted[needed - 1];',
    replace: 'return sorted[Math.max(0, needed - 2)];',
  },
  {
    name: 'own-record-counts-before-sync',
    why: 'The coordinator counts itself as a holder as soon as it has appended.',
    file: COORDINATOR,
    find: 'index === selfIndex ? store.durableLsn',
    replace: 'index === selfIndex ? store.lastLsn',
  },
  {
    name: 'unknown-as-not-applied',
    why: 'A write whose deadline passed after it was stored is reported as not applied.',
    file: 'dist/src/replication/write-errors.js',
    find: "export const WRITE_TIMEOUT = { code: 'timeout', outcome: 'unknown',",
    replace: "export const WRITE_TIMEOUT = { code: 'timeout', outcome: 'not-applied',",
  },
  {
    name: 'stamp-ignores-stored',
    why: 'A stamp is above what the coordinator saw, but not above the version it stores.',
    file: COORDINATOR,
    find: 'const counter = lamport.next(floor);',
    replace: 'const counter = lamport.next(0) - 3;',
  },
  {
    name: 'restamp-keeps-order-no-more',
    why: 'A write that is stamped again overtakes a later one to the same key that waits behind it.',
    file: COORDINATOR,
    find: 'if (later !== 0) {',
    replace: 'if (false) {',
  },
  {
    name: 'deadline-ignored',
    why: 'A write that cannot be acknowledged waits for ever.',
    file: COORDINATOR,
    find: 'if (target === undefined || queue.deadlineMs(slot) > nowMs)',
    replace: 'if (true)',
    isSeldomMet: true,
  },
  {
    name: 'forwarder-resends-write',
    why: 'A plain write is sent to another owner when the connection to the first is lost.',
    file: 'dist/src/replication/forwarder.js',
    find: 'forwarded.body = isRead(opcode) ?',
    replace: 'forwarded.body = true ?',
  },
  {
    name: 'forwarder-lost-as-not-applied',
    why: 'A forwarded write whose connection is lost is reported as not applied.',
    file: 'dist/src/replication/forwarder.js',
    find: "const LOST_WRITE = { code: 'connection-lost', outcome: 'unknown',",
    replace: "const LOST_WRITE = { code: 'connection-lost', outcome: 'not-applied',",
  },
  {
    name: 'session-token-ignored',
    why: "A client's token does not move the clock of the node.",
    file: 'dist/src/model/lamport-clock.js',
    find: 'this.current = counter; return true;',
    replace: 'return true;',
  },
  {
    name: 'clock-lease-ignored',
    why: 'A restart goes on from the highest counter in the log, not from the lease.',
    file: 'dist/src/node-recovery.js',
    find: 'start: Math.max(leaseMark(store), store.highestCounter())',
    replace: 'start: store.highestCounter()',
  },
  {
    name: 'counter-starts-at-zero',
    why: 'A restart forgets the counter.',
    file: 'dist/src/node-recovery.js',
    find: 'start: Math.max(leaseMark(store), store.highestCounter())',
    replace: 'start: 0',
  },
  {
    name: 'acknowledges-run-before-sync',
    why: 'A replica acknowledges a run of records when it has appended it.',
    file: INBOUND,
    find: 'if (this.#store.lastLsn <= this.#store.durableLsn) this.onDurable(this.#store.durableLsn);',
    replace: 'this.onDurable(this.#store.lastLsn);',
  },
  {
    name: 'refusal-not-named',
    why: 'A replica acknowledges a run without naming the record that it refused.',
    file: INBOUND,
    find: 'this.#refusals.push({ lsn, counter, node });',
    replace: '',
  },
  {
    name: 'acknowledges-behind-a-refused-run',
    why: 'A run that follows a refused one is acknowledged, and the refused one with it.',
    file: INBOUND,
    find: 'if (streamId === this.#refusedStreamId) return;',
    replace: '',
    isSeldomMet: true,
  },
  {
    name: 'cursor-takes-the-maximum',
    why: 'The cursor of a peer moves to what was sent, whatever the peer acknowledged.',
    file: STREAM,
    find: 'if (lsn > this.acknowledgedLsn) this.acknowledgedLsn = lsn;',
    replace: 'this.acknowledgedLsn = this.#sentLsn;',
  },
  {
    name: 'cursor-moves-while-down',
    why: 'A peer that is away is taken to have everything.',
    file: STREAM,
    find: 'if (this.idle) this.acknowledgedLsn',
    replace: 'if (this.idle || this.#state.kind === "down") this.acknowledgedLsn',
  },
  {
    name: 'catch-up-drops-deletes',
    why: 'Tombstones are not among what a peer is caught up with.',
    file: 'dist/src/replication/replication.js',
    find: 'if (cursor.kind !== RecordKind.value && cursor.kind !== RecordKind.tombstone)',
    replace: 'if (cursor.kind !== RecordKind.value)',
  },
  {
    name: 'catch-up-begins-late',
    why: 'A peer that comes back is caught up from the end of the log.',
    file: STREAM,
    find: "this.#state = { kind: 'catching-up', cursor: this.#options.store.logCursor(this.acknowledgedLsn) };",
    replace:
      "this.#state = { kind: 'catching-up', cursor: this.#options.store.logCursor(this.#options.store.lastLsn) };",
  },
];

import { CounterEntryList, partitionOfHash } from '@memdb/protocol';
import { entryGeneration, recordHash } from '../../src/model/counter-entry.js';
import {
  ENTRY_ID_BYTES,
  EXPIRY_BYTES,
  lengthOf,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordFlags,
  recordKindLength,
} from '../../src/model/record.js';
import type { Node } from '../../src/node.js';
import type { BrokenPromises } from './broken-promise.js';
import { type History, orderOf, stampText, valueText, type WriteEvent } from './history.js';
import { type HeldVersion, ownersOf } from './owner-versions.js';
import type { SimCluster } from './sim-cluster.js';
import type { SimWorld } from './sim-world.js';

/** What the nodes hold, looked at from outside: nothing here is an operation of a client. */

/** Whether all owners of all keys hold the same by now. */
export function isConverged(world: SimWorld, cluster: SimCluster, keys: readonly string[]): boolean {
  return keys.every((key) => {
    const versions = ownersOf(world, cluster, key);
    const first = versions[0];
    return versions.every((version) => version !== 'down' && first !== 'down' && isSame(version, first));
  });
}

/** Every owner of every key holds the same version, byte for byte. */
export function checkConverged(
  world: SimWorld,
  cluster: SimCluster,
  keys: readonly string[],
  broken: BrokenPromises,
): void {
  for (const key of keys) {
    const versions = ownersOf(world, cluster, key);
    const first = versions[0];
    if (versions.length !== cluster.replicationFactor) broken.add(`it has ${versions.length} owners`, key);
    for (const version of versions) {
      if (version === 'down' || first === 'down') broken.add('an owner is down at the end', key);
      else if (!isSame(version, first)) {
        const texts = versions.map((held) => (held === 'down' ? 'down' : `${held.node} @${stampText(held.stamp)}`));
        broken.add(`owners hold different versions at the end: ${texts.join(', ')}`, key);
        break;
      }
    }
  }
}

/** A purged tombstone counts as one: the floor of who purged it is at or above it. */
function isSame(one: HeldVersion, other: HeldVersion): boolean {
  if (one.absent && other.absent) return true;
  if (one.absent) return (other.expires || other.text() === undefined) && orderOf(other.stamp, one.stamp) <= 0;
  if (other.absent) return isSame(other, one);
  return orderOf(one.stamp, other.stamp) === 0 && one.text() === other.text();
}

/**
 * Over the logs of all nodes, one stamp of one key has one content (mechanisms: Stamps), and no value stands there whose
 * write was answered not-applied, or was never made. No plain write has stamps of two coordinators: one that was sent is
 * not sent again, unless it was refused before it was stored. `evicts`: a deletion may have the stamp of the value that
 * it evicted.
 */
export function checkLogs(
  cluster: SimCluster,
  history: History,
  isSerial: (key: string) => boolean,
  evicts: boolean,
  broken: BrokenPromises,
): void {
  const contents = new Map<string, string>();
  const coordinators = new Map<number, number>();
  const expiring = new Set<string>();
  const writes = new Map<string, WriteEvent>();
  for (const write of history.writes) if (write.value) writes.set(`${write.key} ${write.value}`, write);
  for (const name of cluster.names) {
    const cursor = cluster.node(name).store?.logCursor(0);
    while (cursor?.next() === true) {
      // What counters hold is judged by `CounterLoad`.
      if (cursor.counter === 0 || cursor.kind === RecordKind.counterEntry) continue;
      // And serial keys have histories of their own.
      if (cursor.kind === RecordKind.serial) continue;
      const { bytes, view } = cursor.segment;
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset);
      const valueLength = lengthOf(recordKindLength(view, cursor.offset)) - RECORD_HEADER_BYTES - cursor.keyLength;
      const valueStart = cursor.keyStart + cursor.keyLength;
      const key = buffer.toString('utf8', cursor.keyStart, valueStart);
      const deadlineBytes = recordFlags(view, cursor.offset) === 0 ? 0 : EXPIRY_BYTES;
      const value = buffer.toString('utf8', valueStart + deadlineBytes, valueStart + valueLength);
      const version = `${key}@${cursor.counter}/${cursor.node}`;
      // Once a value has expired, its deletion may carry its stamp.
      if (deadlineBytes > 0) expiring.add(version);
      const content = `${cursor.kind} ${value}`;
      if (evicts && cursor.kind === RecordKind.tombstone) continue;
      const known = contents.get(version);
      if (known !== undefined && known !== content && !expiring.has(version))
        broken.add(`${version} has two contents in logs: ${known.slice(0, 60)} and ${content.slice(0, 60)}`, key);
      if (known === undefined) {
        contents.set(version, content);
        if (cursor.kind !== RecordKind.value || value === '') continue;
        const write = writes.get(`${key} ${value}`);
        // Its clients keep a history of their own.
        if (write === undefined && isSerial(key)) continue;
        if (write === undefined) broken.add(`${name} logged ${valueText(value)}, which nobody wrote`, key);
        else if (write.outcome === 'not-applied') {
          broken.add(`${name} logged write ${write.id}, which was answered not-applied`, key);
        } else {
          const coordinator = coordinators.get(write.id) ?? cursor.node;
          coordinators.set(write.id, cursor.node);
          if (coordinator !== cursor.node) {
            broken.add(`write ${write.id} was stamped by members ${coordinator} and ${cursor.node}: sent twice`, key);
          }
        }
      }
    }
  }
}

/**
 * A cursor is below every LSN that its peer has not acknowledged (mechanisms: Catch-up from the log): what a node
 * coordinated for a peer up to there stands in the peer's log, or something newer does. Peers that are down, and records
 * whose owner has not recovered what it had, are left out, and peers whose bits flip. `evicts`: a deletion with its very
 * stamp may stand in the place of a value.
 */
export function checkCursors(world: SimWorld, cluster: SimCluster, evicts: boolean, broken: BrokenPromises): void {
  const sound = cluster.names.filter((name) => world.isRunning(name) && !world.disk(name).isDamaged);
  const running = sound.map((name) => cluster.node(name));
  for (const node of running) {
    const { replication, store } = node;
    if (replication === undefined || store === undefined) continue;
    const cursor = store.logCursor(0);
    while (cursor.next()) {
      if (cursor.node !== node.number || cursor.counter === 0 || cursor.kind === RecordKind.serial) continue;
      const { bytes, view } = cursor.segment;
      const hash = recordHash(cursor.kind, bytes, view, cursor.keyStart, cursor.keyLength, replication.hashSeed);
      const partition = partitionOfHash(hash, replication.sets.partitions);
      // Owners of a change that is pending come to hold it by and by.
      for (const member of replication.sets.preference(partition)) {
        if (member === node.number || cursor.lsn > (replication.streams[member]?.acknowledgedLsn ?? 0)) continue;
        if (cursor.lsn <= replication.owedFrom(member, partition)) continue;
        const peer = running.find((other) => {
          return other.number === member && other.replication?.sets.epoch === replication.sets.epoch;
        });
        if (peer === undefined || holds(peer, hash, cursor, evicts)) continue;
        // Purged somewhere, on evidence about all owners that there were: whoever became one since may never have had it.
        if (running.some((other) => isPurged(other, hash, cursor))) continue;
        const key = Buffer.from(bytes.subarray(cursor.keyStart, cursor.keyStart + cursor.keyLength)).toString();
        broken.add(
          `member ${node.number} takes @${cursor.counter}/${cursor.node} (LSN ${cursor.lsn}) for acknowledged by member ${member}, which does not hold it`,
          key,
        );
        return;
      }
    }
  }
}

/** Whether a node knows a record only as one that it has purged. */
function isPurged({ store }: Node, hash: number, record: Record): boolean {
  if (store === undefined) return false;
  const { bytes, view } = record.segment;
  return !store.lookup(hash, bytes, view, record.keyStart, record.keyLength) && orderOf(store.found, record) >= 0;
}

interface Record {
  readonly segment: { readonly bytes: Uint8Array; readonly view: DataView };
  readonly kind: number;
  readonly keyStart: number;
  readonly keyLength: number;
  readonly counter: number;
  readonly node: number;
}

/** Whether a node holds a record durably, or a newer version of its key. */
function holds({ store }: Node, hash: number, record: Record, evicts: boolean): boolean {
  if (store === undefined) return false;
  const { bytes, view } = record.segment;
  if (record.kind === RecordKind.counterEntry) {
    const nameLength = record.keyLength - ENTRY_ID_BYTES;
    const list = new CounterEntryList();
    store.entries.collect(hash, view, record.keyStart, nameLength, list);
    const index = list.find(record.node, entryGeneration(view, record.keyStart + nameLength));
    return index !== -1 && list.counter(index) >= record.counter;
  }
  const held = store.lookup(hash, bytes, view, record.keyStart, record.keyLength);
  const order = orderOf(store.found, record);
  if (held && store.found.serial) return true;
  // What lies at or below the floor was purged, or never counted.
  if (!held) return order >= 0;
  // Only what is durable is evicted.
  const evicted = evicts && store.found.kind === RecordKind.tombstone;
  return order > 0 || (order === 0 && (store.found.durable || evicted));
}

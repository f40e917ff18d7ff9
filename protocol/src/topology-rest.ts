import type { BodyReader } from './body-reader.js';
import { NAME_BYTES_MAX, NODES_MAX, REPLICAS_MAX, SETTING_BYTES_MAX, SETTINGS_MAX } from './limits.js';
import type { WireNode, WireTopology } from './topology.js';
import { formatUuid, parseUuid, UUID_BYTES } from './uuid.js';

/** What an operator, or a node for itself, asked to be changed. A replacement is a `remove` and a `join`. */
export type WireChange =
  | { readonly kind: 'join'; readonly node: number }
  /** The node hands over, and then ends. */
  | { readonly kind: 'leave'; readonly node: number }
  /** The node is gone for good. */
  | { readonly kind: 'remove'; readonly node: number }
  | { readonly kind: 'weigh'; readonly node: number; readonly weight: number }
  | { readonly kind: 'move'; readonly node: number; readonly zone: string; readonly host: string }
  | { readonly kind: 'replicate'; readonly replicationFactor: number };

/** A change of owners that is under way: every quorum is one of the old owners and one of the new ones. */
export interface WirePending {
  /** The epoch in which it began: pauses make further epochs of the same change. */
  readonly begun: number;
  /** Nothing is transferred until it is resumed. */
  readonly isPaused: boolean;
  readonly changes: readonly WireChange[];
  /** As in the topology, once the change is committed. */
  readonly replicas: number;
  readonly owners: Uint16Array;
}

export interface WireSetting {
  readonly name: string;
  readonly value: string;
}

export interface WireRemoved {
  readonly number: number;
  readonly uuid: string;
}

export interface WireFormerOwner {
  readonly partition: number;
  readonly node: number;
}

/** All that follows the owners, but the next owners. */
interface TopologyRest {
  readonly pendingChange: Omit<WirePending, 'owners'> | undefined;
  readonly replicationFactor: number;
  readonly highestNumber: number;
  readonly settings: readonly WireSetting[];
  readonly removed: readonly WireRemoved[];
  readonly former: readonly WireFormerOwner[];
}

const CHANGE_KINDS: readonly WireChange['kind'][] = ['join', 'leave', 'remove', 'weigh', 'move', 'replicate'];
const FIXED_BYTES = 20;
const CHANGE_BYTES = 4;
const REMOVED_BYTES: number = 2 + UUID_BYTES;
const FORMER_BYTES = 6;

/** Bytes of all that follows the owners. */
export function topologyRestBytes({ pending, settings, removed, former }: WireTopology): number {
  let bytes = FIXED_BYTES + removed.length * REMOVED_BYTES + former.length * FORMER_BYTES;
  for (const change of pending?.changes ?? []) bytes += CHANGE_BYTES + detailBytes(change);
  for (const { name, value } of settings) bytes += 4 + utf8(name).length + utf8(value).length;
  return bytes + (pending?.owners.length ?? 0) * 2;
}

export function writeTopologyRest(topology: WireTopology, bytes: Uint8Array, view: DataView, start: number): void {
  const { pending, replicationFactor, highestNumber, settings, removed, former } = topology;
  view.setUint8(start, replicationFactor);
  view.setUint8(start + 1, pending?.replicas ?? 0);
  view.setUint16(start + 2, pending?.changes.length ?? 0, true);
  view.setUint16(start + 4, settings.length, true);
  view.setUint16(start + 6, removed.length, true);
  view.setUint16(start + 8, highestNumber, true);
  view.setUint32(start + 12, former.length, true);
  view.setUint32(start + 16, pending?.begun ?? 0, true);
  let at = start + FIXED_BYTES;
  const text = (value: string): void => {
    const encoded = utf8(value);
    view.setUint16(at, encoded.length, true);
    bytes.set(encoded, at + 2);
    at += 2 + encoded.length;
  };
  for (const change of pending?.changes ?? []) {
    view.setUint8(at, CHANGE_KINDS.indexOf(change.kind) + 1);
    view.setUint8(at + 1, change.kind === 'replicate' ? change.replicationFactor : 0);
    view.setUint16(at + 2, change.kind === 'replicate' ? 0 : change.node, true);
    at += CHANGE_BYTES;
    if (change.kind === 'weigh') {
      view.setUint16(at, Math.round(change.weight * 100), true);
      at += 2;
    } else if (change.kind === 'move') {
      text(change.zone);
      text(change.host);
    }
  }
  for (const { name, value } of settings) {
    text(name);
    text(value);
  }
  for (const { number, uuid } of removed) {
    view.setUint16(at, number, true);
    bytes.set(parseUuid(uuid), at + 2);
    at += REMOVED_BYTES;
  }
  for (const { partition, node } of former) {
    view.setUint32(at, partition, true);
    view.setUint16(at + 4, node, true);
    at += FORMER_BYTES;
  }
  for (const owner of pending?.owners ?? []) {
    view.setUint16(at, owner, true);
    at += 2;
  }
}

/** `state`: 0 committed, 1 pending, 2 paused. The next owners stand behind what is read here. */
export function readTopologyRest(
  reader: BodyReader,
  state: number,
  nodes: readonly WireNode[],
  partitions: number,
): TopologyRest {
  const known = new Map(nodes.map((node) => [node.number, node]));
  const replicationFactor = reader.u8('replication factor');
  const replicas = reader.u8('next number of replicas');
  const changeCount = reader.u16('number of changes');
  const settingCount = reader.u16('number of settings');
  const removedCount = reader.u16('number of removed nodes');
  const highestNumber = reader.u16('highest node number');
  reader.zeros(2);
  const formerCount = reader.u32('number of former owners');
  const begun = reader.u32('epoch in which the change began');
  if (replicationFactor === 0 || replicationFactor > REPLICAS_MAX) {
    reader.fail(`replication factor ${replicationFactor}`);
  }
  if (nodes.some((node) => node.number > highestNumber)) reader.fail('a node number above the highest given');
  if (settingCount > SETTINGS_MAX) reader.fail(`${settingCount} settings`);
  const isPending = state !== 0;
  if (isPending ? replicas === 0 || replicas > REPLICAS_MAX || begun === 0 : replicas + changeCount + begun !== 0) {
    reader.fail(`a change of ${changeCount} entries to ${replicas} replicas in state ${state}`);
  }
  if (changeCount > NODES_MAX) reader.fail(`${changeCount} changes at once`);
  const changes = Array.from({ length: changeCount }, () => readChange(reader, known));
  if (!isPending && nodes.some((node) => node.standing === 'joining'))
    reader.fail('a joining node in a committed epoch');
  const settings = Array.from({ length: settingCount }, () => ({
    name: reader.text(reader.u16('setting'), SETTING_BYTES_MAX, 'setting'),
    value: reader.text(reader.u16('value of a setting'), SETTING_BYTES_MAX, 'value of a setting'),
  }));
  const removed = Array.from({ length: removedCount }, () => ({
    number: reader.u16('removed node'),
    uuid: formatUuid(reader.bytes(UUID_BYTES, 'removed uuid')),
  }));
  for (const { number, uuid } of removed) {
    if (known.has(number) || nodes.some((node) => node.uuid === uuid))
      reader.fail(`node ${number} is removed and there`);
  }
  if (formerCount > partitions * REPLICAS_MAX * 2) reader.fail(`${formerCount} former owners`);
  const former: WireFormerOwner[] = [];
  for (let index = 0; index < formerCount; index++) {
    const entry = { partition: reader.u32('partition'), node: reader.u16('former owner') };
    if (entry.partition >= partitions || !known.has(entry.node)) reader.fail('a former owner that cannot be');
    former.push(entry);
  }
  const pendingChange = isPending ? { begun, isPaused: state === 2, changes, replicas } : undefined;
  return { pendingChange, replicationFactor, highestNumber, settings, removed, former };
}

function readChange(reader: BodyReader, known: ReadonlyMap<number, WireNode>): WireChange {
  const kind = CHANGE_KINDS[reader.u8('kind of change') - 1];
  const replicationFactor = reader.u8('replication factor');
  const node = reader.u16('node');
  if (kind === undefined) return reader.fail('a change of an unknown kind');
  if (kind === 'replicate') {
    if (node !== 0 || replicationFactor === 0 || replicationFactor > REPLICAS_MAX)
      reader.fail('a bad replication factor');
    return { kind, replicationFactor };
  }
  const standing = known.get(node)?.standing;
  if (replicationFactor !== 0 || standing === undefined || (kind === 'join') !== (standing === 'joining')) {
    reader.fail(`a change of node ${node} that cannot be`);
  }
  if (kind === 'weigh') return { kind, node, weight: reader.u16('weight') / 100 };
  if (kind !== 'move') return { kind, node };
  const zone = reader.text(reader.u16('zone length'), NAME_BYTES_MAX, 'zone');
  return { kind, node, zone, host: reader.text(reader.u16('host length'), NAME_BYTES_MAX, 'host') };
}

function detailBytes(change: WireChange): number {
  if (change.kind === 'weigh') return 2;
  return change.kind === 'move' ? 4 + utf8(change.zone).length + utf8(change.host).length : 0;
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

import { compareStamps } from '@memdb/protocol';
import { RecordKind } from './record.js';

/**
 * Which of two versions of a key is the newer one: above 0 when the first is. Stamps decide; at equal stamps a tombstone
 * beats the value, for an eviction is a tombstone with the very stamp of the value that it evicts (docs/decisions/
 * eviction-at-the-stamp-it-saw.md). A total order: whoever keeps the newest of all versions shown to it ends with the
 * same one, whatever the order in which they came. Every merge of versions goes by it. Hot.
 */
export function compareVersions(
  counter: number,
  node: number,
  kind: number,
  otherCounter: number,
  otherNode: number,
  otherKind: number,
): number {
  const order = compareStamps(counter, node, otherCounter, otherNode);
  if (order !== 0 || kind === otherKind) return order;
  return kind === RecordKind.tombstone ? 1 : -1;
}

import { compareStamps } from '@memdb/protocol';
import { RecordKind } from './record.js';

/**
 * Which of two versions of a key is the newer one: above 0 when the first is. A serial key's version beats every plain one,
 * and its stamp is that of the ballot in which it was accepted (mechanisms: Consensus on a key). Between plain versions
 * stamps decide; at equal stamps a tombstone beats the value, for an eviction is a tombstone with the very stamp of the
 * value that it evicts (docs/decisions/eviction-at-the-stamp-it-saw.md). A total order: whoever keeps the newest of all
 * versions shown to it ends with the same one, whatever the order in which they came. Every merge of versions goes by
 * it. Hot.
 */
export function compareVersions(
  counter: number,
  node: number,
  kind: number,
  otherCounter: number,
  otherNode: number,
  otherKind: number,
): number {
  if (kind !== otherKind && (kind === RecordKind.serial || otherKind === RecordKind.serial)) {
    return kind === RecordKind.serial ? 1 : -1;
  }
  const order = compareStamps(counter, node, otherCounter, otherNode);
  if (order !== 0 || kind === otherKind) return order;
  return kind === RecordKind.tombstone ? 1 : -1;
}

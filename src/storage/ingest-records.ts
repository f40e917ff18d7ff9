import { ProtocolError } from '@memdb/protocol';
import { StorageError } from './storage-error.js';
import type { Store } from './store.js';

/**
 * Takes in records that a peer sent because this node asked for them: `bytes[start, end)`, as if they stood at offset 0 of
 * generation 0. What is held already is not stored again. False when there is no room: nothing was stored. Throws
 * `ProtocolError` when they do not verify: nothing was stored either. States of serial keys are relayed Accepts; with
 * `isJoining` they are kept below the own promise too, as no vote.
 */
export function ingestRecords(
  store: Store,
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  isJoining: boolean = false,
): boolean {
  try {
    return store.ingestRun(bytes, view, start, end, 0, 0, true, () => {}, isJoining);
  } catch (error) {
    if (error instanceof StorageError && error.code === 'bad-run') {
      throw new ProtocolError('bad-request', start, error.message);
    }
    throw error;
  }
}

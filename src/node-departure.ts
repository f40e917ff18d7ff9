import type { WireTopology } from '@memdb/protocol';
import { nodeOf } from './topology/epoch-roles.js';

/** Why a node is no longer part of its cluster, for the one who runs it. */
export interface Departure {
  /** It left: it handed over all it had, and ends as it should. Otherwise it was removed. */
  readonly isOrderly: boolean;
  readonly message: string;
}

/** What became of a node that an epoch does not name; `last` is the one before, as far as it was known. */
export function departureOf(number: number, last: WireTopology | undefined): Departure {
  const standing = last === undefined ? undefined : nodeOf(last, number)?.standing;
  const leaves = last?.pending?.changes.some((change) => change.kind === 'leave' && change.node === number) === true;
  if (standing === 'departing' || leaves) {
    return { isOrderly: true, message: 'the node has left the cluster and handed over all it had' };
  }
  if (standing === 'joining') {
    return {
      isOrderly: false,
      message: `the change that was to admit this node was aborted; ${START_OVER}`,
    };
  }
  const why = number === 0 ? ', or the change that was to admit it was aborted' : '';
  return { isOrderly: false, message: `this node was removed from the cluster${why}; ${START_OVER}` };
}

const START_OVER = 'empty its data directory to join as a new node';

import type { ClusterTopology } from '@memdb/client';
import type { Severity } from '../live/event-log.js';

type Change = NonNullable<ClusterTopology['pending']>['changes'][number];

/** What happened between two epochs, for the event feed. */
export function describeChange(
  before: ClusterTopology,
  after: ClusterTopology,
): { readonly kind: string; readonly severity: Severity; readonly message: string } {
  const epoch = `Epoch ${after.epoch}`;
  const { pending } = after;
  if (pending !== undefined) {
    const what = pending.changes.map((change) => changeText(change)).join(', ') || 'owners change';
    if (pending.isPaused) return { kind: 'change-paused', severity: 'warning', message: `${epoch}: ${what}; paused.` };
    const begun = before.pending === undefined ? 'begins' : 'goes on';
    return { kind: 'change-pending', severity: 'info', message: `${epoch} ${begun}: ${what}.` };
  }
  if (before.pending !== undefined) {
    return { kind: 'change-ended', severity: 'good', message: `${epoch} is committed: the change is over.` };
  }
  return { kind: 'epoch', severity: 'info', message: `${epoch} is in force.` };
}

/** One change in words. */
export function changeText(change: Change): string {
  const node = 'node' in change ? ` node ${change.node}` : '';
  return `${change.kind}${node}`;
}

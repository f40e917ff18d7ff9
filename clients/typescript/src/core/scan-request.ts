import { Feature, type ScanPlace } from '@memdb/protocol';
import type { Dispatcher } from './dispatcher.js';
import { notSupported } from './failures.js';
import type { Operation } from './operation.js';

/** What the request for a page of a scan says. */
export interface ScanRequest {
  readonly place: ScanPlace;
  readonly prefix: Uint8Array;
}

/** Sends the request to an owner of the partition that is due: it has one of the pages itself. */
export function routeScan(dispatcher: Dispatcher, operation: Operation, { place }: ScanRequest): void {
  const link = dispatcher.routes?.pickOwner(place.partition, 0, operation.attempts);
  if (link === undefined) dispatcher.park(operation);
  else if (((link.peer?.features ?? 0) & Feature.scan) !== 0) dispatcher.sendOrQueue(operation, link);
  else dispatcher.fail(operation, notSupported(`Node ${link.node} is of a version that cannot list keys; upgrade it.`));
}

import { decodeScanReply, encodeScanRequest, Feature, Opcode, type ScanPlace } from '@memdb/protocol';
import type { Dispatcher } from './dispatcher.js';
import { notSupported } from './failures.js';
import type { Link } from './link.js';
import type { Operation } from './operation.js';
import type { Routes } from './routes.js';

/** A request that is about no key: how it is routed, what it says, and what its reply becomes. */
export interface SpecialRequest {
  readonly opcode: Opcode;
  /** The bit that the node must have; 0 for what every node answers, if only with a refusal. */
  readonly feature: number;
  readonly body: Uint8Array;
  /** It does something: like a write, it is never sent again once it was sent. */
  readonly acts?: boolean;
  /** The connection for the given attempt; undefined when there is none. */
  pick(routes: Routes, attempts: number): Link | undefined;
  /** Reads the body `bytes[start, end)` of the reply. Throws ProtocolError. */
  read(bytes: Uint8Array, view: DataView, start: number, end: number): unknown;
}

export function routeSpecial(dispatcher: Dispatcher, operation: Operation, request: SpecialRequest): void {
  const { routes } = dispatcher;
  const link = routes === undefined ? undefined : request.pick(routes, operation.attempts);
  if (link === undefined) dispatcher.park(operation);
  else if (((link.peer?.features ?? 0) & request.feature) === request.feature) dispatcher.sendOrQueue(operation, link);
  else dispatcher.fail(operation, notSupported(`Node ${link.node} is of a version that cannot do this; upgrade it.`));
}

/** Asks an owner of the partition that is due for a page of a scan: it has one of the replicas' pages itself. */
export function scanRequest(place: ScanPlace, prefix: Uint8Array): SpecialRequest {
  return {
    opcode: Opcode.scan,
    feature: Feature.scan,
    body: encodeScanRequest(place, prefix),
    pick: (routes, attempts) => routes.pickOwner(place.partition, 0, attempts),
    read: decodeScanReply,
  };
}

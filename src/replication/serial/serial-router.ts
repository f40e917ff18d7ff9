import { encodeSerialRequest, Feature, Opcode, operationIdOfStamp } from '@memdb/protocol';
import type { PeerLink } from '../../membership/peer-link.js';
import type { LamportClock } from '../../model/lamport-clock.js';
import type { Turn } from '../../ports/turn.js';
import type { Durability } from '../../storage/store.js';
import type { ReplicaSets } from '../../topology/replica-sets.js';
import { EARLIER_UNANSWERED, type Forwarder, hasFeatures } from '../forwarder.js';
import type { Replies } from '../replies.js';
import { LEASE_SHORT } from '../write-errors.js';
import type { SerialCoordinator } from './serial-coordinator.js';
import { NOT_DURABLE } from './serial-errors.js';
import { isSerialWrite, type SerialOperation } from './serial-operation.js';

export interface SerialRouterOptions {
  readonly self: number;
  readonly durability: Durability;
  readonly sets: ReplicaSets;
  readonly lamport: LamportClock;
  readonly turn: Turn;
  readonly replies: Replies;
  readonly forwarder: Forwarder;
  readonly coordinator: SerialCoordinator;
  /** By member number. */
  readonly links: readonly (PeerLink | undefined)[];
  readonly reachable: (member: number) => boolean;
}

/**
 * Takes serial operations to the key's preferred replica, the first live one of its preference list: there all that wait
 * go into one round. When it is lost they go on here, or at another owner, under the same id.
 */
export class SerialRouter {
  readonly #options: SerialRouterOptions;

  constructor(options: SerialRouterOptions) {
    this.#options = options;
  }

  /** `isForwarded`: another node has chosen this one, which drives it itself. */
  submit(operation: SerialOperation, key: Uint8Array, hash: number, isForwarded: boolean): void {
    const { self, durability, sets, forwarder, coordinator } = this.#options;
    const { target } = operation;
    if (durability === 'none') {
      coordinator.fail(operation, NOT_DURABLE);
      return;
    }
    const preference = sets.preferenceOfHash(hash);
    const preferred = preference.find((member) => member === self || this.#isLive(member));
    const isOwner = sets.ofHash(hash).coordinates;
    const isElsewhere = preferred !== undefined && preferred !== self && operation.opcode !== Opcode.quorumGet;
    // What waits here already is not overtaken by what is sent elsewhere.
    if (isOwner && (isForwarded || !isElsewhere || target === undefined || coordinator.isBusy(key))) {
      if (target !== undefined && isSerialWrite(operation) && forwarder.isUnderWay(target, hash)) {
        coordinator.fail(operation, EARLIER_UNANSWERED);
      } else coordinator.add(operation, key, hash);
      return;
    }
    if (target === undefined) return;
    const body = this.#bodyOf(operation, key);
    if (body === undefined) {
      coordinator.fail(operation, LEASE_SHORT);
      return;
    }
    const resume = (): void => {
      operation.isRepeated = true;
      this.submit(operation, key, hash, true);
    };
    forwarder.forward(
      target,
      operation.opcode,
      operation.correlation,
      operation.deadlineMs,
      isOwner && preferred !== undefined ? Uint16Array.of(preferred) : preference,
      hash,
      body,
      0,
      body.length,
      Feature.serial,
      isOwner ? resume : undefined,
    );
  }

  #isLive(member: number): boolean {
    const { links, reachable } = this.#options;
    return reachable(member) && links[member]?.isUp === true && hasFeatures(links[member], Feature.serial);
  }

  /** Undefined when the operation needs an id and none can be given right now. */
  #bodyOf(operation: SerialOperation, key: Uint8Array): Uint8Array | undefined {
    const { lamport, self, turn } = this.#options;
    const { task } = operation;
    if (isSerialWrite(operation) && operation.id === undefined) {
      const counter = lamport.next(0);
      if (counter === 0) return undefined;
      operation.id = operationIdOfStamp({ counter, node: self });
    }
    const { id, isRepeated } = operation;
    switch (task.kind) {
      case 'read':
      case 'settle':
        return encodeSerialRequest(
          { key, ttlMs: 0, id: undefined, isRepeated: false, expected: undefined, value: undefined },
          false,
        );
      case 'resolve':
        return encodeSerialRequest(
          { key, ttlMs: 0, id: task.of, isRepeated: false, expected: undefined, value: undefined },
          false,
        );
      case 'write':
      case 'cas': {
        const { expiresAtMs } = task;
        const ttlMs = expiresAtMs === 0 ? 0 : Math.max(1, Math.ceil(expiresAtMs - turn.wallMs));
        const isCas = task.kind === 'cas';
        const value = isCas ? task.next : task.value;
        const expected = isCas ? task.expected : undefined;
        return encodeSerialRequest({ key, ttlMs, id, isRepeated, expected, value }, isCas);
      }
    }
  }
}

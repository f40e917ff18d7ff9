import { Opcode, type OperationId } from '@memdb/protocol';
import type { ReplyTarget } from '../replies.js';
import { SerialAcceptor } from './serial-acceptor.js';
import { SerialCoordinator, type SerialCoordinatorOptions } from './serial-coordinator.js';
import { type SerialOperation, serialOperation } from './serial-operation.js';
import { SerialRouter, type SerialRouterOptions } from './serial-router.js';
import { SerialSettler } from './serial-settler.js';

export type SerialReplicationOptions = Omit<SerialCoordinatorOptions, 'acceptor' | 'reroute'> &
  Omit<SerialRouterOptions, 'coordinator'> & { readonly hashSeed: number };

/** Everything about serial keys at one node: its acceptor, the rounds that it drives, and who else drives them. */
export class SerialReplication {
  readonly acceptor: SerialAcceptor;
  readonly coordinator: SerialCoordinator;
  readonly #router: SerialRouter;
  readonly #settler: SerialSettler;

  constructor(options: SerialReplicationOptions) {
    const { store, replies, durability, hashSeed } = options;
    this.acceptor = new SerialAcceptor(store, replies, durability, hashSeed);
    this.coordinator = new SerialCoordinator({
      ...options,
      acceptor: this.acceptor,
      reroute: (operation, key, hash) => this.submit(operation, key, hash, false),
    });
    this.#router = new SerialRouter({ ...options, coordinator: this.coordinator });
    this.#settler = new SerialSettler({ ...options, coordinator: this.coordinator });
  }

  /** An operation of a client, or one that another node sent here to be driven (`isForwarded`). */
  submit(operation: SerialOperation, key: Uint8Array, hash: number, isForwarded: boolean): void {
    this.#router.submit(operation, key, hash, isForwarded);
  }

  /** A plain write of a serial key; with an id it was sent before, and may have had its effect. */
  readonly onWrite = (
    target: ReplyTarget,
    opcode: number,
    correlation: number,
    deadlineMs: number,
    key: Uint8Array,
    hash: number,
    value: Uint8Array | undefined,
    expiresAtMs: number,
    id: OperationId | undefined,
  ): void => {
    const task = { kind: 'write', value, expiresAtMs } as const;
    const operation = serialOperation(task, target, opcode, correlation, deadlineMs, id, id !== undefined);
    this.submit(operation, key, hash, false);
  };

  /** A plain read that was told that the key is serial. */
  readonly onRead = (
    target: ReplyTarget,
    opcode: number,
    correlation: number,
    deadlineMs: number,
    key: Uint8Array,
    hash: number,
  ): void => {
    const operation = serialOperation({ kind: 'read' }, target, opcode, correlation, deadlineMs, undefined, false);
    // A quorumGet cannot be asked of another node in this form.
    this.submit(operation, key, hash, opcode === Opcode.quorumGet);
  };

  sweep(nowMs: number, wallMs: number): void {
    this.coordinator.sweep(nowMs);
    this.#settler.tick(nowMs, wallMs);
  }

  stop(): void {
    this.coordinator.stop();
  }
}

import { clientOperationId, Opcode, type OperationId, Resolution, type SerialRequest } from '@memdb/protocol';
import { BareClient, type BareReply, LEVEL } from './bare-client.js';
import type { RegisterInput, RegisterOutput } from './register-model.js';
import type { SerialEvent } from './serial-history.js';
import { SIM_PORT } from './sim-cluster.js';
import type { SimRandom } from './sim-random.js';
import type { SimPorts } from './sim-world.js';
import type { Actor, WorkloadContext } from './workload.js';

const TIMEOUT_MS = 600;
/** Copies of one operation, each at a node drawn anew. */
const COPIES_MAX = 4;
/** Operations on one key, before another takes its place: the checker's work grows fast with them. */
const KEY_OPERATIONS_MAX = 50;
const REDIAL_MS = 50;
const NO_REQUEST = { ttlMs: 0, id: undefined, isRepeated: false, expected: undefined, value: undefined };

/**
 * A client of serial keys that mixes serial and plain operations on them, one at a time, and sends every serial one again
 * and again to other nodes until it has an answer (semantics: CAS and serial operations).
 */
export class SerialActor implements Actor {
  readonly #context: WorkloadContext;
  readonly #name: string;
  readonly #random: SimRandom;
  readonly #ports: SimPorts;
  readonly #connections: Map<string, BareClient> = new Map();
  readonly #dialledMs: Map<string, number> = new Map();
  readonly #sessionLow: number;
  readonly #sessionHigh: number;
  #counter = 0;
  #isBusy = false;
  #values = 0;
  #restUntilMs = 0;

  constructor(context: WorkloadContext, name: string) {
    this.#context = context;
    this.#name = name;
    this.#random = context.world.random.fork(name);
    this.#ports = context.world.createPorts(name);
    this.#sessionLow = this.#random.uint32();
    this.#sessionHigh = this.#random.uint32();
  }

  act(): void {
    if (this.#isBusy || this.#context.world.nowMs < this.#restUntilMs) return;
    const connection = this.#connection(this.#random.pick(this.#context.cluster.names));
    if (connection === undefined) return;
    const { workload } = this.#context;
    const key = workload.serialKey(this.#random, KEY_OPERATIONS_MAX);
    if (workload.serial.count(key) > 0 && !workload.isSerial(key)) this.#young(connection, key);
    else if (!workload.isSerial(key)) this.#bear(connection, key);
    else this.#mixed(connection, key);
  }

  unanswered(): string[] {
    return [];
  }

  /** The first operation on a key: a plain write under which a CAS makes the key serial, or that CAS alone. */
  #bear(connection: BareClient, key: string): void {
    if (this.#random.chance(0.6)) this.#plainSet(connection, key);
    else this.#serialOp(connection, key, { kind: 'cas', expected: undefined, next: this.#value() });
  }

  /** A key with one operation under way: serial ones only, so that no plain write is stamped twice for another. */
  #young(connection: BareClient, key: string): void {
    const random = this.#random;
    const expected = random.chance(0.5) ? undefined : this.#context.workload.lastSerialValue(key);
    if (random.chance(0.6)) this.#serialOp(connection, key, { kind: 'cas', expected, next: this.#value() });
    else this.#serialOp(connection, key, random.chance(0.5) ? { kind: 'get' } : { kind: 'set', value: this.#value() });
  }

  #mixed(connection: BareClient, key: string): void {
    const random = this.#random;
    const dice = random.below(20);
    if (dice < 2) this.#plainSet(connection, key);
    else if (dice < 3) this.#plainDelete(connection, key);
    else if (dice < 5) this.#plainGet(connection, key);
    else if (dice < 9) this.#serialOp(connection, key, { kind: 'get' });
    else if (dice < 11) this.#serialOp(connection, key, { kind: 'set', value: this.#value() });
    else if (dice < 12) this.#serialOp(connection, key, { kind: 'set', value: undefined });
    else {
      const expected = random.chance(0.15) ? undefined : this.#context.workload.lastSerialValue(key);
      this.#serialOp(connection, key, { kind: 'cas', expected, next: this.#value() });
    }
  }

  #plainSet(connection: BareClient, key: string): void {
    const value = this.#value();
    const event = this.#begin(key, { kind: 'set', value }, 'plain set');
    connection.counter = Math.max(connection.counter, this.#counter);
    connection.set(key, value, LEVEL.quorum, this.#once(event, connection, this.#onPlain(event)), TIMEOUT_MS);
  }

  #plainDelete(connection: BareClient, key: string): void {
    const event = this.#begin(key, { kind: 'set', value: undefined }, 'plain delete');
    connection.counter = Math.max(connection.counter, this.#counter);
    connection.delete(key, LEVEL.quorum, this.#once(event, connection, this.#onPlain(event)), TIMEOUT_MS);
  }

  #plainGet(connection: BareClient, key: string): void {
    const event = this.#begin(key, { kind: 'get' }, 'plain get');
    connection.get(key, LEVEL.quorum, this.#once(event, connection, this.#onPlain(event)), TIMEOUT_MS);
  }

  #onPlain(event: SerialEvent): (reply: BareReply) => void {
    return (reply) => {
      if (reply.error !== undefined) this.#fail(event, reply.error.outcome);
      else this.#answer(event, this.#outputOf(event, reply));
    };
  }

  #serialOp(connection: BareClient, key: string, input: RegisterInput): void {
    const event = this.#begin(key, input, 'serial');
    this.#counter++;
    const id = input.kind === 'get' ? undefined : clientOperationId(this.#counter, this.#sessionLow, this.#sessionHigh);
    this.#copy(connection, event, id, 1, false);
  }

  /** One copy of an operation; further ones follow while there is no answer. `maySent`: an earlier one was sent. */
  #copy(connection: BareClient, event: SerialEvent, id: OperationId | undefined, copy: number, maySent: boolean): void {
    const { input, key } = event;
    const opcode = opcodeOf(input);
    // Now and then another copy goes out first, whose answer nobody waits for any more.
    const other =
      id !== undefined && this.#random.chance(0.1)
        ? this.#connection(this.#random.pick(this.#context.cluster.names))
        : undefined;
    const isDouble = other !== undefined && other !== connection;
    if (isDouble) {
      other.counter = Math.max(other.counter, this.#counter);
      other.serial(opcode, requestOf(key, input, id, maySent), () => undefined, TIMEOUT_MS);
    }
    const request = requestOf(key, input, id, maySent || isDouble);
    connection.counter = Math.max(connection.counter, this.#counter);
    this.#note(event, () => `copy ${copy} of ${describe(input)}`);
    const next = (outcome: string): void => {
      if (input.kind === 'get' || outcome === 'not-applied') {
        // A copy that had no effect says nothing of earlier ones.
        if (!maySent && !isDouble) {
          this.#fail(event, 'not-applied');
          return;
        }
      }
      if (copy < COPIES_MAX) this.#again(event, id, copy + 1);
      else if (id !== undefined && this.#random.chance(0.5)) this.#resolve(event, id);
      else this.#fail(event, 'unknown');
    };
    connection.serial(
      opcode,
      request,
      this.#once(
        event,
        connection,
        (reply) => {
          if (reply.error === undefined) this.#answer(event, this.#outputOf(event, reply));
          else next(reply.error.outcome);
        },
        () => next('unknown'),
      ),
      TIMEOUT_MS,
    );
  }

  #again(event: SerialEvent, id: OperationId | undefined, copy: number): void {
    const { world, cluster } = this.#context;
    world.at(world.nowMs + this.#random.between(1, 200), () => {
      const connection = this.#connection(this.#random.pick(cluster.names));
      if (connection === undefined) {
        if (copy < COPIES_MAX) this.#again(event, id, copy + 1);
        else this.#fail(event, 'unknown');
      } else this.#copy(connection, event, id, copy, true);
    });
  }

  /** Settles an unknown outcome for good: what is told to be not applied is never seen. */
  #resolve(event: SerialEvent, id: OperationId): void {
    const connection = this.#connection(this.#random.pick(this.#context.cluster.names));
    if (connection === undefined) {
      this.#fail(event, 'unknown');
      return;
    }
    connection.counter = Math.max(connection.counter, this.#counter);
    const request: SerialRequest = { ...NO_REQUEST, key: Buffer.from(event.key), id };
    connection.serial(
      Opcode.resolve,
      request,
      this.#once(
        event,
        connection,
        ({ resolved }) => {
          this.#note(event, () => `resolved ${resolved?.resolution}`);
          if (resolved?.resolution === Resolution.notApplied) this.#fail(event, 'not-applied');
          else if (resolved?.resolution === Resolution.applied) this.#answer(event, appliedOutput(event));
          else this.#fail(event, 'unknown');
        },
        () => this.#fail(event, 'unknown'),
      ),
      TIMEOUT_MS,
    );
  }

  #begin(key: string, input: RegisterInput, how: string): SerialEvent {
    const { workload } = this.#context;
    this.#isBusy = true;
    workload.begun++;
    const event = workload.serial.begin(key, input);
    this.#note(event, () => `begins ${how} ${describe(input)}`);
    return event;
  }

  #answer(event: SerialEvent, output: RegisterOutput): void {
    const { workload } = this.#context;
    this.#isBusy = false;
    workload.done++;
    workload.serial.answer(event, output);
    workload.onSerialAnswer(event);
    this.#note(event, () => `answered ${JSON.stringify(output)}`);
  }

  #fail(event: SerialEvent, outcome: string): void {
    this.#isBusy = false;
    this.#note(event, () => `failed ${outcome}`);
    if (event.input.kind === 'get' || outcome === 'not-applied') event.isVoid = true;
    else {
      this.#context.workload.unknown++;
      this.#restUntilMs = this.#context.world.nowMs + 200;
    }
  }

  #outputOf({ input }: SerialEvent, reply: BareReply): RegisterOutput {
    if (input.kind === 'get') return { kind: 'value', value: reply.absent ? undefined : reply.value };
    if (input.kind === 'set') return { kind: 'done' };
    const actual = reply.cas?.actual;
    const applied = reply.cas?.applied === true;
    const text = actual === undefined ? undefined : Buffer.from(actual).toString();
    return { kind: 'compared', applied, actual: applied ? input.expected : text };
  }

  /** Takes the first of an answer, a lost connection, and a time that is long over. */
  #once(
    event: SerialEvent,
    connection: BareClient,
    done: (reply: BareReply) => void,
    lost: () => void = () => this.#fail(event, 'unknown'),
  ): (reply: BareReply) => void {
    const { world } = this.#context;
    let isOver = false;
    const end = (act: () => void): void => {
      if (isOver) return;
      isOver = true;
      act();
    };
    const look = (): void => {
      if (isOver) return;
      if (connection.closed || world.nowMs > deadlineMs) end(lost);
      else world.at(world.nowMs + 50, look);
    };
    const deadlineMs = world.nowMs + 3 * TIMEOUT_MS;
    world.at(world.nowMs + 50, look);
    return (reply) => {
      this.#counter = Math.max(this.#counter, connection.counter);
      end(() => done(reply));
    };
  }

  #value(): string {
    return `${this.#name}/${++this.#values}`;
  }

  #note(event: SerialEvent, text: () => string): void {
    this.#context.journal.note(event.key, () => `${this.#name} ${event.begun}: ${text()}`);
  }

  #connection(name: string): BareClient | undefined {
    const known = this.#connections.get(name);
    if (known !== undefined && !known.closed) return known.ready ? known : undefined;
    const { nowMs } = this.#context.world;
    if (nowMs - (this.#dialledMs.get(name) ?? -REDIAL_MS) < REDIAL_MS) return undefined;
    this.#dialledMs.set(name, nowMs);
    this.#connections.set(name, new BareClient(this.#ports, { host: name, port: SIM_PORT }));
    return undefined;
  }
}

function opcodeOf(input: RegisterInput): number {
  if (input.kind === 'cas') return Opcode.cas;
  if (input.kind === 'get') return Opcode.get;
  return input.value === undefined ? Opcode.delete : Opcode.set;
}

function requestOf(key: string, input: RegisterInput, id: OperationId | undefined, isRepeated: boolean): SerialRequest {
  const bytes = (text: string | undefined): Uint8Array | undefined =>
    text === undefined ? undefined : Buffer.from(text);
  const value = input.kind === 'get' ? undefined : bytes(input.kind === 'set' ? input.value : input.next);
  const expected = input.kind === 'cas' ? bytes(input.expected) : undefined;
  return { ttlMs: 0, id, isRepeated: isRepeated && id !== undefined, expected, value, key: Buffer.from(key) };
}

/** What it must have answered, since it had its effect. */
function appliedOutput({ input }: SerialEvent): RegisterOutput {
  if (input.kind === 'cas') return { kind: 'compared', applied: true, actual: input.expected };
  return { kind: 'done' };
}

function describe(input: RegisterInput): string {
  return JSON.stringify(input);
}

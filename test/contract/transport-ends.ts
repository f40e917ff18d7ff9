import type { Address, Connection, ConnectionHandler, Listener } from '../../src/ports/transport.js';
import type { ContractWorld } from './contract-world.js';

/** One end of a connection that writes down all that it is told. */
export class RecordingEnd implements ConnectionHandler {
  connection: Connection | undefined;
  readonly events: string[] = [];
  readonly chunks: Uint8Array[] = [];
  receivedBytes = 0;
  drains = 0;
  closes = 0;
  error: Error | undefined;
  /** Called with what is told, before it is written down. */
  onBytes: ((bytes: Uint8Array) => void) | undefined;

  onOpen(): void {
    this.events.push('open');
  }

  onData(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    if (this.closes > 0) throw new Error('data after the close');
    if (end <= start) throw new Error('an empty delivery');
    if (view.getUint8(start) !== bytes[start] || view.getUint8(end - 1) !== bytes[end - 1]) {
      throw new Error('view and bytes differ');
    }
    const chunk = bytes.slice(start, end);
    // The room in front belongs to the handler during the call.
    bytes.fill(0xee, 0, start);
    this.receivedBytes += chunk.length;
    this.chunks.push(chunk);
    if (this.events.at(-1) !== 'data') this.events.push('data');
    this.onBytes?.(chunk);
  }

  onDrain(): void {
    this.drains++;
    this.events.push('drain');
  }

  onClose(error?: Error): void {
    this.closes++;
    this.error = error;
    this.events.push('close');
  }

  received(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.chunks));
  }

  send(bytes: Uint8Array): boolean {
    if (this.connection === undefined) throw new Error('not connected');
    return this.connection.write(bytes, 0, bytes.length);
  }
}

/** Two connected ends. */
export interface Pair {
  readonly client: RecordingEnd;
  readonly server: RecordingEnd;
  readonly listener: Listener;
  readonly address: Address;
}

export async function listen(
  world: ContractWorld,
  accept: (connection: Connection) => ConnectionHandler,
): Promise<{
  readonly listener: Listener;
  readonly address: Address;
}> {
  let bound: Address | undefined;
  let failure: Error | undefined;
  const listener = world.server.listen({ host: '127.0.0.1', port: 0 }, accept, (error, address) => {
    failure = error;
    bound = address;
  });
  await world.until(() => bound !== undefined);
  if (failure !== undefined || bound === undefined) throw failure;
  return { listener, address: bound };
}

export async function connectPair(world: ContractWorld): Promise<Pair> {
  const server = new RecordingEnd();
  const client = new RecordingEnd();
  const { listener, address } = await listen(world, (connection) => {
    server.connection = connection;
    return server;
  });
  client.connection = world.client.connect(address, client);
  await world.until(() => server.connection !== undefined && client.events.includes('open'));
  return { client, server, listener, address };
}

/** Bytes in which every position shows. */
export function pattern(length: number, seed: number = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

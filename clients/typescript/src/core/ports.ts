/**
 * What the client needs of the world around it. The shapes are those of the server's ports, so that one simulated
 * clock, network and random source can drive nodes and clients together; they are declared here once more because
 * the client depends on the protocol alone.
 */

export interface Clock {
  /** Milliseconds, fractional, from an arbitrary origin; never goes back. */
  monotonicMs(): number;
}

/** A running timer; opaque to everyone but the `Timers` that made it. */
export interface Timer {
  readonly timerBrand?: never;
}

export interface Timers {
  /** Calls `callback` once, no earlier than `delayMs` milliseconds from now. */
  start(delayMs: number, callback: () => void): Timer;
  /** Stops a timer; stopping one that fired or was stopped does nothing. */
  stop(timer: Timer): void;
  /** Calls `callback` at the end of the current turn of the event loop, before any other event is handled. */
  endOfTurn(callback: () => void): void;
}

export interface Random {
  /** A uniform unsigned 32-bit integer. Not for secrets. */
  uint32(): number;
  /** Fills `bytes`; cryptographically strong outside a simulator. */
  fill(bytes: Uint8Array): void;
}

/** Host and port of a node. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ConnectionHandler {
  onOpen?(): void;
  /**
   * `bytes[start, end)` arrived and is valid during this call only. The handler may overwrite `bytes[0, start)`:
   * the transport leaves room there so that a partial frame can be moved in front of what follows it.
   */
  onData(bytes: Uint8Array, view: DataView, start: number, end: number): void;
  /** All bytes that had been retained (see `Connection.write`) have left. */
  onDrain?(): void;
  /** Called exactly once, last; also for a dial that failed. */
  onClose(error?: Error): void;
}

export interface Connection {
  /**
   * Sends `bytes[start, end)`. Returns true when the bytes were taken and the buffer may be used again at once;
   * false when the connection keeps a reference to it: the caller must never write into that buffer again.
   */
  write(bytes: Uint8Array, start: number, end: number): boolean;
  /** Bytes accepted by `write` that the kernel has not taken yet. */
  retainedBytes(): number;
  /** Sends what is retained, then closes. */
  end(): void;
  /** Closes at once, dropping what is retained. `onClose` follows in a later turn. */
  destroy(): void;
}

export interface Transport {
  /** Dials. `onOpen` of the handler is called when it is up, `onClose` when it failed or ended. */
  connect(address: Address, handler: ConnectionHandler): Connection;
}

export interface ClientPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly transport: Transport;
}

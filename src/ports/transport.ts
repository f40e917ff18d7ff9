/** Host and port of a listener or peer. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Byte-stream connections. A handler is called synchronously, never from inside a call that it made itself.
 */
export interface Transport {
  /** Starts to accept. `ready` is called once, with the bound address (port 0 is replaced) or an error. */
  listen(
    address: Address,
    accept: (connection: Connection) => ConnectionHandler,
    ready: (error: Error | undefined, bound: Address) => void,
  ): Listener;
  /** Dials. `onOpen` of the handler is called when it is up, `onClose` when it failed or ended. */
  connect(address: Address, handler: ConnectionHandler): Connection;
}

export interface Listener {
  /** Stops accepting; connections that are open stay open. */
  close(done?: () => void): void;
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
  readonly remote: Address;
  /**
   * Sends `bytes[start, end)`. Returns true when the bytes were taken and the buffer may be used again at once;
   * false when the connection keeps a reference to it: the caller must never write into that buffer again.
   * After the connection closed it does nothing and returns true.
   */
  write(bytes: Uint8Array, start: number, end: number): boolean;
  /** Bytes accepted by `write` that the kernel has not taken yet. */
  retainedBytes(): number;
  /** Stops and restarts `onData`: the peer is slowed by its own send window. */
  pause(): void;
  resume(): void;
  /** Sends what is retained, then closes. */
  end(): void;
  /** Closes at once, dropping what is retained. `onClose` follows in a later turn. */
  destroy(): void;
}

import { ProtocolError } from '@memdb/protocol';

/** Runs `read`; undefined when it refused the bytes, by a `ProtocolError`. Everything else is harm. */
export function refusing<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return undefined;
  }
}

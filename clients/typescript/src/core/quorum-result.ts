import { decodeQuorumGetReply, type MemDbError, type QuorumGetResponse, type WireStamp } from '@memdb/protocol';
import { readText } from './text.js';

/** Which version of a key: the newer stamp wins; counter first, then node number. Counter 0: never written. */
export type Stamp = WireStamp;

/** One version of a key. `value` and `bytes` are undefined where the key is absent. */
export interface Version {
  /** The bytes read as UTF-8. */
  readonly value: string | undefined;
  readonly bytes: Uint8Array | undefined;
  readonly stamp: Stamp;
}

/** What one replica answered. */
export interface ReplicaResponse {
  /** The replica's node number. */
  readonly node: number;
  readonly value: string | undefined;
  readonly bytes: Uint8Array | undefined;
  /** Undefined only where `error` is set. */
  readonly stamp: Stamp | undefined;
  /** Why this replica gave no version. */
  readonly error: MemDbError | undefined;
}

/** The answer to `quorumGet`. */
export interface QuorumGetResult extends Version {
  /** The newest version among the answers; `value`, `bytes` and `stamp` of the result are its. */
  readonly mostUpToDate: Version;
  /** One entry for each replica that answered or failed. */
  readonly responses: readonly ReplicaResponse[];
  /** Whether every replica that answered held the newest version. Those that did not are repaired. */
  readonly agreed: boolean;
}

/** Reads the quorumGet reply `bytes[frame, end)`. Throws ProtocolError. */
export function readQuorumResult(bytes: Uint8Array, view: DataView, frame: number, end: number): QuorumGetResult {
  const reply = decodeQuorumGetReply(bytes, view, frame, end);
  const mostUpToDate = versionOf(reply.value, reply.stamp);
  const responses = reply.responses.map((response) => responseOf(response, mostUpToDate));
  return { ...mostUpToDate, mostUpToDate, responses, agreed: reply.agreed };
}

function responseOf(response: QuorumGetResponse, newest: Version): ReplicaResponse {
  const { node } = response;
  switch (response.kind) {
    case 'same':
      return { node, ...newest, error: undefined };
    case 'value':
      return { node, ...versionOf(response.bytes, response.stamp), error: undefined };
    case 'absent':
      return { node, ...versionOf(undefined, response.stamp), error: undefined };
    case 'error':
      return { node, value: undefined, bytes: undefined, stamp: undefined, error: response.error };
  }
}

function versionOf(bytes: Uint8Array | undefined, stamp: Stamp): Version {
  return { value: bytes === undefined ? undefined : readText(bytes, 0, bytes.length), bytes, stamp };
}

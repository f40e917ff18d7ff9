export * from './admin-messages.js';
export * from './audit-messages.js';
export * from './backup.js';
export * from './ballot.js';
export * from './batch-reply.js';
export * from './batch-request.js';
export { BodyReader } from './body-reader.js';
export * from './change-request.js';
export { copyBytes } from './copy-bytes.js';
export * from './counter-entries.js';
export * from './counter-messages.js';
export * from './epoch-messages.js';
export { decodeErrorBody, type ErrorBody, encodeErrorBody, errorBodyBytes, markUnknown } from './error-body.js';
export { ErrorCode, type ErrorCodeName, errorCodeName, errorDefaults, type Outcome } from './error-codes.js';
export * from './errors.js';
export * from './frame.js';
export { FrameReader, type FrameReaderOptions } from './frame-reader.js';
export * from './gossip-messages.js';
export {
  ClientHandshake,
  type ClientHandshakeOptions,
  type ClientHandshakeResult,
  type ClientHandshakeStep,
} from './handshake-client.js';
export { SECRET_BYTES } from './handshake-crypto.js';
export { BOOT_NONCE_BYTES, isKeyId } from './handshake-messages.js';
export {
  roleName,
  ServerHandshake,
  type ServerHandshakeOptions,
  type ServerHandshakeResult,
  type ServerHandshakeStep,
} from './handshake-server.js';
export { hmacSha512 } from './hmac.js';
export { counterHash, keyHash, partitionOfHash } from './key-hash.js';
export * from './key-request.js';
export * from './limits.js';
export { Consistency, FEATURES_KNOWN, Feature, Flag, Opcode, RequestOption, Role } from './opcodes.js';
export * from './operation-id.js';
export { type ByteSink, flushTo, OUTGOING_START_BYTES, OutgoingBuffer } from './outgoing-buffer.js';
export * from './peer-messages.js';
export { writeFrame } from './plain-frame.js';
export {
  decodeQuorumGetReply,
  type QuorumGetReply,
  type QuorumGetResponse,
  writeQuorumGetReply,
} from './quorum-get-reply.js';
export * from './reply.js';
export * from './scan.js';
export * from './serial-messages.js';
export * from './serial-request.js';
export * from './serial-state.js';
export * from './stamp.js';
export { isTakenUp } from './taken-up.js';
export { decodeTopology, encodeTopology, type NodeStanding, type WireNode, type WireTopology } from './topology.js';
export type { WireChange, WireFormerOwner, WirePending, WireRemoved, WireSetting } from './topology-rest.js';
export * from './transfer-messages.js';
export * from './url.js';
export { formatUuid, parseUuid, UUID_BYTES } from './uuid.js';
export type { WireBytes } from './wire-bytes.js';

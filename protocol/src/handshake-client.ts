import { decodeErrorBody, encodeErrorBody } from './error-body.js';
import { MemDbError, ProtocolError } from './errors.js';
import { FRAME_HEADER_BYTES, frameFlags, PROTOCOL_VERSION } from './frame.js';
import {
  ephemeralKeyPair,
  handshakeProofs,
  type KeyPair,
  NONCE_BYTES,
  SECRET_BYTES,
  sameProof,
  sharedSecret,
  transcriptHash,
} from './handshake-crypto.js';
import { hex, isOtherCluster, ownIdentity, sameBytes } from './handshake-identity.js';
import {
  appendHandshakeFrame,
  BOOT_NONCE_BYTES,
  decodeWelcome,
  encodeHello,
  handshakeBody,
  isKeyId,
  WELCOME_BYTES_WITHOUT_PROOF,
  type Welcome,
} from './handshake-messages.js';
import { FEATURES_KNOWN, Flag, Opcode, Role } from './opcodes.js';
import type { OutgoingBuffer } from './outgoing-buffer.js';
import { writeFrame } from './plain-frame.js';
import { formatUuid, UUID_BYTES } from './uuid.js';

export interface ClientHandshakeOptions {
  readonly role: Role;
  readonly keyId: string;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** 16 bytes: the node's UUID, or random bytes of a client. */
  readonly identity: Uint8Array;
  /** The cluster that is expected; undefined or 16 zeros: any. */
  readonly clusterId?: Uint8Array | undefined;
  /** Nodes: restart count of the data directory. */
  readonly generation?: number | undefined;
  /** Nodes: 8 random bytes of this start. */
  readonly bootNonce?: Uint8Array | undefined;
  /** Nodes: "host:port" where this one can be dialed. */
  readonly advertisedAddress?: string | undefined;
  /** Default: all that this version knows. */
  readonly features?: number | undefined;
  /** Fills with cryptographically strong random bytes. */
  readonly random: (bytes: Uint8Array) => void;
  /** Default: exactly this version. */
  readonly versions?: { readonly min: number; readonly max: number } | undefined;
}

export interface ClientHandshakeResult {
  readonly version: number;
  /** Bits that both sides have. */
  readonly features: number;
  /** Number of the node; 0 while it has none. */
  readonly nodeNumber: number;
  /** UUID of the node. */
  readonly identity: string;
  /** 16 zeros while the cluster is not founded. */
  readonly clusterId: Uint8Array;
  readonly generation: number;
  /** 16 hexadecimal digits. */
  readonly bootNonce: string;
}

export type ClientHandshakeStep =
  | { readonly kind: 'continue' }
  | { readonly kind: 'done'; readonly result: ClientHandshakeResult }
  /**
   * `peer`: what the other side proved to be, if it had; undefined when anybody could have said this. Only then may
   * more be made of the error than another try.
   */
  | { readonly kind: 'failed'; readonly error: MemDbError; readonly peer: ClientHandshakeResult | undefined };

type ClientState =
  | { readonly kind: 'new' }
  | { readonly kind: 'awaiting-welcome'; readonly hello: Uint8Array; readonly pair: KeyPair }
  | { readonly kind: 'awaiting-ready'; readonly result: ClientHandshakeResult }
  | { readonly kind: 'ended' };

/**
 * The dialing side of the handshake (PROTOCOL.md, "Handshake"), free of any transport. After a step of kind `failed`
 * the connection is to be closed once what stands in `out` has left.
 *
 * @example
 * const handshake = new ClientHandshake(options);
 * handshake.start(out);                                          // then, for every frame that arrives:
 * const step = handshake.onFrame(bytes, view, start, end, out);  // and send `out` after each call
 */
export class ClientHandshake {
  readonly #options: ClientHandshakeOptions;
  #state: ClientState = { kind: 'new' };

  /** Throws MemDbError `bad-request` for a key id or secret that cannot be one. */
  constructor(options: ClientHandshakeOptions) {
    if (!isKeyId(options.keyId)) {
      throw new MemDbError(
        'bad-request',
        'The key id must be 1 to 64 of A-Z a-z 0-9 . _ -, as `memdb keygen` made it.',
      );
    }
    if (options.secret.length !== SECRET_BYTES) {
      throw new MemDbError(
        'bad-request',
        `The secret of key ${options.keyId} has ${options.secret.length} bytes instead of ${SECRET_BYTES}. Copy all of what \`memdb keygen\` printed.`,
      );
    }
    if (options.identity.length !== UUID_BYTES) throw new RangeError('identity must have 16 bytes');
    this.#options = options;
  }

  /** Appends the hello to `out`. */
  start(out: OutgoingBuffer): void {
    const { role, keyId, identity, clusterId, generation, bootNonce, advertisedAddress, features } = this.#options;
    const { random, versions } = this.#options;
    const pair = ephemeralKeyPair(random);
    const nonce = new Uint8Array(NONCE_BYTES);
    random(nonce);
    const hello = encodeHello({
      versionMin: versions?.min ?? PROTOCOL_VERSION,
      versionMax: versions?.max ?? PROTOCOL_VERSION,
      role,
      features: features ?? FEATURES_KNOWN,
      clusterId: clusterId ?? new Uint8Array(UUID_BYTES),
      identity,
      generation: generation ?? 0,
      bootNonce: bootNonce ?? new Uint8Array(BOOT_NONCE_BYTES),
      publicKey: pair.publicKey,
      nonce,
      keyId,
      advertisedAddress: role === Role.node ? (advertisedAddress ?? '') : '',
    });
    this.#state = { kind: 'awaiting-welcome', hello, pair };
    appendHandshakeFrame(out, Opcode.hello, hello);
  }

  /** Takes one whole frame `[start, end)`; appends what is to be sent to `out`. Never throws for what it reads. */
  onFrame(bytes: Uint8Array, view: DataView, start: number, end: number, out: OutgoingBuffer): ClientHandshakeStep {
    const state = this.#state;
    this.#state = { kind: 'ended' };
    try {
      if (end - start >= FRAME_HEADER_BYTES && (frameFlags(view, start) & Flag.error) !== 0) {
        const peer = state.kind === 'awaiting-ready' ? state.result : undefined;
        return { kind: 'failed', error: refusal(bytes, view, start, end), peer };
      }
      switch (state.kind) {
        case 'awaiting-welcome':
          return this.#onWelcome(
            state.hello,
            state.pair,
            handshakeBody(bytes, view, start, end, Opcode.welcome, 'welcome'),
            out,
          );
        case 'awaiting-ready': {
          const body = handshakeBody(bytes, view, start, end, Opcode.ready, 'ready');
          if (body.length !== 0) throw new ProtocolError('bad-request', start, 'ready with a body');
          return { kind: 'done', result: state.result };
        }
        case 'new':
        case 'ended':
          throw new ProtocolError('bad-request', start, 'handshake frame out of turn');
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.#fail(
        out,
        new MemDbError('bad-request', `The other side does not speak this protocol: ${error.message}.`),
      );
    }
  }

  #onWelcome(hello: Uint8Array, pair: KeyPair, body: Uint8Array, out: OutgoingBuffer): ClientHandshakeStep {
    const { secret, keyId } = this.#options;
    const { welcome, proof } = decodeWelcome(body);
    const shared = sharedSecret(pair, welcome.publicKey);
    pair.secretKey.fill(0);
    if (shared === undefined) {
      return this.#fail(out, new MemDbError('authentication-failed', 'The other side sent a public key of low order.'));
    }
    const transcript = transcriptHash(hello, body.subarray(0, WELCOME_BYTES_WITHOUT_PROOF));
    const proofs = handshakeProofs(secret, shared, transcript);
    if (!sameProof(proofs.server, proof)) {
      return this.#fail(
        out,
        new MemDbError(
          'authentication-failed',
          `The node did not prove that it knows key ${keyId}. Check the key id, the secret and the address: each role has keys of its own.`,
        ),
      );
    }
    const { version, features, nodeNumber, identity, clusterId, generation, bootNonce } = welcome;
    const result: ClientHandshakeResult = {
      version,
      features,
      nodeNumber,
      identity: formatUuid(identity),
      clusterId,
      generation,
      bootNonce: hex(bootNonce),
    };
    const error = this.#unacceptable(welcome);
    if (error !== undefined) return this.#fail(out, error, result);
    this.#state = { kind: 'awaiting-ready', result };
    appendHandshakeFrame(out, Opcode.proof, proofs.client);
    return { kind: 'continue' };
  }

  /** What an authentic node may still say that this side cannot go on with. */
  #unacceptable(welcome: Welcome): MemDbError | undefined {
    const { identity, bootNonce, clusterId, versions, features } = this.#options;
    const min = versions?.min ?? PROTOCOL_VERSION;
    const max = versions?.max ?? PROTOCOL_VERSION;
    if (welcome.version < min || welcome.version > max) {
      return new MemDbError(
        'unsupported-version',
        `The node chose protocol version ${welcome.version}, offered were ${min} to ${max}.`,
      );
    }
    if ((welcome.features & ~(features ?? FEATURES_KNOWN)) !== 0) {
      return new MemDbError('bad-request', 'The node chose features that were not offered.');
    }
    if (sameBytes(welcome.identity, identity)) {
      const { code, message } = ownIdentity(bootNonce !== undefined && sameBytes(welcome.bootNonce, bootNonce));
      return new MemDbError(code, message);
    }
    if (clusterId !== undefined && isOtherCluster(clusterId, welcome.clusterId)) {
      return new MemDbError(
        'wrong-cluster',
        `The node belongs to cluster ${formatUuid(welcome.clusterId)}, expected is ${formatUuid(clusterId)}. Check the seeds.`,
      );
    }
    return undefined;
  }

  /** The other side is told why, for its log. */
  #fail(out: OutgoingBuffer, error: MemDbError, peer?: ClientHandshakeResult): ClientHandshakeStep {
    this.#state = { kind: 'ended' };
    const body = encodeErrorBody({ code: error.code, message: 'The dialing side refused the handshake.' });
    writeFrame(out, Opcode.welcome, Flag.reply | Flag.error, 0, 0, 0, 0, body);
    return { kind: 'failed', error, peer };
  }
}

/** The node's refusal. Nothing was asked yet, so whatever it says, nothing was applied. */
function refusal(bytes: Uint8Array, view: DataView, start: number, end: number): MemDbError {
  const { code, message, retryable, node } = decodeErrorBody(bytes, view, start + FRAME_HEADER_BYTES, end);
  return new MemDbError(code, message, { outcome: 'not-applied', retryable, node });
}

import { decodeErrorBody, encodeErrorBody } from './error-body.js';
import type { ErrorCodeName } from './error-codes.js';
import { ProtocolError } from './errors.js';
import { FRAME_HEADER_BYTES, frameFlags, PROTOCOL_VERSION } from './frame.js';
import {
  ephemeralKeyPair,
  handshakeProofs,
  NONCE_BYTES,
  SECRET_BYTES,
  sameProof,
  sharedSecret,
  transcriptHash,
} from './handshake-crypto.js';
import { hex, isOtherCluster, ownIdentity } from './handshake-identity.js';
import {
  appendHandshakeFrame,
  BOOT_NONCE_BYTES,
  decodeHello,
  encodeWelcome,
  type Hello,
  handshakeBody,
} from './handshake-messages.js';
import { FEATURES_KNOWN, Flag, Opcode, Role } from './opcodes.js';
import type { OutgoingBuffer } from './outgoing-buffer.js';
import { writeFrame } from './plain-frame.js';
import { formatUuid, UUID_BYTES } from './uuid.js';

export interface ServerHandshakeOptions {
  /** The secret (32 bytes) of a key id in a role; undefined when there is none. */
  readonly keys: (role: Role, keyId: string) => Uint8Array | undefined;
  /** The node's UUID, 16 bytes. */
  readonly identity: Uint8Array;
  /** 16 zeros, or undefined, while the cluster is not founded. */
  readonly clusterId?: Uint8Array | undefined;
  /** 0, or undefined, while the node has none. */
  readonly nodeNumber?: number | undefined;
  /** Restart count of the data directory. */
  readonly generation?: number | undefined;
  /** 8 random bytes of this start. */
  readonly bootNonce?: Uint8Array | undefined;
  /** Default: all that this version knows. */
  readonly features?: number | undefined;
  /** Fills with cryptographically strong random bytes. */
  readonly random: (bytes: Uint8Array) => void;
  /** Why a node that proved its key is not let in, as a sentence that tells it what to do; undefined when it is. */
  readonly refuses?: ((peer: ServerHandshakeResult) => string | undefined) | undefined;
  /** Default: exactly this version. */
  readonly versions?: { readonly min: number; readonly max: number } | undefined;
}

export interface ServerHandshakeResult {
  readonly version: number;
  /** Bits that both sides have. */
  readonly features: number;
  readonly role: Role;
  readonly keyId: string;
  /** UUID of the dialing node, or the random identity of a client in the same form. */
  readonly identity: string;
  readonly generation: number;
  /** 16 hexadecimal digits. */
  readonly bootNonce: string;
  /** "host:port" where the dialing node can be dialed; empty for others. */
  readonly advertisedAddress: string;
}

export type ServerHandshakeStep =
  | { readonly kind: 'continue' }
  | { readonly kind: 'done'; readonly result: ServerHandshakeResult }
  /** `reason` is for the log alone: it says more than the peer may know. */
  | { readonly kind: 'failed'; readonly code: ErrorCodeName; readonly reason: string };

type ServerState =
  | { readonly kind: 'awaiting-hello' }
  | {
      readonly kind: 'awaiting-proof';
      readonly proof: Uint8Array;
      readonly result: ServerHandshakeResult;
      /** Why no proof can be right; undefined when one can. */
      readonly doubt: string | undefined;
    }
  | { readonly kind: 'ended' };

/** One sentence for a wrong secret, a wrong role and an unknown key id: nobody can try which key ids exist. */
const AUTHENTICATION_FAILED = 'Authentication failed. Check the key id, the secret and the role of the key.';

/**
 * The accepting side of the handshake (PROTOCOL.md, "Handshake"), free of any transport. After a step of kind
 * `failed` the connection is to be closed once what stands in `out` has left.
 */
export class ServerHandshake {
  readonly #options: ServerHandshakeOptions;
  #state: ServerState = { kind: 'awaiting-hello' };

  constructor(options: ServerHandshakeOptions) {
    if (options.identity.length !== UUID_BYTES) throw new RangeError('identity must have 16 bytes');
    this.#options = options;
  }

  /** What stands against the peer so far: for the log when it closes, or says nothing, before it proved itself. */
  get doubt(): string | undefined {
    return this.#state.kind === 'awaiting-proof' ? this.#state.doubt : undefined;
  }

  /** Takes one whole frame `[start, end)`; appends what is to be sent to `out`. Never throws for what it reads. */
  onFrame(bytes: Uint8Array, view: DataView, start: number, end: number, out: OutgoingBuffer): ServerHandshakeStep {
    const state = this.#state;
    this.#state = { kind: 'ended' };
    try {
      if (end - start >= FRAME_HEADER_BYTES && (frameFlags(view, start) & Flag.error) !== 0)
        return refused(state, bytes, view, start, end);
      switch (state.kind) {
        case 'awaiting-hello':
          return this.#onHello(handshakeBody(bytes, view, start, end, Opcode.hello, 'hello'), out);
        case 'awaiting-proof': {
          const proof = handshakeBody(bytes, view, start, end, Opcode.proof, 'proof');
          const right = sameProof(state.proof, proof);
          if (!right || state.doubt !== undefined) {
            return fail(
              out,
              Opcode.proof,
              'authentication-failed',
              AUTHENTICATION_FAILED,
              state.doubt ?? 'wrong proof',
            );
          }
          const { result } = state;
          const refused = result.role === Role.node ? this.#refuseNode(result, out) : undefined;
          if (refused !== undefined) return refused;
          appendHandshakeFrame(out, Opcode.ready, new Uint8Array(0));
          return { kind: 'done', result };
        }
        case 'ended':
          throw new ProtocolError('bad-request', start, 'handshake frame out of turn');
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const opcode = state.kind === 'awaiting-proof' ? Opcode.proof : Opcode.hello;
      return fail(out, opcode, error.code, `Not a handshake of this protocol: ${error.message}.`, error.message);
    }
  }

  #onHello(helloBody: Uint8Array, out: OutgoingBuffer): ServerHandshakeStep {
    const { identity, clusterId, nodeNumber, generation, bootNonce, features, random } = this.#options;
    const hello = decodeHello(helloBody);
    const refusal = this.#refusal(hello, out);
    if (refusal !== undefined) return refusal;
    const version = Math.min(hello.versionMax, this.#versions().max);
    const common = (hello.features & (features ?? FEATURES_KNOWN)) >>> 0;

    const pair = ephemeralKeyPair(random);
    const nonce = new Uint8Array(NONCE_BYTES);
    random(nonce);
    const shared = sharedSecret(pair, hello.publicKey);
    pair.secretKey.fill(0);
    if (shared === undefined) {
      return fail(out, Opcode.hello, 'authentication-failed', AUTHENTICATION_FAILED, 'public key of low order');
    }
    const { secret, doubt } = this.#secretFor(hello);
    const welcome = encodeWelcome({
      version,
      nodeNumber: nodeNumber ?? 0,
      features: common,
      clusterId: clusterId ?? new Uint8Array(UUID_BYTES),
      identity,
      generation: generation ?? 0,
      bootNonce: bootNonce ?? new Uint8Array(BOOT_NONCE_BYTES),
      publicKey: pair.publicKey,
      nonce,
    });
    const proofs = handshakeProofs(secret, shared, transcriptHash(helloBody, welcome));
    this.#state = { kind: 'awaiting-proof', proof: proofs.client, result: resultOf(hello, version, common), doubt };
    appendHandshakeFrame(out, Opcode.welcome, welcome, proofs.server);
    return { kind: 'continue' };
  }

  #versions(): { readonly min: number; readonly max: number } {
    return this.#options.versions ?? { min: PROTOCOL_VERSION, max: PROTOCOL_VERSION };
  }

  /** What can be refused before anything is proved, because it gives nothing away that welcome does not. */
  #refusal(hello: Hello, out: OutgoingBuffer): ServerHandshakeStep | undefined {
    const { min, max } = this.#versions();
    if (hello.versionMax < min || hello.versionMin > max) {
      const ranges = `this node speaks protocol versions ${min} to ${max}, the peer ${hello.versionMin} to ${hello.versionMax}`;
      return fail(
        out,
        Opcode.hello,
        'unsupported-version',
        `No common version: ${ranges}. Upgrade the older side.`,
        ranges,
      );
    }
    const clusterId = this.#options.clusterId;
    if (clusterId !== undefined && isOtherCluster(clusterId, hello.clusterId)) {
      const ids = `this node belongs to cluster ${formatUuid(clusterId)}, the peer asks for ${formatUuid(hello.clusterId)}`;
      return fail(out, Opcode.hello, 'wrong-cluster', `Not this cluster: ${ids}. Check the seeds.`, ids);
    }
    return undefined;
  }

  /** What is told to a node only once both sides are proven: it stops for it. */
  #refuseNode(peer: ServerHandshakeResult, out: OutgoingBuffer): ServerHandshakeStep | undefined {
    const { identity, bootNonce, refuses } = this.#options;
    if (peer.identity === formatUuid(identity)) {
      const isSelf = bootNonce !== undefined && peer.bootNonce === hex(bootNonce);
      const { code, message } = ownIdentity(isSelf);
      return fail(out, Opcode.proof, code, message, message);
    }
    const refusal = refuses?.(peer);
    return refusal === undefined ? undefined : fail(out, Opcode.proof, 'duplicate-node', refusal, refusal);
  }

  /**
   * An unknown key gets a secret that nobody knows, and the exchange goes on to its proof: up to there it looks and
   * costs the same as with a wrong secret.
   */
  #secretFor(hello: Hello): { readonly secret: Uint8Array; readonly doubt: string | undefined } {
    const known = this.#options.keys(hello.role, hello.keyId);
    if (known !== undefined && known.length === SECRET_BYTES) return { secret: known, doubt: undefined };
    const secret = new Uint8Array(SECRET_BYTES);
    this.#options.random(secret);
    return { secret, doubt: `no key ${hello.keyId} for role ${roleName(hello.role)}` };
  }
}

function resultOf(hello: Hello, version: number, features: number): ServerHandshakeResult {
  return {
    version,
    features,
    role: hello.role,
    keyId: hello.keyId,
    identity: formatUuid(hello.identity),
    generation: hello.generation,
    bootNonce: hex(hello.bootNonce),
    advertisedAddress: hello.advertisedAddress,
  };
}

/** The dialing side gave up: most often it could not verify this side's proof, because its secret is another. */
function refused(
  state: ServerState,
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): ServerHandshakeStep {
  const { code } = decodeErrorBody(bytes, view, start + FRAME_HEADER_BYTES, end);
  const doubt = state.kind === 'awaiting-proof' ? state.doubt : undefined;
  return { kind: 'failed', code, reason: doubt ?? `the peer refused: ${code}` };
}

function fail(
  out: OutgoingBuffer,
  opcode: Opcode,
  code: ErrorCodeName,
  message: string,
  reason: string,
): ServerHandshakeStep {
  writeFrame(
    out,
    opcode,
    Flag.reply | Flag.error,
    0,
    0,
    0,
    0,
    encodeErrorBody({ code, message, outcome: 'not-applied' }),
  );
  return { kind: 'failed', code, reason };
}

/** The name of a role, as it stands in key files and logs. */
export function roleName(role: Role): keyof typeof Role {
  switch (role) {
    case Role.client:
      return 'client';
    case Role.node:
      return 'node';
    case Role.admin:
      return 'admin';
  }
}

import { createHmac, timingSafeEqual } from 'node:crypto';

/** Who a bearer token stands for. */
export interface Principal {
  /** Id of the admin key that logged in, or `configured-token`. */
  readonly name: string;
  /** Unix milliseconds; undefined for the configured token, which does not expire. */
  readonly expiresAtMs: number | undefined;
}

const PREFIX = 'mdb1';
/** A secret that is only used for tokens: what signs them must not be what opens connections. */
const PURPOSE = 'memdb manager bearer token v1';

/**
 * Bearer tokens that say themselves who they are for and until when, signed with a secret that follows from the admin
 * key. Nothing is kept: a manager that was started again, or another one beside it, accepts the same tokens, and a token
 * ends with the key that it was given for.
 */
export class Tokens {
  readonly #keys: ReadonlyMap<string, Buffer>;
  readonly #configured: Buffer | undefined;

  constructor(keys: readonly { readonly id: string; readonly secret: Uint8Array }[], configured: string | undefined) {
    this.#keys = new Map(keys.map(({ id, secret }) => [id, createHmac('sha256', secret).update(PURPOSE).digest()]));
    this.#configured = configured === undefined ? undefined : digest(configured);
  }

  /** A token for the bearer of that admin key. */
  issue(keyId: string, expiresAtMs: number): string {
    const key = this.#keys.get(keyId);
    if (key === undefined) throw new Error(`there is no admin key ${keyId}`);
    const body = Buffer.from(JSON.stringify([keyId, expiresAtMs])).toString('base64url');
    return `${PREFIX}.${body}.${sign(key, body)}`;
  }

  /** Whom a token stands for now; undefined for one that is forged, damaged or expired. */
  verify(token: string, nowMs: number): Principal | undefined {
    if (this.#configured !== undefined && timingSafeEqual(digest(token), this.#configured)) {
      return { name: 'configured-token', expiresAtMs: undefined };
    }
    const [prefix, body, signature, ...rest] = token.split('.');
    if (prefix !== PREFIX || body === undefined || signature === undefined || rest.length > 0) return undefined;
    const claims = parseClaims(body);
    const key = claims === undefined ? undefined : this.#keys.get(claims.keyId);
    if (claims === undefined || key === undefined) return undefined;
    if (!timingSafeEqual(digest(signature), digest(sign(key, body)))) return undefined;
    return claims.expiresAtMs > nowMs ? { name: claims.keyId, expiresAtMs: claims.expiresAtMs } : undefined;
  }
}

function sign(key: Buffer, body: string): string {
  return createHmac('sha256', key).update(`${PREFIX}.${body}`).digest('base64url');
}

/** Texts of any length become as long as each other, so that comparing them tells nothing. */
function digest(text: string): Buffer {
  return createHmac('sha256', PURPOSE).update(text).digest();
}

function parseClaims(body: string): { readonly keyId: string; readonly expiresAtMs: number } | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(body, 'base64url').toString());
    if (!Array.isArray(claims) || claims.length !== 2) return undefined;
    const [keyId, expiresAtMs] = claims as unknown[];
    return typeof keyId === 'string' && typeof expiresAtMs === 'number' ? { keyId, expiresAtMs } : undefined;
  } catch {
    return undefined;
  }
}

import { SHOWN_VALUE_BYTES_MAX } from '../limits.js';

export interface ShownValue {
  readonly value?: string;
  readonly valueBase64?: string;
  readonly bytes?: number;
  readonly cut?: boolean;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A value as JSON carries it: as text where it is UTF-8, else in base64; cut when it is long; nothing when absent. */
export function showValue(bytes: Uint8Array | undefined): ShownValue {
  if (bytes === undefined) return {};
  const cut = bytes.length > SHOWN_VALUE_BYTES_MAX ? { cut: true } : {};
  const shown = bytes.subarray(0, SHOWN_VALUE_BYTES_MAX);
  try {
    return { value: decoder.decode(shown), bytes: bytes.length, ...cut };
  } catch {
    return { valueBase64: Buffer.from(shown).toString('base64'), bytes: bytes.length, ...cut };
  }
}

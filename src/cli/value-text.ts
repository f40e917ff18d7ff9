import type { JsonValue } from './report.js';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes as text, or undefined when they are not UTF-8. */
export function asText(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** `{ value }` when the bytes are UTF-8, else `{ valueBase64 }`: JSON strings cannot carry other bytes. */
export function valueFields(bytes: Uint8Array): { readonly [name: string]: JsonValue } {
  const text = asText(bytes);
  return text === undefined ? { valueBase64: Buffer.from(bytes).toString('base64') } : { value: text };
}

/** One line for a table: text with control characters escaped, or the size of what is not text; cut at `lengthMax`. */
export function showValue(bytes: Uint8Array, lengthMax = 120): string {
  const text = asText(bytes);
  if (text === undefined) return `(${bytes.length} bytes, not UTF-8)`;
  const quoted = JSON.stringify(text);
  return quoted.length <= lengthMax ? quoted : `${quoted.slice(0, lengthMax)}… (${bytes.length} bytes)`;
}

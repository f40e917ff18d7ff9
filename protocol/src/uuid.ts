export const UUID_BYTES = 16;

/** The usual writing of 16 bytes, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, in lower case. */
export function formatUuid(bytes: Uint8Array, offset: number = 0): string {
  let text = '';
  for (let index = 0; index < UUID_BYTES; index++) {
    if (index === 4 || index === 6 || index === 8 || index === 10) text += '-';
    text += bytes[offset + index].toString(16).padStart(2, '0');
  }
  return text;
}

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The 16 bytes of a UUID. Throws RangeError for anything else. */
export function parseUuid(text: string): Uint8Array {
  if (!pattern.test(text)) throw new RangeError(`not a UUID: ${JSON.stringify(text)}`);
  const digits = text.replaceAll('-', '');
  const bytes = new Uint8Array(UUID_BYTES);
  for (let index = 0; index < UUID_BYTES; index++) {
    bytes[index] = Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16);
  }
  return bytes;
}

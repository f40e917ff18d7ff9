import { crc32 } from 'node:zlib';
import type { BlockCodec } from './block-codec.js';

/** "MEMDBLZ4" */
const MAGIC_LOW = 0x444d454d;
const MAGIC_HIGH = 0x345a4c42;
const VERSION = 1;
const HEADER_BYTES = 32;
const CHECKSUM_AT = 28;
const BLOCK_BYTES: number = 64 * 1024;
const BLOCK_HEADER_BYTES = 8;
/** In a block's length: its bytes are stored as they are, since they did not shrink. */
const STORED = 0x80000000;
/** A segment is not larger. */
const CONTENT_BYTES_MAX: number = 2 ** 30;

/** A compressed file (docs/log-format.md, "Compressed files") with this content. */
export function compressImage(content: Uint8Array, codec: BlockCodec): Uint8Array {
  const blocks = Math.ceil(content.length / BLOCK_BYTES);
  const image = new Uint8Array(HEADER_BYTES + blocks * BLOCK_HEADER_BYTES + content.length);
  const view = new DataView(image.buffer);
  view.setUint32(0, MAGIC_LOW, true);
  view.setUint32(4, MAGIC_HIGH, true);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, content.length, true);
  view.setUint32(16, BLOCK_BYTES, true);
  view.setUint32(CHECKSUM_AT, crc32(image.subarray(0, CHECKSUM_AT)), true);
  let at = HEADER_BYTES;
  for (let start = 0; start < content.length; start += BLOCK_BYTES) {
    const source = content.subarray(start, start + BLOCK_BYTES);
    const target = image.subarray(at + BLOCK_HEADER_BYTES, at + BLOCK_HEADER_BYTES + source.length);
    const compressed = codec.compress(source, target);
    if (compressed === 0) target.set(source);
    const bytes = compressed === 0 ? source.length : compressed;
    view.setUint32(at, compressed === 0 ? (bytes | STORED) >>> 0 : bytes, true);
    view.setUint32(at + 4, crc32(target.subarray(0, bytes)), true);
    at += BLOCK_HEADER_BYTES + bytes;
  }
  return image.slice(0, at);
}

/** Whether the bytes begin as a compressed file does. */
export function isCompressedImage(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (
    bytes.length >= HEADER_BYTES && view.getUint32(0, true) === MAGIC_LOW && view.getUint32(4, true) === MAGIC_HIGH
  );
}

/**
 * The content of a compressed file, or where it is damaged. Nothing is allocated for a length that was not verified, and
 * no block is decoded before its checksum is: LZ4 makes something of many damaged blocks.
 */
export function expandImage(image: Uint8Array, codec: BlockCodec): Uint8Array | { readonly damagedAt: number } {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (!isCompressedImage(image) || view.getUint32(CHECKSUM_AT, true) !== crc32(image.subarray(0, CHECKSUM_AT))) {
    return { damagedAt: 0 };
  }
  const contentBytes = view.getUint32(12, true);
  if (
    view.getUint32(8, true) !== VERSION ||
    view.getUint32(16, true) !== BLOCK_BYTES ||
    contentBytes > CONTENT_BYTES_MAX
  ) {
    return { damagedAt: 8 };
  }
  const content = new Uint8Array(contentBytes);
  let at = HEADER_BYTES;
  for (let start = 0; start < contentBytes; start += BLOCK_BYTES) {
    if (image.length - at < BLOCK_HEADER_BYTES) return { damagedAt: at };
    const target = content.subarray(start, start + BLOCK_BYTES);
    const word = view.getUint32(at, true);
    const stored = word >= STORED;
    const bytes = stored ? word - STORED : word;
    if (bytes > target.length || bytes > image.length - at - BLOCK_HEADER_BYTES) return { damagedAt: at };
    const block = image.subarray(at + BLOCK_HEADER_BYTES, at + BLOCK_HEADER_BYTES + bytes);
    if (view.getUint32(at + 4, true) !== crc32(block)) return { damagedAt: at };
    if (stored && bytes === target.length) target.set(block);
    else if (stored || !codec.expand(block, target)) return { damagedAt: at };
    at += BLOCK_HEADER_BYTES + bytes;
  }
  return at === image.length ? content : { damagedAt: at };
}

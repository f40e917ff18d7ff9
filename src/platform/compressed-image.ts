import { crc32 } from 'node:zlib';
import { COMPRESSED_START, type CompressedPlace } from '../ports/disk.js';
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

/** Some content, and where in the image it goes on; or where the image is damaged. */
type Expanded = { readonly content: Uint8Array; readonly next: CompressedPlace } | { readonly damagedAt: number };

/**
 * The content of a compressed file, or where it is damaged. Nothing is allocated for a length that was not verified, and
 * no block is decoded before its checksum is: LZ4 makes something of many damaged blocks.
 */
export function expandImage(image: Uint8Array, codec: BlockCodec): Uint8Array | { readonly damagedAt: number } {
  const read = (at: number, bytes: number): Uint8Array => image.subarray(at, at + bytes);
  const part = expandPart(read, COMPRESSED_START, CONTENT_BYTES_MAX, codec);
  return 'content' in part ? part.content : part;
}

/**
 * About `length` bytes of the content, in whole blocks, from `place` on. `read` gives bytes of the file, fewer at its end.
 * With the last of the content it is verified that nothing lies behind it.
 */
export function expandPart(
  read: (at: number, bytes: number) => Uint8Array,
  place: CompressedPlace,
  length: number,
  codec: BlockCodec,
): Expanded {
  const contentBytes = contentBytesOf(read(0, HEADER_BYTES));
  if (typeof contentBytes !== 'number') return contentBytes;
  const blocks = Math.ceil(Math.min(length, contentBytes - place.content) / BLOCK_BYTES);
  const content = new Uint8Array(Math.min(blocks * BLOCK_BYTES, contentBytes - place.content));
  const from = Math.max(place.file, HEADER_BYTES);
  // One byte more than there can be.
  const image = read(from, blocks * BLOCK_HEADER_BYTES + content.length + 1);
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  let at = 0;
  for (let start = 0; start < content.length; start += BLOCK_BYTES) {
    if (image.length - at < BLOCK_HEADER_BYTES) return { damagedAt: from + at };
    const target = content.subarray(start, start + BLOCK_BYTES);
    const word = view.getUint32(at, true);
    const stored = word >= STORED;
    const bytes = stored ? word - STORED : word;
    if (bytes > target.length || bytes > image.length - at - BLOCK_HEADER_BYTES) return { damagedAt: from + at };
    const block = image.subarray(at + BLOCK_HEADER_BYTES, at + BLOCK_HEADER_BYTES + bytes);
    if (view.getUint32(at + 4, true) !== crc32(block)) return { damagedAt: from + at };
    if (stored && bytes === target.length) target.set(block);
    else if (stored || !codec.expand(block, target)) return { damagedAt: from + at };
    at += BLOCK_HEADER_BYTES + bytes;
  }
  const next = { content: place.content + content.length, file: from + at };
  if (next.content === contentBytes && image.length > at) return { damagedAt: next.file };
  return { content, next };
}

/** Bytes of the content, as the verified header says. */
function contentBytesOf(header: Uint8Array): number | { readonly damagedAt: number } {
  if (!isCompressedImage(header)) return { damagedAt: 0 };
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  if (view.getUint32(CHECKSUM_AT, true) !== crc32(header.subarray(0, CHECKSUM_AT))) return { damagedAt: 0 };
  const contentBytes = view.getUint32(12, true);
  const known = view.getUint32(8, true) === VERSION && view.getUint32(16, true) === BLOCK_BYTES;
  return known && contentBytes <= CONTENT_BYTES_MAX ? contentBytes : { damagedAt: 8 };
}

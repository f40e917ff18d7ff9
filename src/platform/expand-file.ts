import { type CompressedPlace, DiskError } from '../ports/disk.js';
import { type BlockCodec, loadBlockCodec } from './block-codec.js';
import { expandImage, expandPart } from './compressed-image.js';

/** What a person can do without a codec. */
const CODEC_ADVICE = 'neither of the packages lz4 and lz4-napi is installed: npm install lz4-napi';

/** The content of a compressed file. Throws `DiskError`: `no-codec` says what to install, `damaged` where it is damaged. */
export function expandFile(path: string, image: Uint8Array): Uint8Array {
  const content = expandImage(image, codecFor(path));
  if (content instanceof Uint8Array) return content;
  throw damaged(path, content.damagedAt);
}

/** As `Disk.readCompressedLater`, of what `read` gives of the file. Throws as `expandFile`. */
export function expandFilePart(
  path: string,
  read: (at: number, bytes: number) => Uint8Array,
  place: CompressedPlace,
  length: number,
): { readonly content: Uint8Array; readonly next: CompressedPlace } {
  const part = expandPart(read, place, length, codecFor(path));
  if ('content' in part) return part;
  throw damaged(path, part.damagedAt);
}

/** The codec to compress or expand this file with. Throws `no-codec`. */
export function codecFor(path: string): BlockCodec {
  const codec = loadBlockCodec();
  if (codec === undefined) throw missingCodec(path);
  return codec;
}

/** What a call fails with that would compress or expand this file. */
export function missingCodec(path: string): DiskError {
  return new DiskError('no-codec', path, `${path} cannot be compressed or expanded: ${CODEC_ADVICE}`);
}

function damaged(path: string, offset: number): DiskError {
  const message = `${path}: a checksum does not match at byte ${offset}`;
  return new DiskError('damaged', path, message, undefined, offset);
}

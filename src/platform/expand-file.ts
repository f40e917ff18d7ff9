import { DiskError } from '../ports/disk.js';
import { loadBlockCodec } from './block-codec.js';
import { expandImage } from './compressed-image.js';

/** The content of a compressed file. Throws `DiskError`: `no-codec` says what to install, `damaged` where it is damaged. */
export function expandFile(path: string, image: Uint8Array): Uint8Array {
  const codec = loadBlockCodec();
  if (codec === undefined) {
    throw new DiskError('no-codec', path, `${path} is compressed, and ${CODEC_ADVICE}`);
  }
  const content = expandImage(image, codec);
  if (content instanceof Uint8Array) return content;
  throw new DiskError('damaged', path, `${path}: a checksum does not match at byte ${content.damagedAt}`);
}

/** What a person can do without a codec. */
export const CODEC_ADVICE = 'neither of the packages lz4 and lz4-napi is installed: npm install lz4-napi';

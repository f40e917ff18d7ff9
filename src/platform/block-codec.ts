import { createRequire } from 'node:module';

/** LZ4's block format: no header, no length, no checksum. */
export interface BlockCodec {
  readonly name: string;
  /** Puts the block into `target`, which is as long as `source`; returns its length, 0 when it does not fit. */
  compress(source: Uint8Array, target: Uint8Array): number;
  /** Puts the content into `target`; false unless it fills that exactly. */
  expand(block: Uint8Array, target: Uint8Array): boolean;
}

interface Lz4 {
  encodeBound(bytes: number): number;
  encodeBlock(source: Buffer, target: Buffer, start: number, end: number): number;
  decodeBlock(source: Buffer, target: Buffer, start: number, end: number): number;
}

interface Lz4Napi {
  compressSync(data: Buffer): Buffer;
  uncompressSync(data: Buffer): Buffer;
}

const require = createRequire(import.meta.url);
/** `lz4-napi` puts the content's length in front. */
const LENGTH_BYTES = 4;

/** The codec that is installed, `lz4` before `lz4-napi`; undefined when neither is. Both make the same blocks. */
export function loadBlockCodec(): BlockCodec | undefined {
  return loadLz4() ?? loadLz4Napi();
}

/** All that are installed, the preferred one first. */
export function codecsInstalled(): BlockCodec[] {
  return [loadLz4(), loadLz4Napi()].filter((codec) => codec !== undefined);
}

function loadLz4(): BlockCodec | undefined {
  return tryLoad('lz4', (module) => fromLz4(module as Lz4));
}

function loadLz4Napi(): BlockCodec | undefined {
  return tryLoad('lz4-napi', (module) => fromNapi(module as Lz4Napi));
}

function tryLoad(name: string, wrap: (module: unknown) => BlockCodec): BlockCodec | undefined {
  let module: unknown;
  try {
    module = require(name);
  } catch {
    // Optional, and may have failed to build: the other one, or none, then.
    return undefined;
  }
  return wrap(module);
}

function fromLz4(lz4: Lz4): BlockCodec {
  let bound = Buffer.alloc(0);
  return {
    name: 'lz4',
    compress(source, target) {
      const most = lz4.encodeBound(source.length);
      if (bound.length < most) bound = Buffer.alloc(most);
      // It writes where it is told to without looking: the target has room for the worst case, and the range is its own.
      const bytes = lz4.encodeBlock(bufferOf(source), bound, 0, bound.length);
      if (bytes <= 0 || bytes >= target.length) return 0;
      target.set(bound.subarray(0, bytes));
      return bytes;
    },
    expand(block, target) {
      return lz4.decodeBlock(bufferOf(block), bufferOf(target), 0, block.length) === target.length;
    },
  };
}

function fromNapi(napi: Lz4Napi): BlockCodec {
  return {
    name: 'lz4-napi',
    compress(source, target) {
      const block = napi.compressSync(bufferOf(source)).subarray(LENGTH_BYTES);
      if (block.length >= target.length) return 0;
      target.set(block);
      return block.length;
    },
    expand(block, target) {
      // The length that it believes is ours, not one that was read.
      const prefixed = Buffer.alloc(LENGTH_BYTES + block.length);
      prefixed.writeUInt32LE(target.length, 0);
      prefixed.set(block, LENGTH_BYTES);
      try {
        const content = napi.uncompressSync(prefixed);
        if (content.length !== target.length) return false;
        target.set(content);
        return true;
      } catch {
        return false;
      }
    },
  };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

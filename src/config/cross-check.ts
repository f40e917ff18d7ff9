import { formatAddress, isWildcard } from './address.js';
import type { MemDbConfig } from './config.js';
import type { MachineFacts } from './schema.js';
import { formatBytes } from './units.js';

/**
 * What a segment takes beside its one longest record, rounded up: 64 KiB that storage keeps free for records of its
 * own while the disk is full, segment header, batch headers, record header and padding.
 */
const segmentOverheadBytesMax = 128 * 1024;

/** One segment is written, one is copied into, one waits to be used again, and one holds data at the least. */
const SEGMENTS_TO_EVICT_IN = 4;

/** A rule that involves more than one setting and is broken. */
export interface BrokenRule {
  readonly key: string;
  readonly message: string;
}

/** Checks what no single setting can know. */
export function crossCheck(config: MemDbConfig, machine: MachineFacts): BrokenRule[] {
  const broken: BrokenRule[] = [];
  const { node, cluster, storage, limits, manager } = config;

  const segmentBytesMin = limits.valueBytesMax + limits.keyBytesMax + segmentOverheadBytesMax;
  if (storage.segmentBytes < segmentBytesMin) {
    broken.push({
      key: 'storage.segment_size',
      message:
        `storage.segment_size = "${formatBytes(storage.segmentBytes)}" cannot hold the longest record: ` +
        `limits.max_value + limits.max_key + 128 KiB = "${formatBytes(segmentBytesMin)}"; ` +
        'raise segment_size or lower max_value',
    });
  }
  if (storage.eviction === 'lru' && storage.memoryBytesMax === 0 && storage.entriesMax === 0) {
    broken.push({
      key: 'storage.eviction',
      message: 'storage.eviction = "lru" evicts nothing without a bound: set storage.max_memory or storage.max_entries',
    });
  }
  const memoryBytesMin = storage.segmentBytes * SEGMENTS_TO_EVICT_IN;
  if (storage.eviction === 'lru' && storage.memoryBytesMax !== 0 && storage.memoryBytesMax < memoryBytesMin) {
    broken.push({
      key: 'storage.max_memory',
      message:
        `storage.max_memory = "${formatBytes(storage.memoryBytesMax)}" leaves no room for eviction = "lru" to work: ` +
        `it needs ${SEGMENTS_TO_EVICT_IN} × storage.segment_size = "${formatBytes(memoryBytesMin)}"; ` +
        'raise max_memory or lower segment_size',
    });
  }
  if (storage.compression === 'on' && machine.codec?.() === undefined) {
    broken.push({
      key: 'storage.compression',
      message:
        'storage.compression = "on" needs the package lz4 or lz4-napi, and neither is installed: ' +
        'npm install lz4-napi, or set it to "off"',
    });
  }
  if (isWildcard(node.advertise.host)) {
    broken.push({
      key: 'node.advertise',
      message:
        `node.listen = "${formatAddress(node.listen)}" means every interface, which nobody can dial: ` +
        'set node.advertise to the address that other nodes and clients reach',
    });
  }
  if (node.http !== undefined && formatAddress(node.http) === formatAddress(node.listen)) {
    broken.push({
      key: 'node.http',
      message: `node.http and node.listen are both "${formatAddress(node.listen)}": give each its own port, or http = "off"`,
    });
  }
  if (cluster.founders > Math.max(1, cluster.seeds.length)) {
    broken.push({
      key: 'cluster.founders',
      message:
        `cluster.founders = ${cluster.founders} but cluster.seeds names ${cluster.seeds.length}: ` +
        'the founders are the first entries of seeds, so list at least as many',
    });
  }
  if (manager.tls !== undefined && manager.tls.keyFile === '') {
    broken.push({
      key: 'manager.key_file',
      message: 'manager.cert_file is set, but not manager.key_file: HTTPS needs both',
    });
  }
  return broken;
}

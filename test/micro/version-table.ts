import { RECORD_HEADER_BYTES, RecordKind, writeRecordHeader } from '../../src/model/record.js';
import { VersionTable } from '../../src/storage/version-table.js';

/**
 * Nanoseconds of the processor that the audit's tables cost per version that comes or goes: an overwrite does both.
 * `node dist/test/micro/version-table.js`
 */
const RECORDS = 65_536;
const ROUNDS = 300;
const PARTITIONS = 256;

const bytes = new Uint8Array(RECORDS * RECORD_HEADER_BYTES);
const view = new DataView(bytes.buffer);
const hashes = new Uint32Array(RECORDS);
for (let record = 0; record < RECORDS; record++) {
  hashes[record] = Math.imul(record + 1, 0x9e3779b1);
  writeRecordHeader(view, record * RECORD_HEADER_BYTES, RecordKind.value, 140, 16, record * 7 + 1, 1 + (record % 3), 0);
}

const table = new VersionTable();
table.reset(PARTITIONS);

function round(): void {
  for (let record = 0; record < RECORDS; record++) {
    const hash = hashes[record];
    table.add(hash >>> 24, hash, RecordKind.value, view, record * RECORD_HEADER_BYTES);
  }
}

for (let warm = 0; warm < 30; warm++) round();
const startedCpu = process.cpuUsage();
for (let count = 0; count < ROUNDS; count++) round();
const { user, system } = process.cpuUsage(startedCpu);
const each = ((user + system) * 1000) / (RECORDS * ROUNDS);
process.stdout.write(`${each.toFixed(1)} ns of the processor each\n`);

import type { Command } from 'commander';
import { isCompressedImage } from '../../platform/compressed-image.js';
import { expandFile } from '../../platform/expand-file.js';
import { DiskError } from '../../ports/disk.js';
import { type DescribedRecord, dumpSegment, type SegmentReport, verifySegment } from '../../storage/log-inspect.js';
import { INCOMPLETE_FILE, requireManifest } from '../backup/backup-manifest.js';
import { verifyBackup } from '../backup/verify-backup.js';
import type { CliContext } from '../cli-context.js';
import { CliError } from '../cli-error.js';
import { ExitCode } from '../exit-code.js';
import type { JsonValue } from '../report.js';
import { asText, showValue, valueFields } from '../value-text.js';

/** `memdb log verify FILE|DIR`, `memdb log dump FILE`: reads a segment file; the node need not run and is not disturbed. */
export function registerLog(program: Command, context: CliContext): void {
  const log = program.command('log').description('read a segment file of a data directory');
  log
    .command('verify')
    .description('check every checksum; exits with 1 when something that was durable is damaged')
    .argument('<file>', 'a segment file, or the directory of a backup')
    .action((file: string) => {
      if (context.io.isDirectory(file)) {
        verifyDirectory(file, context);
        return;
      }
      const { bytes, compressed } = readSegment(file, context);
      const report = verifySegment(bytes, compressed);
      context.report.result(verifyDocument(file, report), `${verifyText(file, report)}\n`);
      noteDamage(report, context);
    });
  log
    .command('dump')
    .description('print every record: offset, LSN, kind, stamp, key and value')
    .argument('<file>')
    .action((file: string) => {
      const { bytes, compressed } = readSegment(file, context);
      const report = verifySegment(bytes, compressed);
      const records = [...dumpSegment(bytes)];
      const lines = records.map(recordLine);
      if (report.problem !== undefined) lines.push(problemText(file, report));
      const document = { ...verifyDocument(file, report), records: records.map(recordDocument) };
      context.report.result(document, lines.map((line) => `${line}\n`).join(''));
      noteDamage(report, context);
    });
}

function verifyDirectory(directory: string, context: CliContext): void {
  const disk = context.io.openDirectory(directory);
  const manifest = requireManifest(disk, directory);
  const interrupted = disk.exists(INCOMPLETE_FILE);
  const check = verifyBackup(disk, manifest);
  const lines = check.damage.map(
    ({ file, offset, reason }) => `  DAMAGED: ${directory}/${file}, offset ${offset}: ${reason}`,
  );
  if (lines.length === 0) lines.push('  sound');
  if (interrupted) lines.push('  A later backup did not come to its end; this is the one before. Run it again.');
  const { segments, bytes, records } = check;
  const head = `${directory}: backup begun ${manifest.begun}: ${records} records in ${segments} segments, ${bytes} bytes`;
  const damage = check.damage.map((place) => ({ ...place }));
  const nodes = manifest.nodes.map(({ number, node, lastLsn }) => ({ number, id: node, lastLsn }));
  context.report.result(
    {
      directory,
      valid: damage.length === 0,
      begun: manifest.begun,
      nodes,
      segments,
      bytes,
      records,
      interrupted,
      damage,
    },
    `${[head, ...lines].join('\n')}\n`,
  );
  if (damage.length > 0) context.exitCode = ExitCode.failed;
}

/** The segment in a file, which may be compressed. */
function readSegment(file: string, context: CliContext): { readonly bytes: Uint8Array; readonly compressed: boolean } {
  const bytes = context.io.readFile(file);
  if (!isCompressedImage(bytes)) return { bytes, compressed: false };
  try {
    return { bytes: expandFile(file, bytes), compressed: true };
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    throw new CliError(error.kind === 'damaged' ? 'damaged' : 'no-codec', ExitCode.failed, error.message, error);
  }
}

function noteDamage(report: SegmentReport, context: CliContext): void {
  if (report.problem?.kind === 'damage') context.exitCode = ExitCode.failed;
}

function verifyDocument(file: string, report: SegmentReport): { readonly [name: string]: JsonValue } {
  const { header, problem, records, ...counts } = report;
  return {
    file,
    valid: problem?.kind !== 'damage',
    header: header === undefined ? null : { ...header },
    recordCount: records,
    ...counts,
    problem: problem === undefined ? null : { ...problem },
  };
}

function verifyText(file: string, report: SegmentReport): string {
  const { header, records, batches, bytes, firstLsn, lastLsn } = report;
  if (header === undefined && report.problem === undefined) return `${file}: prepared, not used yet`;
  const lines: string[] = [];
  if (header !== undefined) {
    const range = records === 0 ? '' : `, LSN ${firstLsn} to ${lastLsn}`;
    const size = `${bytes} of ${header.capacity} bytes`;
    lines.push(`${file}: segment ${header.id}, generation ${header.generation}: ${records} records${range}`);
    lines.push(`  in ${batches} batches, ${size}`);
  }
  lines.push(report.problem === undefined ? '  sound' : problemText(file, report));
  return lines.join('\n');
}

function problemText(file: string, report: SegmentReport): string {
  const { problem } = report;
  if (problem === undefined) return '';
  if (problem.kind === 'torn-tail') {
    return `  torn tail at offset ${problem.offset}: ${problem.reason}. A crash, or a node that writes right now, leaves this; the next start cuts it.`;
  }
  return `  DAMAGED: ${file}, offset ${problem.offset}: ${problem.reason}`;
}

function recordDocument(record: DescribedRecord): JsonValue {
  const { key, value, proven, counter, node, ...plain } = record;
  const place = { offset: plain.offset, bytes: plain.bytes, kind: plain.kind, lsn: plain.lsn };
  if (record.kind === 'batch') return { ...place, proven: proven === undefined ? null : { ...proven } };
  const text = asText(key);
  return {
    ...place,
    stamp: { counter, node },
    ...(text === undefined ? { keyBase64: Buffer.from(key).toString('base64') } : { key: text }),
    ...(hasValue(record) ? valueFields(value) : {}),
    ...(plain.expiresAtMs === undefined ? {} : { expiresAtMs: plain.expiresAtMs }),
    ...(record.kind === 'meta' ? { valueBase64: Buffer.from(value).toString('base64') } : {}),
  };
}

function recordLine(record: DescribedRecord): string {
  const place = `${String(record.offset).padStart(10)} ${String(record.lsn).padStart(10)} ${record.kind.padEnd(9)}`;
  if (record.kind === 'batch') {
    const { proven } = record;
    return `${place} durable before it: ${proven === undefined ? 'unknown' : `segment ${proven.segment}, offset ${proven.offset}`}`;
  }
  const key = showValue(record.key, 60);
  if (record.kind === 'meta') return `${place} ${key} (${record.value.length} bytes)`;
  const value = hasValue(record) ? ` = ${showValue(record.value, 60)}` : '';
  const expires = record.expiresAtMs === undefined ? '' : ` until ${new Date(record.expiresAtMs).toISOString()}`;
  return `${place} ${record.counter}/${record.node} ${key}${value}${expires}`;
}

function hasValue({ kind, serial }: DescribedRecord): boolean {
  return serial?.hasValue ?? kind === 'value';
}

import { DiskError, type DiskErrorKind } from '../ports/disk.js';

/** The `code` of a system error, or an empty string. One that crossed from a worker is a plain object. */
export function systemErrorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** Turns what a call on `path` threw into the failure that the port knows. */
export function toDiskError(path: string, action: string, error: unknown): DiskError {
  if (error instanceof DiskError) return error;
  const code = systemErrorCode(error);
  const kind = kindOf(code);
  const reason = typeof error === 'object' && error !== null && 'message' in error ? error.message : error;
  return new DiskError(kind, path, `cannot ${action} ${path}: ${adviceOf(kind, code)}${reason}`, error);
}

function kindOf(code: string): DiskErrorKind {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'full';
    case 'ENOENT':
    case 'ENOTDIR':
      return 'missing';
    default:
      return 'io';
  }
}

function adviceOf(kind: DiskErrorKind, code: string): string {
  if (kind === 'full') return 'the disk (or its quota) is full, free some space: ';
  if (code === 'EACCES' || code === 'EPERM') return 'the data directory must belong to the user that runs the node: ';
  if (code === 'EMFILE' || code === 'ENFILE') return 'too many open files, raise the limit (ulimit -n): ';
  return '';
}

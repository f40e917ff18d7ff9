/** What became of the operation that failed: surely nothing, now and later; or possibly applied, or yet to be. */
export type Outcome = 'not-applied' | 'unknown';

/**
 * Error codes by name. Names and numbers are stable and never reused; numbers from 60 on never travel, the client
 * makes them. PROTOCOL.md, "Errors", says what each means.
 */
export const ErrorCode = {
  'bad-request': 1,
  'authentication-failed': 2,
  'not-permitted': 3,
  'unsupported-version': 4,
  'frame-too-large': 5,
  'key-empty': 10,
  'key-too-large': 11,
  'value-too-large': 12,
  'batch-too-large': 13,
  unavailable: 20,
  overloaded: 21,
  timeout: 22,
  'connection-lost': 23,
  'wrong-epoch': 24,
  'not-founded': 25,
  'shutting-down': 26,
  'storage-full': 27,
  'memory-full': 28,
  'clock-ahead': 29,
  'not-replica': 30,
  'storage-failed': 31,
  'counter-overflow': 32,
  'serial-key': 40,
  'not-supported': 41,
  'operation-forgotten': 42,
  'wrong-cluster': 50,
  'duplicate-node': 51,
  'same-node': 52,
  'client-closed': 60,
  aborted: 61,
  'queue-full': 62,
} as const;
export type ErrorCodeName = keyof typeof ErrorCode;

interface ErrorDefaults {
  readonly outcome: Outcome;
  readonly retryable: boolean;
}

const refused: ErrorDefaults = { outcome: 'not-applied', retryable: false };
const refusedForNow: ErrorDefaults = { outcome: 'not-applied', retryable: true };
const unsettled: ErrorDefaults = { outcome: 'unknown', retryable: true };
const unsettledForGood: ErrorDefaults = { outcome: 'unknown', retryable: false };

const defaults: Readonly<Record<ErrorCodeName, ErrorDefaults>> = {
  'bad-request': refused,
  'authentication-failed': refused,
  'not-permitted': refused,
  'unsupported-version': refused,
  'frame-too-large': refused,
  'key-empty': refused,
  'key-too-large': refused,
  'value-too-large': refused,
  'batch-too-large': refused,
  unavailable: refusedForNow,
  overloaded: refusedForNow,
  timeout: unsettled,
  'connection-lost': unsettled,
  'wrong-epoch': refusedForNow,
  'not-founded': refusedForNow,
  'shutting-down': refusedForNow,
  'storage-full': refusedForNow,
  'memory-full': refusedForNow,
  'clock-ahead': refusedForNow,
  'not-replica': refusedForNow,
  'storage-failed': unsettled,
  'counter-overflow': refused,
  'serial-key': refused,
  'not-supported': refused,
  'operation-forgotten': unsettledForGood,
  'wrong-cluster': refused,
  'duplicate-node': refused,
  'same-node': refused,
  'client-closed': unsettledForGood,
  aborted: unsettledForGood,
  'queue-full': refusedForNow,
};

/** The outcome and retryability of a code where nothing more is known; whoever knows better says so. */
export function errorDefaults(code: ErrorCodeName): { readonly outcome: Outcome; readonly retryable: boolean } {
  return defaults[code];
}

const names: ReadonlyMap<number, ErrorCodeName> = new Map(
  (Object.keys(ErrorCode) as ErrorCodeName[]).map((name) => [ErrorCode[name], name]),
);

/** The name of a code number; undefined for a number of a later version. */
export function errorCodeName(code: number): ErrorCodeName | undefined {
  return names.get(code);
}

import { Judge } from '../damage/judge.js';
import { logSample } from '../damage/log-sample.js';
import type { FuzzTarget } from './fuzz.js';

const sample = logSample('restarted');
const judge = new Judge(sample);
const paths = [...sample.files.keys()];

/** A log with any file replaced by other bytes is refused, or what is recovered is a beginning of it. */
export const logTarget: FuzzTarget = {
  name: 'log',
  corpus: () => paths.map((path, index) => new Uint8Array([index, ...used(sample.files.get(path))])),
  run: (input) => {
    const path = paths[(input[0] ?? 0) % paths.length] ?? '';
    // Files have one size: what is missing is zeros.
    const bytes = new Uint8Array(sample.files.get(path)?.length ?? 0);
    bytes.set(input.subarray(1, 1 + bytes.length));
    const problem = judge.beginning(new Map([...sample.files, [path, bytes]]));
    if (problem !== undefined) throw new Error(problem);
  },
};

function used(bytes: Uint8Array = new Uint8Array(0)): Uint8Array {
  return bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1);
}

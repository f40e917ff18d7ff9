import { readdirSync, readFileSync } from 'node:fs';

/**
 * CPU nanoseconds that all threads of the processes have used, from `/proc/<pid>/task/<tid>/schedstat` (first field:
 * time on a CPU). Clock ticks of `stat` are 10 ms, too coarse for rounds of a second. Threads that have ended are not
 * counted, and a system without `/proc` answers not-a-number.
 */
export function cpuNanoseconds(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    try {
      for (const thread of readdirSync(`/proc/${pid}/task`)) sum += threadNanoseconds(pid, thread);
    } catch {
      return Number.NaN;
    }
  }
  return sum;
}

function threadNanoseconds(pid: number, thread: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0]);
  } catch {
    return 0; // the thread ended between the listing and the read
  }
}

/** Resident bytes of a process (`VmRSS`), or not-a-number. */
export function residentBytes(pid: number): number {
  try {
    const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return line === null ? Number.NaN : Number(line[1]) * 1024;
  } catch {
    return Number.NaN;
  }
}

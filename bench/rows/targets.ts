import { atLeast, atMost, type Targets } from './row.js';

type TargetName =
  | 'getDepth64'
  | 'setDepth64'
  | 'depth1'
  | 'durableDepth64'
  | 'durableDepth1'
  | 'clusterDepth64'
  | 'clusterDepth1'
  | 'accountedBytes'
  | 'residentBytes'
  | 'restart'
  | 'client';

/**
 * What each row is held to: `target` and `cpuTarget` as docs/benchmarks.md explains them, `floor` the least that a
 * release may show on a noisy machine.
 */
export const TARGETS: Readonly<Record<TargetName, Targets>> = {
  getDepth64: { target: atLeast(1.5), floor: atLeast(1.4), cpuTarget: 1.8 },
  setDepth64: { target: atLeast(1.3), floor: atLeast(1.1), cpuTarget: 1.5 },
  depth1: { target: atLeast(0.85), floor: atLeast(0.8), cpuTarget: 0.8 },
  durableDepth64: { target: atLeast(1.5), floor: atLeast(1.3) },
  durableDepth1: { target: atLeast(1) },
  clusterDepth64: { target: atLeast(50), floor: atLeast(30) },
  clusterDepth1: { target: atLeast(10) },
  accountedBytes: { target: atMost(0.78, 'ratio'), floor: atMost(165, 'figure') },
  residentBytes: { target: atMost(0.95, 'ratio') },
  restart: { target: atMost(0.45, 'ratio'), floor: atMost(0.8, 'figure') },
  client: { target: atLeast(2.5), floor: atLeast(2), cpuTarget: 4 },
};

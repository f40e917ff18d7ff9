import { bodiesTarget } from './bodies-target.js';
import { framesTarget } from './frames-target.js';
import type { FuzzTarget } from './fuzz.js';
import { handshakeTarget } from './handshake-target.js';
import { logTarget } from './log-target.js';
import { clientTarget, peerTarget } from './node-targets.js';

export const targets: readonly FuzzTarget[] = [
  framesTarget,
  bodiesTarget,
  handshakeTarget,
  logTarget,
  clientTarget,
  peerTarget,
];

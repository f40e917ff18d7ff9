export { fairShares } from './fair-share.js';
export { type Movement, movement } from './movement.js';
export { place } from './place.js';
export type { NamedPlacement, Placement, PlacementInput, RingNode } from './topology.js';

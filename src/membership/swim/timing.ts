/** How often the detector looks at its deadlines, in milliseconds. */
export const TICK_MS = 200;

/** A protocol round: a probe takes as long, with all that may follow. */
export const ROUND_MS = 1000;

/**
 * Probes under way at once, evenly spread over the round. With one, a death among 100 goes unnoticed for more than three
 * rounds in one case of twenty, with two in one of four hundred.
 */
export const PROBES_AT_ONCE = 2;

/** Wait for the direct answer to a probe before others are asked; they have the rest of the round. */
export const DIRECT_MS = 400;

/** A relay says within this time whether it reached the target: well before the asker's round ends. */
export const RELAY_MS = 400;

/** Members that are asked to probe a target for a node that got no answer itself (SWIM, section 3.1). */
export const RELAYS = 3;

/**
 * Rounds that a suspect has to refute when others agree that it does not answer: enough for a node at a tenth of its
 * speed, and one more for each factor of ten in size, since what it hears and says takes so much longer to travel.
 */
const SUSPICION_ROUNDS = 4.5;
/** So many times longer when nobody else finds the same (Lifeguard, LHA-Suspicion). */
const SUSPICION_SPREAD = 6;
/** Independent accusers beside the first that bring the time down to the shortest. */
export const CONFIRMATIONS = 3;

/** A rumor is told so many times for each doubling of the cluster. */
const TELLINGS = 3;

/** A full exchange with somebody, in clusters of up to 32; rarer in larger ones, since it costs in proportion. */
const EXCHANGE_MS = 20_000;

/** How often one of the dead is tried again: after a cut both sides hold each other for dead, and nobody else would. */
export const KNOCK_MS: number = 5 * ROUND_MS;

/** The dead and those who left are remembered for this long, in milliseconds; members of the topology always. */
export const FORGET_MS: number = 24 * 3600 * 1000;

/**
 * Shortest and longest time in which a suspect must refute, with so many members present. `doubt`: its own health score,
 * as it told last. One that knows that it is slow is given longer, up to five times as long at the worst.
 */
export function suspicionMs(present: number, doubt: number): { readonly min: number; readonly max: number } {
  const min = (SUSPICION_ROUNDS + Math.log10(present)) * ROUND_MS;
  return { min: min * (1 + doubt / 2), max: min * SUSPICION_SPREAD };
}

/** How often a rumor is told by each who heard it. */
export function tellings(present: number): number {
  return TELLINGS * Math.ceil(Math.log2(present + 1));
}

/** Time between two full exchanges that a node begins. */
export function exchangeMs(present: number): number {
  return EXCHANGE_MS * Math.max(1, Math.ceil(Math.log2(Math.max(1, present / 32))) + 1);
}

/** Time as the node sees it. Nothing about data depends on the wall clock (expiry is the one exception). */
export interface Clock {
  /** Milliseconds, fractional, from an arbitrary origin; never goes back. */
  monotonicMs(): number;
  /** Milliseconds since 1970 as the machine believes; may jump either way. For logs and expiry only. */
  wallMs(): number;
}

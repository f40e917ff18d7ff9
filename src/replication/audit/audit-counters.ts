import type { Counter, Telemetry } from '../../ports/telemetry.js';

/** What the audit counts. */
export interface AuditCounters {
  readonly cycles: Counter;
  readonly differingBuckets: Counter;
  readonly repaired: Counter;
  readonly purged: Counter;
}

export function auditCounters(telemetry: Telemetry): AuditCounters {
  return {
    cycles: telemetry.counter('audit_cycles_total', 'Comparisons of all partitions shared with one peer.'),
    differingBuckets: telemetry.counter(
      'audit_differing_buckets_total',
      'Buckets that differed from a peer when looked at twice; writes on their way count too.',
    ),
    repaired: telemetry.counter('audit_repaired_total', 'Versions fetched from a peer because they were missing here.'),
    purged: telemetry.counter('audit_purged_total', 'Tombstones and expired values erased for good.'),
  };
}

import type { Counter, Histogram, Telemetry } from '../../src/ports/telemetry.js';

/** Telemetry that nobody reads. */
export class NullTelemetry implements Telemetry {
  log(): void {}

  counter(): Counter {
    return { value: 0 };
  }

  gauge(): void {}

  histogram(): Histogram {
    return { observe: () => {} };
  }
}

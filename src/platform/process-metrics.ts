import type { EventLoopDelay } from './event-loop-delay.js';
import type { MetricRegistry } from './metric-registry.js';

const MICROSECONDS = 1e6;
/** What Prometheus usually leaves between two scrapes. */
const WINDOW_MS = 15_000;

/** Registers what every process has: memory, CPU time, and how long its event loop keeps events waiting. */
export function registerProcessMetrics(registry: MetricRegistry, delay: EventLoopDelay): void {
  registry.gauge(
    'event_loop_delay_max_seconds',
    'Longest time an event waited for the event loop in the last 15 s.',
    () => delay.longestSeconds(WINDOW_MS),
  );
  registry.gauge('process_resident_bytes', 'Memory of the process that is in RAM.', () => process.memoryUsage.rss());
  registry.gauge('process_heap_used_bytes', 'JavaScript heap in use.', () => process.memoryUsage().heapUsed);
  registry.gauge(
    'process_array_buffers_bytes',
    'Memory of array buffers: segments, index tables, input and output.',
    () => process.memoryUsage().arrayBuffers,
  );
  registry.readCounter(
    'process_cpu_user_seconds_total',
    'CPU time spent in the process.',
    () => process.cpuUsage().user / MICROSECONDS,
  );
  registry.readCounter(
    'process_cpu_system_seconds_total',
    'CPU time spent in the kernel.',
    () => process.cpuUsage().system / MICROSECONDS,
  );
  registry.gauge('process_uptime_seconds', 'Time since the process started.', () => process.uptime());
}

import type { ClusterEvent } from '../documents.js';
import { showTime } from '../format.js';

/** What happened, the newest first. */
export function EventFeed({ events }: { readonly events: readonly ClusterEvent[] }) {
  return (
    <section class="card" aria-labelledby="events-title">
      <h2 id="events-title">Events</h2>
      {events.length === 0 ? (
        <p class="muted">Nothing has happened since the manager was started.</p>
      ) : (
        <ol class="events" aria-live="polite">
          {events.map(({ cursor, atMs, severity, message }) => (
            <li key={cursor} class={severity}>
              <time dateTime={new Date(atMs).toISOString()}>{showTime(atMs)}</time>
              <span class="dot" aria-hidden="true" />
              <span>{message}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

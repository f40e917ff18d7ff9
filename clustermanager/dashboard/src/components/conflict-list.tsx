import { useEffect, useState } from 'preact/hooks';
import { call } from '../api.js';
import type { Conflicts } from '../documents.js';
import { showTime } from '../format.js';

const SHOWN = 50;

/** Writes that lost to one that had not seen them. `total` changes when there is something new to ask for. */
export function ConflictList({ total }: { readonly total: number }) {
  const [found, setFound] = useState<Conflicts>();
  useEffect(() => {
    call<Conflicts>('GET', '/conflicts').then(setFound, () => {});
  }, [total]);
  const conflicts = found?.conflicts.slice(0, SHOWN) ?? [];
  return (
    <section class="card" aria-labelledby="conflicts-title">
      <h2 id="conflicts-title">Conflicts</h2>
      {conflicts.length === 0 ? (
        <p class="muted">No write that a node remembers has lost to one that had not seen it.</p>
      ) : (
        <ol class="events">
          {conflicts.map(({ atMs, key, winner, loser }) => (
            <li key={`${key}-${winner.stamp.counter}`} class="warning">
              <time dateTime={new Date(atMs).toISOString()}>{showTime(atMs)}</time>
              <span class="dot" aria-hidden="true" />
              <span>
                <code>{key}</code>: <Version version={winner} /> by node {winner.stamp.node} replaced{' '}
                <Version version={loser} /> by node {loser.stamp.node}
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function Version({
  version: { found, value, valueBase64, cut },
}: {
  readonly version: Conflicts['conflicts'][0]['winner'];
}) {
  if (!found) return <em>a deletion</em>;
  return (
    <code>
      {value ?? `base64:${valueBase64}`}
      {cut === true ? '…' : ''}
    </code>
  );
}

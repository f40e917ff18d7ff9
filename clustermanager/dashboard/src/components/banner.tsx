import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { call } from '../api.js';
import type { Cluster } from '../documents.js';

/** What is wrong, if anything is, and what is under way. */
export function Banner({ cluster, isUp }: { readonly cluster: Cluster | undefined; readonly isUp: boolean }) {
  if (!isUp)
    return <Notice kind="critical" title="The manager does not answer" lines={['What is shown is from before.']} />;
  if (cluster === undefined) return null;
  const { health, reasons, pending } = cluster;
  const titles = { ok: '', degraded: 'Degraded', critical: 'Critical', unknown: 'Unknown' };
  return (
    <>
      {health === 'ok' ? null : (
        <Notice kind={health === 'degraded' ? 'warning' : 'critical'} title={titles[health]} lines={reasons} />
      )}
      {pending === null ? null : (
        <Notice
          kind="info"
          title={pending.isPaused ? 'A change is paused' : 'A change is under way'}
          lines={[
            `${pending.changes.join(', ')}: ${pending.partitionsMoving} partitions get another owner; ${pending.copiesDone} of ${pending.copies} copies are taken.`,
          ]}
        >
          <progress max={Math.max(1, pending.copies)} value={pending.copiesDone} aria-label="Copies taken" />
          <div class="actions">
            <Act verb={pending.isPaused ? 'resume' : 'pause'} />
            <Act verb="abort" />
          </div>
        </Notice>
      )}
    </>
  );
}

/** Asks for the pending change to go on, to wait, or to be given up. */
function Act({ verb }: { readonly verb: 'pause' | 'resume' | 'abort' }) {
  const [problem, setProblem] = useState('');
  const act = (): void => {
    call('POST', `/topology/${verb}`).then(
      () => setProblem(''),
      (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)),
    );
  };
  return (
    <button type="button" title={problem} onClick={act}>
      {verb === 'abort' ? 'Abort' : verb === 'pause' ? 'Pause' : 'Resume'}
    </button>
  );
}

interface NoticeProps {
  readonly kind: 'info' | 'warning' | 'critical';
  readonly title: string;
  readonly lines: readonly string[];
  readonly children?: ComponentChildren;
}

function Notice({ kind, title, lines, children }: NoticeProps) {
  return (
    <section class={`notice ${kind}`} role="status">
      <strong>{title}</strong>
      <ul>
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      {children}
    </section>
  );
}

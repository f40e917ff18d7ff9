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
          lines={[`${pending.changes.join(', ')}: ${pending.partitionsMoving} partitions get another owner.`]}
        />
      )}
    </>
  );
}

interface NoticeProps {
  readonly kind: 'info' | 'warning' | 'critical';
  readonly title: string;
  readonly lines: readonly string[];
}

function Notice({ kind, title, lines }: NoticeProps) {
  return (
    <section class={`notice ${kind}`} role="status">
      <strong>{title}</strong>
      <ul>
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </section>
  );
}

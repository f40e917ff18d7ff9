import type { Cluster } from '../documents.js';
import { showBytes, showCount, showRate } from '../format.js';

const HEALTH = { ok: 'good', degraded: 'warning', critical: 'critical', unknown: 'critical' } as const;
const HEALTH_TEXT = { ok: 'Healthy', degraded: 'Degraded', critical: 'Critical', unknown: 'Unknown' } as const;

/** The numbers that say how the cluster is. */
export function Tiles({ cluster }: { readonly cluster: Cluster | undefined }) {
  if (cluster === undefined) return <section class="tiles" aria-busy="true" />;
  const { health, nodes, replicas, partitions, underReplicated } = cluster;
  const whole =
    underReplicated === 0
      ? `${partitions} partitions, ${replicas} copies each`
      : `${underReplicated} of ${partitions} partitions lack a copy`;
  return (
    <section class="tiles" aria-label="Cluster">
      <Tile label="Health" value={HEALTH_TEXT[health]} tone={HEALTH[health]} note={whole} />
      <Tile
        label="Nodes up"
        value={`${nodes.up} / ${nodes.total}`}
        tone={nodes.up === nodes.total ? undefined : 'warning'}
        note={`epoch ${cluster.epoch}`}
      />
      <Tile label="Operations / s" value={showRate(cluster.operationsPerSecond)} note="all nodes" />
      <Tile label="Keys" value={showCount(cluster.keys)} note={`${showBytes(cluster.liveBytes)} live, all copies`} />
      <Tile label="Memory" value={showBytes(cluster.residentBytes)} note={`${showBytes(cluster.diskBytes)} on disk`} />
      <Tile label="Conflicts" value={showCount(cluster.conflicts)} note="lost to a concurrent write" />
    </section>
  );
}

interface TileProps {
  readonly label: string;
  readonly value: string;
  readonly note: string;
  readonly tone?: 'good' | 'warning' | 'critical' | undefined;
}

function Tile({ label, value, note, tone }: TileProps) {
  return (
    <div class="card tile">
      <div class="tile-label">{label}</div>
      <div class={`tile-value ${tone ?? ''}`}>{value}</div>
      <div class="tile-note">{note}</div>
    </div>
  );
}

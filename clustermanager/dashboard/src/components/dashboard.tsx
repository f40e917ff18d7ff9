import { useEffect, useMemo, useState } from 'preact/hooks';
import { ApiFailure, call } from '../api.js';
import type { Cluster, ClusterEvent, NodeDocument, Ring, Sample } from '../documents.js';
import { follow } from '../live.js';
import type { Theme } from '../theme.js';
import { Banner } from './banner.js';
import { LatencyChart, OperationsChart } from './charts.js';
import { ConflictList } from './conflict-list.js';
import { EventFeed } from './event-feed.js';
import { KeyExplorer } from './key-explorer.js';
import { NodeTable } from './node-table.js';
import { RingCard } from './ring-card.js';
import { Tiles } from './tiles.js';
import { TopBar } from './top-bar.js';

const SAMPLES_MAX = 300;
const EVENTS_SHOWN = 200;

export interface DashboardProps {
  readonly theme: Theme;
  readonly onTheme: () => void;
  readonly onLogout: () => void;
}

/** The cluster at a glance. */
export function Dashboard({ theme, onTheme, onLogout }: DashboardProps) {
  const [cluster, setCluster] = useState<Cluster>();
  const [nodes, setNodes] = useState<readonly NodeDocument[]>([]);
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  const [events, setEvents] = useState<readonly ClusterEvent[]>([]);
  const [ring, setRing] = useState<Ring>();
  const [isUp, setIsUp] = useState(true);

  useEffect(() => {
    const expired = (error: unknown): void => {
      if (error instanceof ApiFailure && error.status === 401) onLogout();
    };
    call<{ samples: Sample[] }>('GET', '/metrics/summary').then(({ samples: past }) => setSamples(past), expired);
    return follow({
      onConnection: (up) => {
        setIsUp(up);
        // A refused WebSocket does not say why: ask in a way that does.
        if (!up) call('GET', '/cluster').catch(expired);
      },
      onExpired: onLogout,
      onEvents: (fresh, isAll) =>
        setEvents((known) =>
          [...fresh]
            .reverse()
            .concat(isAll ? [] : known)
            .slice(0, EVENTS_SHOWN),
        ),
      onState: (now, all, sample) => {
        setCluster(now);
        setNodes(all);
        if (sample !== null) setSamples((known) => withSample(known, sample));
      },
    });
  }, [onLogout]);

  const epoch = cluster?.epoch ?? 0;
  useEffect(() => {
    if (epoch > 0) call<Ring>('GET', '/ring').then(setRing, () => {});
  }, [epoch]);

  const states = useMemo(() => new Map(nodes.map(({ number, state }) => [number, state])), [nodes]);
  return (
    <div class="page">
      <TopBar cluster={cluster} isUp={isUp} theme={theme} onTheme={onTheme} onLogout={onLogout} />
      <main>
        <Banner cluster={cluster} isUp={isUp} />
        <Tiles cluster={cluster} />
        <div class="columns wide-right">
          <RingCard ring={ring} states={states} />
          <div class="stack">
            <NodeTable nodes={nodes} />
            <OperationsChart samples={samples} theme={theme} />
          </div>
        </div>
        <div class="columns">
          <LatencyChart samples={samples} theme={theme} />
          <EventFeed events={events} />
        </div>
        <div class="columns">
          <KeyExplorer />
          <ConflictList total={cluster?.conflicts ?? 0} />
        </div>
      </main>
    </div>
  );
}

function withSample(known: readonly Sample[], sample: Sample): readonly Sample[] {
  if (known.at(-1)?.atMs === sample.atMs) return known;
  return [...known, sample].slice(-SAMPLES_MAX);
}

import { useState } from 'preact/hooks';
import { call } from '../api.js';
import { nodeColor } from '../colors.js';
import type { NodeDocument } from '../documents.js';
import { showBytes, showCount, showDuration, showRate, showSeconds } from '../format.js';
import { ConfirmDialog } from './confirm-dialog.js';

type Kind = 'kill' | 'stop' | 'leave' | 'remove';
type Wanted = { readonly kind: Kind; readonly node: NodeDocument };

const TONES: Readonly<Record<string, string>> = {
  up: 'good',
  starting: 'info',
  draining: 'info',
  suspect: 'warning',
  unreachable: 'warning',
  dead: 'critical',
};

/** Every node with its state and load, and what can be done to it. */
export function NodeTable({ nodes }: { readonly nodes: readonly NodeDocument[] }) {
  const [wanted, setWanted] = useState<Wanted>();
  return (
    <section class="card nodes-card" aria-labelledby="nodes-title">
      <h2 id="nodes-title">Nodes</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">State</th>
            <th scope="col" class="number">
              Ops / s
            </th>
            <th scope="col" class="number">
              Keys
            </th>
            <th scope="col" class="number">
              Memory
            </th>
            <th scope="col" class="number">
              Disk
            </th>
            <th scope="col" class="number">
              Loop delay
            </th>
            <th scope="col">Lag to peers</th>
            <th scope="col">
              <span class="hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {nodes.map((node) => (
            <NodeRow key={node.number} node={node} onWant={(kind) => setWanted({ kind, node })} />
          ))}
        </tbody>
      </table>
      {wanted === undefined ? null : <Confirmation wanted={wanted} onClose={() => setWanted(undefined)} />}
    </section>
  );
}

function NodeRow({ node, onWant }: { readonly node: NodeDocument; readonly onWant: (kind: Kind) => void }) {
  const { number, address, zone, state, reason, sinceMs, load, storage, lag, uptimeMs } = node;
  const isAsked = state === 'up' || state === 'starting' || state === 'draining';
  const since = uptimeMs === undefined ? `for ${showDuration(Date.now() - sinceMs)}` : `up ${showDuration(uptimeMs)}`;
  return (
    <tr class={isAsked ? '' : 'away'} data-node={number} data-state={state}>
      <th scope="row" data-label="Node">
        <span class="swatch" style={{ background: nodeColor(number) }} />
        <span>
          node {number}
          <small>{zone === '' ? address : `${address}, ${zone}`}</small>
        </span>
      </th>
      <td data-label="State">
        <span class={`chip ${TONES[state] ?? ''}`}>{state}</span>
        <small title={reason}>{since}</small>
      </td>
      <td data-label="Ops / s" class="number">
        {load === undefined ? '–' : showRate(load.operationsPerSecond)}
      </td>
      <td data-label="Keys" class="number">
        {storage === undefined ? '–' : showCount(storage.keys)}
      </td>
      <td data-label="Memory" class="number">
        {load?.residentBytes === undefined ? '–' : showBytes(load.residentBytes)}
      </td>
      <td data-label="Disk" class="number">
        {storage === undefined ? '–' : showBytes(storage.diskBytes)}
      </td>
      <td data-label="Loop delay" class="number">
        {load?.eventLoopDelaySeconds === undefined ? '–' : showSeconds(load.eventLoopDelaySeconds)}
      </td>
      <td data-label="Lag to peers">
        {lag.length === 0 ? '–' : lag.map((peer) => <Lag key={peer.number} {...peer} />)}
      </td>
      <td class="row-actions">
        {actionsFor(state).map((kind) => (
          <button
            key={kind}
            type="button"
            class={kind === 'kill' || kind === 'remove' ? 'danger-quiet' : ''}
            onClick={() => onWant(kind)}
            aria-label={`${WORDS[kind].verb} node ${number}`}
          >
            {WORDS[kind].verb}
          </button>
        ))}
      </td>
    </tr>
  );
}

function Lag({ number, reachable, stream, lagRecords }: NodeDocument['lag'][number]) {
  const text = reachable ? (stream === 'live' ? showCount(lagRecords ?? 0) : (stream ?? '?')) : 'away';
  const tone = !reachable ? 'critical' : (lagRecords ?? 0) > 1000 || stream !== 'live' ? 'warning' : '';
  return (
    <span
      class={`lag ${tone}`}
      title={`towards node ${number}: ${stream ?? 'no stream'}, ${lagRecords ?? 0} records behind`}
    >
      →{number} {text}
    </span>
  );
}

interface Words {
  readonly verb: string;
  readonly path: string;
  readonly text: string;
}

const WORDS: Readonly<Record<Kind, Words>> = {
  kill: {
    verb: 'Kill',
    path: '/kill',
    text: 'The process ends at once, as by SIGKILL: nothing is finished and nobody is told. Nothing that was acknowledged is lost. It keeps what it owns and catches up when it is started again.',
  },
  stop: {
    verb: 'Stop',
    path: '/kill?graceful=true',
    text: 'The node finishes what it accepted, syncs and exits. It keeps what it owns and catches up when it is started again.',
  },
  leave: {
    verb: 'Leave',
    path: '/leave',
    text: 'The node hands over everything that it owns to the others, and then exits. Its directory cannot come back into the cluster.',
  },
  remove: {
    verb: 'Remove',
    path: '/remove',
    text: 'The others take over what it owned, for good. Its directory cannot come back into the cluster: start it again instead if its data is still there.',
  },
};

function actionsFor(state: string): readonly Kind[] {
  if (state === 'up' || state === 'starting') return ['leave', 'stop', 'kill'];
  if (state === 'draining') return ['kill'];
  return ['remove'];
}

function Confirmation({ wanted: { kind, node }, onClose }: { readonly wanted: Wanted; readonly onClose: () => void }) {
  const { verb, path, text } = WORDS[kind];
  const name = `node ${node.number}`;
  const act = async (): Promise<void> => {
    await call('POST', `/nodes/${node.number}${path}`);
  };
  const question = kind === 'leave' ? `Let ${name} leave?` : `${verb} ${name}?`;
  const action = kind === 'leave' ? `Let ${name} leave` : `${verb} ${name}`;
  return (
    <ConfirmDialog title={question} action={action} onConfirm={act} onClose={onClose}>
      <p>
        <strong>{node.address}</strong>
        {node.pid === undefined ? '' : `, process ${node.pid}`}
      </p>
      <p>{text}</p>
    </ConfirmDialog>
  );
}

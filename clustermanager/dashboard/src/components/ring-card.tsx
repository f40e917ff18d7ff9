import { useMemo, useState } from 'preact/hooks';
import { nodeColor } from '../colors.js';
import type { Ring } from '../documents.js';

export interface RingCardProps {
  readonly ring: Ring | undefined;
  readonly states: ReadonlyMap<number, string>;
}

/** A run of neighbouring partitions that look the same. */
interface Arc {
  readonly first: number;
  readonly count: number;
  readonly key: number;
}

const OUTER = 100;
const BAND = 13;
const GAP = 3;
const MARK = 5;

/** Who owns what, as a picture: a band for each place of the preference lists, the first one outside. */
export function RingCard({ ring, states }: RingCardProps) {
  const [pointed, setPointed] = useState<number>();
  return (
    <section class="card ring-card" aria-labelledby="ring-title">
      <h2 id="ring-title">Ring</h2>
      {ring === undefined ? (
        <p class="muted">No node has told it yet.</p>
      ) : (
        <>
          <RingPicture ring={ring} states={states} pointed={pointed} onPoint={setPointed} />
          <ul class="legend">
            {ring.nodes.map(({ number, zone, share }) => (
              <li key={number}>
                <span class="swatch" style={{ background: nodeColor(number) }} />
                node {number}
                {zone === '' ? null : <span class="muted"> {zone}</span>}
                <span class="muted number">{(share * 100).toFixed(1)} %</span>
                {isLive(states, number) ? null : <span class="chip critical">{states.get(number)}</span>}
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

interface PictureProps {
  readonly ring: Ring;
  readonly states: ReadonlyMap<number, string>;
  readonly pointed: number | undefined;
  readonly onPoint: (partition: number | undefined) => void;
}

function RingPicture({ ring, states, pointed, onPoint }: PictureProps) {
  const { partitions, owners, replicas, nextOwners, nodes } = ring;
  const bands = useMemo(() => {
    return Array.from({ length: replicas }, (_, place) => arcsOf(partitions, (at) => owners[at]?.[place] ?? 0));
  }, [ring]);
  const dead = nodes.filter(({ number }) => !isLive(states, number)).map(({ number }) => number);
  const lacking = arcsOf(partitions, (at) => (owners[at]?.some((owner) => dead.includes(owner)) ? 1 : 0));
  const moving = arcsOf(partitions, (at) => (nextOwners?.[at]?.some((owner) => !owners[at]?.includes(owner)) ? 1 : 0));
  const zones = new Map(nodes.map(({ number, zone }) => [number, zone]));
  const point = (event: MouseEvent & { currentTarget: SVGSVGElement }): void => {
    const box = event.currentTarget.getBoundingClientRect();
    const x = event.clientX - box.left - box.width / 2;
    const y = event.clientY - box.top - box.height / 2;
    const turn = (Math.atan2(x, -y) / (2 * Math.PI) + 1) % 1;
    onPoint(Math.min(partitions - 1, Math.floor(turn * partitions)));
  };
  const list = pointed === undefined ? undefined : owners[pointed];
  return (
    <svg
      class="ring"
      viewBox="-112 -112 224 224"
      role="img"
      aria-label={`${partitions} partitions on ${nodes.length} nodes, ${replicas} copies each`}
      onMouseMove={point}
      onMouseLeave={() => onPoint(undefined)}
    >
      {bands.map((arcs, place) =>
        arcs.map((arc) => (
          <path
            key={`${place}-${arc.first}`}
            d={arcPath(arc, partitions, OUTER - place * (BAND + GAP), BAND)}
            fill={nodeColor(arc.key)}
            class={dead.includes(arc.key) ? 'arc dead' : 'arc'}
          />
        )),
      )}
      {[
        { arcs: lacking, tone: 'critical' },
        { arcs: moving, tone: 'warning' },
      ].map(({ arcs, tone }) =>
        arcs
          .filter(({ key }) => key === 1)
          .map((arc) => (
            <path
              key={`${tone}-${arc.first}`}
              d={arcPath(arc, partitions, OUTER + MARK + 2, MARK - 2)}
              class={`mark ${tone}`}
            />
          )),
      )}
      {pointed === undefined ? null : (
        <path
          d={arcPath({ first: pointed, count: 1, key: 0 }, partitions, OUTER, (BAND + GAP) * replicas)}
          class="pointed"
        />
      )}
      <text class="ring-number" y={list === undefined ? -2 : -14}>
        {pointed === undefined ? partitions : pointed}
      </text>
      <text class="ring-text" y={list === undefined ? 14 : 2}>
        {pointed === undefined ? 'partitions' : 'partition'}
      </text>
      {list?.map((owner, place) => (
        <text key={owner} class="ring-text" y={16 + place * 11}>
          {place + 1}. node {owner}
          {zones.get(owner) === '' ? '' : ` (${zones.get(owner)})`}
        </text>
      ))}
    </svg>
  );
}

function isLive(states: ReadonlyMap<number, string>, number: number): boolean {
  const state = states.get(number) ?? 'up';
  return state === 'up' || state === 'draining';
}

function arcsOf(partitions: number, keyOf: (partition: number) => number): Arc[] {
  const arcs: Arc[] = [];
  for (let at = 0; at < partitions; at++) {
    const key = keyOf(at);
    const last = arcs.at(-1);
    if (last !== undefined && last.key === key) arcs[arcs.length - 1] = { ...last, count: last.count + 1 };
    else arcs.push({ first: at, count: 1, key });
  }
  return arcs;
}

function arcPath({ first, count }: Arc, partitions: number, radius: number, width: number): string {
  // A whole turn has no beginning and no end: it is drawn as nearly one.
  const end = count === partitions ? first + count - 0.001 : first + count;
  const at = (partition: number, distance: number): string => {
    const angle = (partition / partitions) * 2 * Math.PI;
    return `${(Math.sin(angle) * distance).toFixed(3)} ${(-Math.cos(angle) * distance).toFixed(3)}`;
  };
  const inner = radius - width;
  const large = count > partitions / 2 ? 1 : 0;
  return `M${at(first, radius)}A${radius} ${radius} 0 ${large} 1 ${at(end, radius)}L${at(end, inner)}A${inner} ${inner} 0 ${large} 0 ${at(first, inner)}Z`;
}

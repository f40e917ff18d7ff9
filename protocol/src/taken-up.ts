import type { WireRequest } from './change-request.js';
import type { WireNode, WireTopology } from './topology.js';
import type { WireChange } from './topology-rest.js';

/**
 * Whether a topology shows what a request asks for: done, or part of the change that is pending. Then nobody has to ask
 * any more.
 */
export function isTakenUp(topology: WireTopology, request: WireRequest): boolean {
  const { pending } = topology;
  const changes = pending?.changes ?? [];
  switch (request.kind) {
    case 'join':
      return topology.nodes.some(({ uuid }) => uuid === request.record.uuid);
    case 'leave':
    case 'remove':
    case 'replace': {
      const node = nodeOf(topology, request.node);
      if (node === undefined) return topology.removed.some(({ number }) => number === request.node);
      if (changes.some((change) => isDeparture(change) && change.node === request.node)) return true;
      // It may be asked to hand over, and be found dead before it did.
      return node.standing === 'departing' && request.kind === 'leave';
    }
    case 'weigh': {
      const changed = changes.find((change) => change.kind === 'weigh' && change.node === request.node);
      const weight = changed?.kind === 'weigh' ? changed.weight : nodeOf(topology, request.node)?.weight;
      return weight !== undefined && hundredths(weight) === hundredths(request.weight);
    }
    case 'move': {
      const changed = changes.find((change) => change.kind === 'move' && change.node === request.node);
      const place = changed?.kind === 'move' ? changed : nodeOf(topology, request.node);
      return place?.zone === request.zone && place.host === request.host;
    }
    case 'replicate': {
      const changed = changes.find((change) => change.kind === 'replicate');
      const factor = changed?.kind === 'replicate' ? changed.replicationFactor : topology.replicationFactor;
      return factor === request.replicationFactor;
    }
    case 'set':
      return topology.settings.find(({ name }) => name === request.name)?.value === request.value;
    case 'pause':
      return pending?.isPaused !== false;
    case 'resume':
      return pending?.isPaused !== true;
    case 'abort':
      return pending === undefined;
  }
}

function nodeOf(topology: WireTopology, number: number): WireNode | undefined {
  return topology.nodes.find((node) => node.number === number);
}

function isDeparture(change: WireChange): change is WireChange & { readonly node: number } {
  return change.kind === 'leave' || change.kind === 'remove';
}

/** As weights travel. */
function hundredths(weight: number): number {
  return Math.round(weight * 100);
}

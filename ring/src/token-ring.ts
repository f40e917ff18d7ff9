import { hashName, mix } from './hash.js';
import type { RingNode } from './topology.js';

/** Tokens of a node of weight 1. The load is held by quotas, so tokens need only mix the neighbours well. */
const tokensPerWeight = 32;

/** Bounds the ring: 1,000 nodes of any weight have at most 1,024,000 tokens (8 MiB while sorting). */
const tokensPerNodeMax = 1_024;

/** Positions are 32 bits; with 16 bits of node below them a token is an exact double. */
const nodeSpan = 65_536;

/** The points of all nodes on the ring of 32-bit positions, sorted by position, then node. */
export interface TokenRing {
  readonly positions: Uint32Array;
  readonly nodes: Uint16Array;
}

/**
 * Gives every node its tokens: as many as its weight asks for, at places that follow from its id alone, so that
 * they stay where they are whoever comes or goes (Karger et al. 1997; virtual nodes as in Dynamo, section 4.2).
 *
 * @param nodes in canonical order; the ring names them by index
 */
export function tokenRing(nodes: readonly RingNode[]): TokenRing {
  const counts = nodes.map((node) => {
    return Math.max(1, Math.min(tokensPerNodeMax, Math.round(node.weight * tokensPerWeight)));
  });
  const sorted = new Float64Array(counts.reduce((sum, count) => sum + count, 0));
  let filled = 0;
  for (const [index, node] of nodes.entries()) {
    const start = hashName(node.id, 0);
    const stride = hashName(node.id, 0x9e3779b9) | 1;
    for (let token = 0; token < (counts[index] ?? 0); token++) {
      sorted[filled++] = mix((start + Math.imul(token, stride)) | 0) * nodeSpan + index;
    }
  }
  sorted.sort();
  const positions = new Uint32Array(filled);
  const owners = new Uint16Array(filled);
  for (let token = 0; token < filled; token++) {
    positions[token] = Math.floor(sorted[token] / nodeSpan);
    owners[token] = sorted[token] % nodeSpan;
  }
  return { positions, nodes: owners };
}

/** For each partition the first token at or after its start: where the walk for its owners begins. */
export function partitionStarts(ring: TokenRing, partitions: number): Uint32Array {
  const starts = new Uint32Array(partitions);
  const arc = 2 ** 32 / partitions;
  let token = 0;
  for (let partition = 0; partition < partitions; partition++) {
    while (token < ring.positions.length && ring.positions[token] < partition * arc) token++;
    starts[partition] = token % ring.positions.length;
  }
  return starts;
}

/** What a node, or the manager, tells the `memdb dev` that started it. */
export type NodeReport =
  | { readonly kind: 'serving'; readonly id: string; readonly number: number }
  | { readonly kind: 'listening'; readonly url: string }
  | { readonly kind: 'waiting'; readonly reason: string }
  /** The cluster goes on without the node, which ends: as it should, when it left. */
  | { readonly kind: 'departed'; readonly message: string; readonly isOrderly: boolean }
  | { readonly kind: 'failed'; readonly message: string };

/** The line from a node to the process that started it; a node started by hand has none. */
export interface ParentChannel {
  send(report: NodeReport): void;
  /** Calls `callback` when the parent is gone, however it ended. */
  onGone(callback: () => void): void;
  /** Lets the process end although the parent still listens. */
  close(): void;
}

/** The channel to the parent, or undefined when there is none. */
export function openParentChannel(): ParentChannel | undefined {
  if (process.send === undefined) return undefined;
  return {
    send: (report) => {
      if (process.connected) process.send?.(report, undefined, undefined, () => {});
    },
    onGone: (callback) => void process.once('disconnect', callback),
    close: () => {
      if (process.connected) process.disconnect();
    },
  };
}

const kinds: readonly string[] = ['serving', 'listening', 'waiting', 'departed', 'failed'];

export function isNodeReport(message: unknown): message is NodeReport {
  if (typeof message !== 'object' || message === null || !('kind' in message)) return false;
  return typeof message.kind === 'string' && kinds.includes(message.kind);
}

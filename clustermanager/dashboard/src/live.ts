import { storedToken } from './api.js';
import type { Cluster, ClusterEvent, NodeDocument, Sample } from './documents.js';

/** What the live feed tells. */
export interface LiveListener {
  onState(cluster: Cluster, nodes: readonly NodeDocument[], sample: Sample | null): void;
  /** `isAll`: these replace what was known. */
  onEvents(events: readonly ClusterEvent[], isAll: boolean): void;
  onConnection(isUp: boolean): void;
  /** The token is good no more. */
  onExpired(): void;
}

type Message =
  | { readonly type: 'hello'; readonly cursor: string; readonly complete: boolean; readonly events: ClusterEvent[] }
  | { readonly type: 'event'; readonly event: ClusterEvent }
  | {
      readonly type: 'state';
      readonly cluster: Cluster;
      readonly nodes: NodeDocument[];
      readonly sample: Sample | null;
    };

const RETRY_MS = 1000;
const TOKEN_EXPIRED = 4401;

/** Follows the live feed and comes back after the last event seen; returns what ends it. */
export function follow(listener: LiveListener): () => void {
  let cursor: string | undefined;
  let socket: WebSocket | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isEnded = false;
  const connect = (): void => {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const after = cursor === undefined ? '' : `?after=${cursor}`;
    socket = new WebSocket(`${scheme}://${location.host}/live${after}`, ['memdb.live.v1', `token.${storedToken()}`]);
    socket.onopen = () => listener.onConnection(true);
    socket.onmessage = ({ data }) => take(JSON.parse(String(data)) as Message);
    socket.onclose = ({ code }) => {
      if (isEnded) return;
      listener.onConnection(false);
      if (code === TOKEN_EXPIRED) listener.onExpired();
      else timer = setTimeout(connect, RETRY_MS);
    };
  };
  const take = (message: Message): void => {
    switch (message.type) {
      case 'hello':
        cursor = message.cursor;
        listener.onEvents(message.events, !message.complete);
        break;
      case 'event':
        cursor = message.event.cursor;
        listener.onEvents([message.event], false);
        break;
      case 'state':
        listener.onState(message.cluster, message.nodes, message.sample);
        break;
    }
  };
  connect();
  return () => {
    isEnded = true;
    if (timer !== undefined) clearTimeout(timer);
    socket?.close();
  };
}

import { type Child, type Children, freePort, untilReady, versionOf } from '../children.js';
import type { Peer } from './peer.js';

const MEMBERS = 3;
export const ETCD_INSTALL = 'apt-get install etcd-server';

/** "etcd Version: 3.4.23" shortened to the version, or undefined when etcd is not installed. */
export function etcdVersion(): string | undefined {
  return versionOf('etcd', ['--version'])?.replace(/^etcd Version:\s*/, '');
}

/**
 * Three etcd members on loopback, each with a directory of its own, with the settings that etcd comes with (a put is
 * answered when a majority has it on disk). Not pinned: three processes share all cores, as MemDB's three nodes do.
 */
export async function startEtcd(children: Children): Promise<Peer> {
  const clientPorts: number[] = [];
  const peerPorts: number[] = [];
  for (let member = 0; member < MEMBERS; member++) {
    clientPorts.push(await freePort());
    peerPorts.push(await freePort());
  }
  const cluster = peerPorts.map((port, member) => `m${member}=http://127.0.0.1:${port}`).join(',');
  const members: Child[] = clientPorts.map((port, member) => {
    const peerUrl = `http://127.0.0.1:${peerPorts[member]}`;
    const clientUrl = `http://127.0.0.1:${port}`;
    const args = ['--name', `m${member}`, '--data-dir', children.makeDirectory('etcd'), '--logger', 'zap'];
    args.push('--log-level', 'error', '--initial-cluster', cluster, '--initial-cluster-state', 'new');
    args.push('--initial-advertise-peer-urls', peerUrl, '--listen-peer-urls', peerUrl);
    args.push('--advertise-client-urls', clientUrl, '--listen-client-urls', clientUrl);
    return children.start('etcd', 'etcd', args);
  });
  for (let member = 0; member < MEMBERS; member++) {
    await untilReady(members[member], () => isHealthy(clientPorts[member]), 100);
  }
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => children.stop(member)));
  };
  return { ports: clientPorts, pids: members.map((member) => member.pid), stop };
}

async function isHealthy(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/health`, { headers: { connection: 'close' } });
    return ((await response.json()) as { health?: string }).health === 'true';
  } catch {
    return false;
  }
}

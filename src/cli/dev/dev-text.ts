import { type ClusterFile, defaultDataDirectory } from './cluster-file.js';
import type { DevNodePlan } from './dev-plan.js';

/** What a person sees once the development cluster serves: what runs, and what to type next. */
export function servingText(cluster: ClusterFile, directory: string): string {
  const rows = cluster.nodes.map(
    (node, offset) => `  node${offset + 1}  ${node.address}  http://${node.http}/metrics  process ${node.pid}`,
  );
  const manager =
    cluster.manager === null ? [] : [`  dashboard  ${cluster.manager.url}  log in with the admin key below`];
  const findsItself = directory === defaultDataDirectory;
  const environment = findsItself ? [] : [`  export MEMDB_URL='${cluster.clientUrl}'`];
  const data = findsItself ? '' : ` --data ${directory}`;
  const adminUrl = findsItself ? '' : ` --url '${cluster.adminUrl}'`;
  const adminKey = /^memdb:\/\/([^@]*)@/.exec(cluster.adminUrl)?.[1] ?? '';
  const last = cluster.nodes.length;
  return `MemDB serves: ${cluster.nodes.length} nodes, data in ${directory}

${[...rows, ...manager].join('\n')}

Try it from another terminal, in this directory:
${[...environment, '  npx memdb set greeting hello', '  npx memdb get greeting', '  npx memdb quorum-get greeting'].join('\n')}

See a node die, and come back:
  npx memdb kill ${cluster.nodes[last - 1]?.number ?? last}${adminUrl}
  npx memdb dev start ${last}${data}

From a program: connect('${cluster.clientUrl}')
Admin key: ${adminKey}
Logs: ${directory}/node1/memdb.log and so on. Ctrl-C stops everything; the data stays.
`;
}

export function departedText(plan: DevNodePlan, message: string): string {
  return `memdb: ${plan.name}: ${message}`;
}

export function deathText(plan: DevNodePlan, how: string, directory: string): string {
  const data = directory === defaultDataDirectory ? '' : ` --data ${directory}`;
  return `memdb: ${plan.name} died (${how}); it is not restarted. Its log: ${directory}/${plan.name}/memdb.log. Start it again with: npx memdb dev start ${plan.index}${data}`;
}

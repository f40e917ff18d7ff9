/**
 * The process that loads a server: one kind of server per process, so that its hot loops stay monomorphic. Jobs and
 * answers travel over the message channel of the process that started it.
 */

import { etcdWire } from './etcd-wire.js';
import { Generator } from './generator.js';
import type { Credentials, Job } from './jobs.js';
import { MemdbOpening } from './memdb-opening.js';
import { memdbWire } from './memdb-wire.js';
import { redisWire } from './redis-wire.js';
import type { Wire } from './wire.js';

function wireNamed(name: string | undefined, credentials: Credentials | undefined): Wire {
  switch (name) {
    case 'memdb':
      return memdbWire(() => (credentials === undefined ? undefined : new MemdbOpening(credentials)));
    case 'redis':
      return redisWire;
    case 'etcd':
      return etcdWire;
    default:
      throw new Error(`no such protocol: ${name}`);
  }
}

const secret = process.env.MEMDB_BENCH_CREDENTIALS;
const credentials = secret === undefined ? undefined : (JSON.parse(secret) as Credentials);
const generator = new Generator(wireNamed(process.argv[2], credentials));

process.on('message', (job: Job) => {
  generator.run(job).then(
    (result) => process.send?.({ kind: 'done', result }),
    (error: unknown) => process.send?.({ kind: 'failed', message: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));

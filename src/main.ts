import { readFileSync } from 'node:fs';
import { processIo } from './cli/process-io.js';
import { runCli } from './cli/program.js';

/** The process: `bin/memdb.js` starts it. */
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const io = processIo();
const code = await runCli({
  arguments: process.argv.slice(2),
  version,
  io,
  // Commands that talk to no cluster start without the client.
  connect: async (target, options) => (await import('@memdb/client')).connect(target, options),
});
// A node that could not start leaves threads and listeners behind: the process ends, once its last words are out.
io.end(code);

import { readFileSync } from 'node:fs';
import { connect } from '@memdb/client';
import { processIo } from './cli/process-io.js';
import { runCli } from './cli/program.js';

/** The process: `bin/memdb.js` starts it. */
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const io = processIo();
const code = await runCli({ arguments: process.argv.slice(2), version, io, connect });
// A node that could not start leaves threads and listeners behind: the process ends, once its last words are out.
io.end(code);

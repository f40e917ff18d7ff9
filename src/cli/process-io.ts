import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { systemErrorCode } from '../platform/disk-error.js';
import { FileDisk } from '../platform/file-disk.js';
import { SystemClock } from '../platform/system-clock.js';
import { SystemTimers } from '../platform/system-timers.js';
import { isDirectory, readWholeFile } from '../platform/whole-file.js';
import { CliError } from './cli-error.js';
import type { CliIo } from './cli-io.js';
import { ExitCode } from './exit-code.js';

/** The real process, which can also be ended. */
export interface ProcessIo extends CliIo {
  /** Ends the process once what was written has left. */
  end(code: number): void;
}

/** The real process: its standard streams, environment and files. */
export function processIo(): ProcessIo {
  // Whoever reads our output may stop reading (`| head`): that is no failure of ours.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => process.exit(ExitCode.failed));
  const workingDirectory = process.cwd();
  const clock = new SystemClock();
  const timers = new SystemTimers();
  const readFile = (path: string): Uint8Array => {
    try {
      return readWholeFile(resolve(workingDirectory, path));
    } catch (error) {
      throw new CliError('file-unreadable', ExitCode.failed, `cannot read ${path}: ${reason(error)}`, error);
    }
  };
  return {
    environment: process.env,
    workingDirectory,
    outputIsTerminal: process.stdout.isTTY === true,
    inputIsTerminal: process.stdin.isTTY === true,
    readLine,
    writeOutput: (data) => void process.stdout.write(data),
    nowMs: () => clock.wallMs(),
    pause: (milliseconds) => new Promise((resolve) => timers.start(milliseconds, resolve)),
    isDirectory: (path) => isDirectory(resolve(workingDirectory, path)),
    openDirectory: (path) => new FileDisk(resolve(workingDirectory, path)),
    outputDrained: () =>
      new Promise((resolve) => {
        if (process.stdout.writableNeedDrain) process.stdout.once('drain', resolve);
        else resolve();
      }),
    writeError: (text) => void process.stderr.write(text),
    readInput,
    readFile,
    readFileIfExists: (path) => {
      try {
        return readFile(path);
      } catch (error) {
        if (error instanceof CliError && systemErrorCode(error.cause) === 'ENOENT') return undefined;
        throw error;
      }
    },
    end: (code) => {
      process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
    },
  };
}

/** Empty when the input ends before there is one. */
async function readLine(): Promise<string> {
  const lines = createInterface({ input: process.stdin });
  for await (const line of lines) {
    lines.close();
    return line;
  }
  return '';
}

async function readInput(bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of process.stdin) {
    const bytes = chunk as Uint8Array;
    total += bytes.length;
    if (total > bytesMax) {
      throw new CliError('value-too-large', ExitCode.failed, `standard input holds more than ${bytesMax} bytes`);
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'part of the path is not a directory',
};

/** Why a file could not be used, for the end of a sentence. */
function reason(error: unknown): string {
  return reasons[systemErrorCode(error)] ?? (error instanceof Error ? error.message : String(error));
}

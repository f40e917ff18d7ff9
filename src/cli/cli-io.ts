import type { Disk } from '../ports/disk.js';

/** What a command sees of the process it runs in. Tests pass their own. */
export interface CliIo {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Relative paths start here. */
  readonly workingDirectory: string;
  /** A person is looking: a value gets a newline after it. */
  readonly outputIsTerminal: boolean;
  /** A person can be asked. */
  readonly inputIsTerminal: boolean;
  /** The next line of standard input, without its end. */
  readLine(): Promise<string>;
  writeOutput(data: string | Uint8Array): void;
  /** The wall clock, Unix milliseconds. */
  nowMs(): number;
  /** Resolves after so many milliseconds. */
  pause(milliseconds: number): Promise<void>;
  isDirectory(path: string): boolean;
  /** A directory, which need not exist yet. */
  openDirectory(path: string): Disk;
  /** Resolves once whoever reads standard output has taken what was written. */
  outputDrained(): Promise<void>;
  writeError(text: string): void;
  /** Everything on standard input, up to `bytesMax`; more is an error. */
  readInput(bytesMax: number): Promise<Uint8Array>;
  /** The whole file. Throws `CliError` when it cannot be read. */
  readFile(path: string): Uint8Array;
  /** The whole file, or undefined when there is none. */
  readFileIfExists(path: string): Uint8Array | undefined;
}

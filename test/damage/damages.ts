import { MANIFEST_PATH } from '../../src/storage/manifest.js';
import type { Expected, Judge } from './judge.js';
import { blocksOf, type FileLayout, type LogLayout, layoutOf, type PlacedRecord } from './log-layout.js';
import type { LogSample } from './log-sample.js';

/** Which of all damages are tried: the `part`-th of `parts` equal parts, from 1 on. */
export interface Stratum {
  readonly part: number;
  readonly parts: number;
}

export interface DamageReport {
  readonly tried: number;
  readonly refused: number;
  readonly recovered: number;
  /** What went otherwise than it must, with the place. */
  readonly wrong: readonly string[];
}

const SEGMENT_HEADER_BYTES = 64;
/** Enough to see what is wrong. */
const WRONG_MAX = 20;

/** Damages one log in every way of a kind, each by itself, and counts what starts make of it. */
export class Damages {
  readonly #files: Map<string, Uint8Array>;
  readonly #layout: LogLayout;
  readonly #judge: Judge;
  readonly #lastLsn: number;
  readonly #stratum: Stratum;
  #number = 0;
  #tried = 0;
  #refused = 0;
  #wrong: string[] = [];

  constructor(sample: LogSample, judge: Judge, stratum: Stratum) {
    const { part, parts } = stratum;
    if (!Number.isInteger(part) || !Number.isInteger(parts) || part < 1 || part > parts) {
      throw new RangeError(`there is no part ${part} of ${parts}; the first one is 1`);
    }
    this.#files = new Map([...sample.files].map(([path, bytes]) => [path, bytes.slice()]));
    this.#layout = layoutOf(this.#files);
    this.#judge = judge;
    this.#lastLsn = sample.records.length;
    this.#stratum = stratum;
  }

  get report(): DamageReport {
    return {
      tried: this.#tried,
      refused: this.#refused,
      recovered: this.#tried - this.#refused,
      wrong: this.#wrong.slice(0, WRONG_MAX),
    };
  }

  /** Every bit of every file, one at a time; of the zeros behind the records only every `zeroStride`th byte. */
  flipBits(zeroStride: number): void {
    for (const [path, bytes] of this.#files) {
      const file = this.#layout.files.find((layout) => layout.path === path);
      for (let position = 0; position < bytes.length; position++) {
        if (position > this.#interesting(file, bytes) && position % zeroStride !== 0) continue;
        // Few, and each matters: every bit of the manifest and of the headers is in the first part too.
        const always = this.#stratum.part === 1 && (file === undefined || position < SEGMENT_HEADER_BYTES);
        for (let bit = 0; bit < 8; bit++) {
          if (!this.#isMine() && !always) continue;
          bytes[position] = (bytes[position] ?? 0) ^ (1 << bit);
          this.#try(`bit ${bit} of byte ${position} of ${path}`, this.#afterFlip(path, file, position));
          bytes[position] = (bytes[position] ?? 0) ^ (1 << bit);
        }
      }
    }
  }

  /** Every file cut off at every offset. */
  truncate(): void {
    for (const [path, bytes] of [...this.#files]) {
      const file = this.#layout.files.find((layout) => layout.path === path);
      for (let length = 0; length < bytes.length; length++) {
        if (!this.#isMine()) continue;
        this.#files.set(path, bytes.subarray(0, length));
        this.#try(`${path} cut off at ${length}`, this.#afterCut(path, file, length));
      }
      this.#files.set(path, bytes);
    }
  }

  /** Every file lost. */
  loseFiles(): void {
    for (const [path, bytes] of [...this.#files]) {
      const role = this.#layout.files.find((layout) => layout.path === path)?.role;
      this.#files.delete(path);
      const next = this.#layout.files.filter((layout) => layout.role === 'chain' && layout.path > path);
      // The youngest file of all leaves no trace when it held nothing.
      const mayGo = role === 'prepared' || role === 'left';
      const expected: Expected = mayGo ? this.#everything() : { kind: 'refused', files: [path] };
      if (role !== 'chain' || next.length > 0) this.#try(`${path} lost`, expected, role === 'prepared');
      this.#files.set(path, bytes);
    }
  }

  /** What the last write may leave behind the proven point: its records up to an offset, and zeros. */
  tearTail(): void {
    const { provenId, provenOffset, files } = this.#layout;
    for (const file of files) {
      if (file.role !== 'chain' || file.id < provenId) continue;
      const bytes = this.#files.get(file.path) ?? new Uint8Array(0);
      const whole = bytes.slice();
      for (let from = file.end - 1; from >= (file.id === provenId ? provenOffset : 0); from--) {
        bytes[from] = 0;
        // Records after it, in later files, would have to be gone with it.
        if (file !== files.findLast(({ role }) => role === 'chain') || !this.#isMine()) continue;
        this.#try(`${file.path} with zeros from ${from}`, {
          kind: 'recovered',
          lsn: this.#lastBefore(file, from, whole),
        });
      }
      bytes.set(whole);
    }
  }

  #isMine(): boolean {
    return this.#number++ % this.#stratum.parts === this.#stratum.part - 1;
  }

  /** `either`: a refusal is as good. */
  #try(what: string, expected: Expected, either: boolean = false): void {
    this.#tried++;
    if (expected.kind === 'refused') this.#refused++;
    let problem: string | undefined;
    try {
      problem = this.#judge.verdict(this.#files, expected);
    } catch (error) {
      problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    }
    if (problem === undefined || (either && problem.startsWith('refused'))) return;
    this.#wrong.push(`${what}: ${problem} (expected: ${JSON.stringify(expected)})`);
  }

  #everything(): Expected {
    return { kind: 'recovered', lsn: this.#lastLsn };
  }

  #interesting(file: FileLayout | undefined, bytes: Uint8Array): number {
    if (file === undefined || file.isCompressed) return bytes.length;
    // A little further: the zeros that end the chain.
    return file.end + SEGMENT_HEADER_BYTES;
  }

  #afterFlip(path: string, file: FileLayout | undefined, position: number): Expected {
    if (path === MANIFEST_PATH) return { kind: 'refused', files: [path] };
    if (file === undefined || file.role === 'prepared' || file.role === 'left' || position >= file.end)
      return this.#everything();
    if (file.isCompressed) return { kind: 'refused', files: [path], offset: this.#blockAt(path, position) };
    const record = file.records.find((candidate) => candidate.offset <= position && position < candidate.end);
    if (file.role === 'named' || this.#isProven(file, position)) return this.#refusal(file, record);
    if (record === undefined) return { kind: 'recovered', lsn: this.#before(file) };
    return { kind: 'recovered', lsn: record.lsn - 1 };
  }

  #afterCut(path: string, file: FileLayout | undefined, length: number): Expected {
    if (file?.role === 'left') return this.#everything();
    if (file?.isCompressed === true) return { kind: 'refused', files: [path] };
    if (file?.role === 'named' && length >= file.end) return this.#everything();
    // A file of zeros may be shorter: a crash comes while it is made. Without a whole header it says nothing, though.
    if (file?.role === 'prepared' && length >= SEGMENT_HEADER_BYTES) return this.#everything();
    return { kind: 'refused', files: [path] };
  }

  #isProven(file: FileLayout, position: number): boolean {
    const { provenId, provenOffset } = this.#layout;
    return file.id < provenId || (file.id === provenId && position < provenOffset);
  }

  /** The header of a segment ties it to the one before: its damage may be named at either. */
  #refusal(file: FileLayout, record: PlacedRecord | undefined): Expected {
    if (record !== undefined) return { kind: 'refused', files: [file.path], offset: record.offset };
    const index = this.#layout.files.indexOf(file);
    const before = this.#layout.files[index - 1];
    const after = this.#layout.files[index + 1];
    const files = [file, before, after].filter((one) => one !== undefined).map(({ path }) => path);
    return { kind: 'refused', files };
  }

  /** Where the block of a compressed file begins that this byte belongs to; 0: its header. */
  #blockAt(path: string, position: number): number {
    return blocksOf(this.#files.get(path) ?? new Uint8Array(0)).findLast((start) => start <= position) ?? 0;
  }

  #before(file: FileLayout): number {
    return (file.records[0]?.lsn ?? this.#lastLsn + 1) - 1;
  }

  /** The last LSN whose record ends at or before `from`. Zero bytes at its end may be zero anyway. */
  #lastBefore(file: FileLayout, from: number, whole: Uint8Array): number {
    const damaged = file.records.find((record) =>
      whole.subarray(Math.max(from, record.offset), record.end).some((byte) => byte !== 0),
    );
    return damaged === undefined ? this.#lastLsn : damaged.lsn - 1;
  }
}

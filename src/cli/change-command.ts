import type { Client, ClusterChange, ClusterTopology } from '@memdb/client';
import { isTakenUp, MemDbError } from '@memdb/protocol';
import { type Command, Option } from 'commander';
import type { CliContext } from './cli-context.js';
import { CliError } from './cli-error.js';
import { confirm } from './confirm.js';
import { addDataOptions, type DataOptions, withAdmin } from './data-command.js';
import { ExitCode } from './exit-code.js';
import { askNodes } from './node-statuses.js';
import { roundBytes } from './text-table.js';

export interface ChangeOptions extends DataOptions {
  readonly yes?: boolean;
  readonly wait: boolean;
}

/** One change that a person asks for. */
export interface AskedChange {
  readonly request: ClusterChange;
  /** Undefined where nobody has to be asked. */
  readonly question: string | undefined;
  /** Whether it is done, once it was taken up. */
  readonly isDone: (topology: ClusterTopology) => boolean;
  /** What is said in the end, and when it was only taken up. */
  readonly done: string;
  readonly begun: string;
}

/** Between two looks at the cluster; it is asked again each time, until the change shows. */
const LOOK_MS = 500;

/** Options that every command takes that changes the cluster. */
export function addChangeOptions(command: Command): Command {
  addDataOptions(command, false);
  return command
    .option('--yes', 'do not ask')
    .addOption(new Option('--no-wait', 'do not wait until it is done: only until it has begun'));
}

/** Asks for a change and follows it to its end. */
export async function runChange(
  context: CliContext,
  options: ChangeOptions,
  plan: (client: Client, topology: ClusterTopology) => AskedChange,
): Promise<void> {
  await withAdmin(context, options, async (client) => {
    const asked = plan(client, await client.admin.topology());
    const { question } = asked;
    if (question !== undefined) await confirm(question, options.yes === true, context);
    context.mayWrite = true;
    await new ChangeFollower(context, client, asked).follow(options.wait);
  });
}

/** What becomes of a change, as the epochs show it. */
class ChangeFollower {
  readonly #context: CliContext;
  readonly #client: Client;
  readonly #asked: AskedChange;
  #said = '';

  constructor(context: CliContext, client: Client, asked: AskedChange) {
    this.#context = context;
    this.#client = client;
    this.#asked = asked;
  }

  async follow(waits: boolean): Promise<void> {
    const { request, isDone, done, begun } = this.#asked;
    const { report } = this.#context;
    const taken = await this.#untilTakenUp();
    let topology = taken;
    while (waits && !isDone(topology)) {
      // A change of owners that is pending no more, and is not done, was aborted.
      if (isAborted(taken, topology, request)) {
        throw new CliError('change-aborted', ExitCode.failed, 'the change was aborted; everything is as it was');
      }
      await this.#sayProgress(topology);
      await this.#context.io.pause(LOOK_MS);
      topology = await this.#topology(topology);
    }
    const isOver = isDone(topology);
    report.result({ change: request.kind, epoch: topology.epoch, done: isOver }, `${isOver ? done : begun}\n`);
  }

  async #untilTakenUp(): Promise<ClusterTopology> {
    const { request } = this.#asked;
    let isKept = false;
    for (;;) {
      const topology = await this.#client.admin.topology();
      if (isTakenUp(topology, request)) return topology;
      try {
        await this.#client.admin.change(request);
        isKept = true;
      } catch (error) {
        if (!(error instanceof MemDbError) || !isKept) throw error;
        // It was taken up since, and asking for it again is refused: the next look shows it. Or it cannot be any more.
        const now = await this.#client.admin.topology();
        if (isTakenUp(now, request)) return now;
        if (!error.retryable) throw error;
      }
      if (topology.pending !== undefined && !isAboutPending(request)) this.#say('another change is pending; waiting');
      else if (request.kind === 'replace') this.#say('waiting for a new node: start one with an empty data directory');
      await this.#context.io.pause(LOOK_MS);
    }
  }

  /** The newest that a node shows; nodes come and go meanwhile. */
  async #topology(last: ClusterTopology): Promise<ClusterTopology> {
    try {
      const topology = await this.#client.admin.topology();
      return topology.epoch > last.epoch ? topology : last;
    } catch (error) {
      if (error instanceof MemDbError && error.retryable) return last;
      throw error;
    }
  }

  async #sayProgress(topology: ClusterTopology): Promise<void> {
    if (topology.pending?.isPaused === true) {
      this.#say('the change is paused; memdb change resume lets it go on');
      return;
    }
    const reports = [...(await askNodes(this.#client, topology)).values()];
    const transfers = reports.flatMap((report) => report?.transfer ?? []);
    const filled = transfers.reduce((sum, transfer) => sum + transfer.filled, 0);
    const partitions = transfers.reduce((sum, transfer) => sum + transfer.partitions, 0);
    const bytes = transfers.reduce((sum, transfer) => sum + transfer.bytesTaken, 0);
    if (topology.pending !== undefined) {
      this.#say(`${filled} of ${partitions} copies of partitions are where they belong, ${roundBytes(bytes)} moved`);
    } else this.#say('the new owners own everything; what is left is handed over');
  }

  #say(text: string): void {
    if (text === this.#said) return;
    this.#said = text;
    this.#context.report.note(text);
  }
}

function isAborted(taken: ClusterTopology, topology: ClusterTopology, request: ClusterChange): boolean {
  if (taken.pending === undefined) return false;
  return topology.pending?.begun !== taken.pending.begun && !isTakenUp(topology, request);
}

function isAboutPending({ kind }: ClusterChange): boolean {
  return kind === 'pause' || kind === 'resume' || kind === 'abort';
}

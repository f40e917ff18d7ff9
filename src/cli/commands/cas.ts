import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, callOptions, type DataOptions, withClient } from '../data-command.js';
import { ExitCode } from '../exit-code.js';

interface CasOptions extends DataOptions {
  readonly absent?: boolean;
}

/** `memdb cas KEY EXPECTED NEXT`: exits with 3 when the key holds something else, with 5 when nobody knows. */
export function registerCas(program: Command, context: CliContext): void {
  const command = program
    .command('cas')
    .description('set a key to a value if it has another one now (with --absent: if it has none)')
    .argument('<key>')
    .argument('<values...>', 'EXPECTED NEXT, or NEXT alone with --absent')
    .option('--absent', 'the key must not exist');
  addDataOptions(command, false).action(async (key: string, values: readonly string[], options: CasOptions) => {
    const wanted = options.absent === true ? 1 : 2;
    if (values.length !== wanted)
      command.error(`error: cas takes KEY ${wanted === 1 ? 'NEXT with --absent' : 'EXPECTED NEXT'}`);
    const expected = options.absent === true ? undefined : values[0];
    context.mayWrite = true;
    await withClient(context, options, async (client) => {
      const next = values[wanted - 1];
      const { applied, actual, stamp } = await client.compareAndSet(key, { expected, next }, callOptions(options));
      if (!applied) context.exitCode = ExitCode.notFound;
      const held = actual === undefined ? 'it has no value' : `it holds ${JSON.stringify(actual)}`;
      const document = { key, applied, actual: actual ?? null, stamp: { ...stamp } };
      context.report.result(document, applied ? 'applied\n' : `not applied: ${held}\n`);
    });
  });
}

import type { Client } from '@memdb/client';
import { type Command, InvalidArgumentError } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, callOptions, type DataOptions, withClient } from '../data-command.js';

type Counter = ReturnType<Client['counter']>;

/** `memdb counter get NAME`, `memdb counter add NAME [N]`, `memdb counter subtract NAME [N]`. */
export function registerCounter(program: Command, context: CliContext): void {
  const counter = program.command('counter').description('read a counter, or count');
  const get = counter.command('get').description('print the value of a counter').argument('<name>');
  addDataOptions(get, true).action(async (name: string, options: DataOptions) => {
    await withClient(context, options, async (client) => {
      const value = await client.counter(name).get(callOptions(options));
      context.report.result({ counter: name, value: `${value}` }, `${value}\n`);
    });
  });
  registerCount(counter, context, 'add', 'add to a counter', (named, amount, options) => named.add(amount, options));
  registerCount(counter, context, 'subtract', 'subtract from a counter', (named, amount, options) =>
    named.subtract(amount, options),
  );
}

function registerCount(
  counter: Command,
  context: CliContext,
  verb: 'add' | 'subtract',
  description: string,
  count: (named: Counter, amount: bigint, options: ReturnType<typeof callOptions>) => Promise<void>,
): void {
  const command = counter
    .command(verb)
    .description(`${description}; waits for one replica unless --consistency says otherwise`)
    .argument('<name>')
    .argument('[n]', 'a whole number', parseAmount, 1n);
  addDataOptions(command, true).action(async (name: string, amount: bigint, options: DataOptions) => {
    context.mayWrite = true;
    await withClient(context, options, async (client) => {
      await count(client.counter(name), amount, callOptions(options));
      const done = verb === 'add' ? 'added' : 'subtracted';
      context.report.result({ counter: name, [done]: `${amount}` }, `${done}\n`);
    });
  });
}

function parseAmount(text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('Give a whole number, such as 1 or 250.');
  return BigInt(text);
}

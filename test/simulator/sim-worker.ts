/**
 * A process that runs seeds: one message for each, one report back. Which planted bug it runs with, if any, is in its
 * first argument: it is put into the modules as they are loaded, so the simulator is imported behind that.
 */
import { plantMutant } from '../mutants/plant-mutant.js';

const [mutant] = process.argv.slice(2);
const planted = mutant === undefined ? undefined : plantMutant(mutant);
const { simulate } = await import('../harness/simulate.js');
await planted?.confirm();

process.on('message', (options: Parameters<typeof simulate>[0]) => {
  void simulate(options).then((report) => process.send?.(report));
});
process.send?.('ready');

import { register } from 'node:module';
import { MessageChannel } from 'node:worker_threads';
import { type Edit, mutantOf } from './mutants.js';

export interface Planted {
  /** Resolves when the module was loaded with the bug in it; rejects when it was not loaded, or the text not found. */
  confirm(): Promise<void>;
}

/**
 * Has one planted bug put into its module when that is loaded: a text of the compiled code is replaced on its way from
 * the file to the engine. Nothing on disk changes, and no switch exists that a release could carry.
 */
export function plantMutant(name: string): Planted {
  const { also = [], ...edit } = mutantOf(name);
  const planted = [edit, ...also].map((one) => plant(name, one));
  return {
    confirm: async () => {
      for (const { confirm } of planted) await confirm();
    },
  };
}

function plant(name: string, { file, find, replace }: Edit): Planted {
  const { port1, port2 } = new MessageChannel();
  const answer = new Promise<string>((resolve) => {
    port1.once('message', resolve);
  });
  const order: Edit = { file, find, replace };
  register('./mutant-hook.js', import.meta.url, { data: { order, port: port2 }, transferList: [port2] });
  return {
    confirm: async () => {
      const timeout = new Promise<string>((resolve) => {
        setTimeout(resolve, CONFIRM_MS, `${file} was not loaded`).unref();
      });
      const said = await Promise.race([answer, timeout]);
      port1.close();
      if (said !== 'planted') throw new Error(`the mutant ${name} cannot be planted: ${said}`);
    },
  };
}

/** The hook answered long before: the modules are loaded when this is asked. */
const CONFIRM_MS = 5000;

/** The loader hook of `plantMutant`; runs on a thread of its own. */
import type { LoadHook } from 'node:module';
import type { MessagePort } from 'node:worker_threads';
import type { Edit } from './mutants.js';
import { replaceOnce } from './replace-once.js';

interface HookData {
  readonly order: Edit;
  readonly port: MessagePort;
}

let planting: HookData | undefined;

export function initialize(data: HookData): void {
  planting = data;
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  if (planting === undefined || !url.endsWith(`/${planting.order.file}`)) return loaded;
  const { order, port } = planting;
  try {
    const source = replaceOnce(Buffer.from(loaded.source as Uint8Array).toString(), order.find, order.replace);
    port.postMessage('planted');
    return { ...loaded, source };
  } catch (error) {
    port.postMessage(error instanceof Error ? error.message : String(error));
    throw error;
  }
};

/** Far beyond what anything here takes, so that an event that never comes fails its test with a sentence. */
export const deadlineMs = 60_000;

/** Resolves when `look` says so; rejects after `milliseconds` with what was waited for. */
export async function within(milliseconds: number, look: () => boolean, what: () => string): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!look()) {
    if (Date.now() > deadline) throw new Error(`waited ${milliseconds} ms for ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** How long a fault is kept up. */
export function hold(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Listeners by event name. A missing listener means nothing happens; for `error` too. */
export class Events<Map extends object> {
  readonly #listeners: { [Name in keyof Map]?: Set<(payload: Map[Name]) => void> } = {};

  on<Name extends keyof Map>(name: Name, listener: (payload: Map[Name]) => void): void {
    this.#listeners[name] ??= new Set();
    this.#listeners[name].add(listener);
  }

  off<Name extends keyof Map>(name: Name, listener: (payload: Map[Name]) => void): void {
    this.#listeners[name]?.delete(listener);
  }

  /**
   * Calls the listeners in microtasks of their own: one that throws is reported as an uncaught exception of the
   * program that wrote it, and cannot leave the client half-way through a change of state.
   */
  emit<Name extends keyof Map>(name: Name, payload: Map[Name]): void {
    const listeners = this.#listeners[name];
    if (listeners === undefined) return;
    for (const listener of listeners) queueMicrotask(() => listener(payload));
  }
}

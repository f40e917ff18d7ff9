/** What the process does when it is told something. */
export interface SignalHandlers {
  /** SIGTERM or SIGINT: drain and exit. `repeated` counts earlier requests, so that a second Ctrl-C can be obeyed at once. */
  terminate(signal: 'SIGTERM' | 'SIGINT', repeated: number): void;
  /** SIGHUP: read the configuration again. */
  reload(): void;
}

/** Connects the signals and returns a function that disconnects them. */
export function onProcessSignals(handlers: SignalHandlers): () => void {
  let requests = 0;
  const terminated = (): void => handlers.terminate('SIGTERM', requests++);
  const interrupted = (): void => handlers.terminate('SIGINT', requests++);
  const hungUp = (): void => handlers.reload();
  process.on('SIGTERM', terminated);
  process.on('SIGINT', interrupted);
  process.on('SIGHUP', hungUp);
  return () => {
    process.off('SIGTERM', terminated);
    process.off('SIGINT', interrupted);
    process.off('SIGHUP', hungUp);
  };
}

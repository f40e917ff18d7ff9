import type { EventLog, Severity } from './live/event-log.js';
import type { LogFields, ManagerTelemetry } from './options.js';

/** Somebody who asks. */
export interface Actor {
  /** Whom the token stands for. */
  readonly name: string;
  /** Where the request came from. */
  readonly address: string;
}

/** Who did what, and what came of it: a log line each, for whoever keeps logs, and an event for whoever watches. */
export class AuditLog {
  readonly #telemetry: ManagerTelemetry;
  readonly #events: EventLog;

  constructor(telemetry: ManagerTelemetry, events: EventLog) {
    this.#telemetry = telemetry;
    this.#events = events;
  }

  /** `outcome` is `done`, or the code of the error. */
  note(actor: Actor, action: string, outcome: string, fields: LogFields = {}, node?: number): void {
    this.#telemetry.log(outcome === 'done' ? 'info' : 'warn', 'audit', {
      ...{ actor: actor.name, from: actor.address, action, outcome },
      ...(node === undefined ? {} : { node }),
      ...fields,
    });
    const target = node === undefined ? '' : ` node ${node}`;
    const severity: Severity = outcome === 'done' && action !== 'login' ? 'warning' : 'info';
    const ending = outcome === 'done' ? '' : `: ${outcome}`;
    const what = action === 'login' ? 'logged in' : `asked for ${action}`;
    this.#events.add('action', severity, `${actor.name} ${what}${target}${ending}.`, node);
  }
}

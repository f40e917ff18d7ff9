import { stateAt } from '../../src/storage/serial-states.js';
import type { BrokenPromises } from './broken-promise.js';
import { checkLinearizable, type Operation } from './linearizability.js';
import { type RegisterInput, type RegisterOutput, registerModel } from './register-model.js';
import type { SimCluster } from './sim-cluster.js';

/** One operation on a serial key, as its client sees it; all its copies are one. */
export interface SerialEvent {
  readonly key: string;
  readonly input: RegisterInput;
  readonly begun: number;
  /** Undefined while it is under way, and when its outcome stays unknown. */
  output: RegisterOutput | undefined;
  answered: number;
  /** It surely had no effect: whatever it would have written is never to be seen. */
  isVoid: boolean;
}

/** What all clients did on serial keys, for the checker (testing: Simulation). */
export class SerialHistory {
  readonly events: SerialEvent[] = [];
  #moment = 0;

  get keys(): string[] {
    return [...new Set(this.events.map(({ key }) => key))];
  }

  /** Events of the key so far. */
  count(key: string): number {
    return this.events.filter((event) => event.key === key).length;
  }

  begin(key: string, input: RegisterInput): SerialEvent {
    const event: SerialEvent = {
      key,
      input,
      begun: ++this.#moment,
      output: undefined,
      answered: Number.POSITIVE_INFINITY,
      isVoid: false,
    };
    this.events.push(event);
    return event;
  }

  answer(event: SerialEvent, output: RegisterOutput): void {
    event.output = output;
    event.answered = ++this.#moment;
  }
}

/** Every key's history is linearizable; what was answered not-applied is in none. */
export function checkSerial(history: SerialHistory, cluster: SimCluster, broken: BrokenPromises): void {
  for (const key of history.keys) {
    const events = history.events.filter((event) => event.key === key && !event.isVoid);
    const operations = events.map(({ input, output, begun, answered }): Operation<RegisterInput, RegisterOutput> => {
      return { input, output, begun, answered };
    });
    const verdict = checkLinearizable(registerModel, operations);
    if (verdict === 'linearizable') continue;
    const lines = events.map(({ input, output, begun, answered }) => {
      return `${begun}-${answered} ${JSON.stringify(input)} -> ${JSON.stringify(output)}`;
    });
    broken.add(`the history is ${verdict}:\n${[...lines, ...acceptorLines(cluster, key)].join('\n')}`, key);
  }
}

/** What the acceptors of a key went through, as their logs have it: for a person who looks into a failure. */
function acceptorLines(cluster: SimCluster, key: string): string[] {
  return cluster.names.flatMap((name) => {
    const lines: string[] = [];
    const cursor = cluster.node(name).store?.logCursor(0);
    while (cursor?.next() === true) {
      const { bytes } = cursor.segment;
      const start = cursor.keyStart;
      if (Buffer.from(bytes.subarray(start, start + cursor.keyLength)).toString() !== key) continue;
      const { accepted, promised, isVote, content, stamp, operations, value } = stateAt(cursor.segment, cursor.offset);
      const ids = operations.map(({ id }) => `${id.sequence}/${id.sessionLow % 1000}`).join(' ');
      const held = `${content} ${Buffer.from(value).toString()} @${stamp.counter}/${stamp.node}`;
      lines.push(
        `${name} ${cursor.lsn}: promised ${promised.counter}/${promised.node} accepted ${accepted.counter}/${accepted.node}${isVote ? '' : ' no vote'}: ${held} (${ids})`,
      );
    }
    return lines;
  });
}

import { WebSocket } from 'ws';
import type { ClusterFile } from '../../src/cli/dev/cluster-file.js';

// biome-ignore lint/suspicious/noExplicitAny: documents are looked into by the tests that expect them
export type Document = any;

/** Far beyond what anything here takes. */
const DEADLINE_MS = 60_000;
const POLL_MS = 50;

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Document;
}

/** The REST API of a manager, as a script uses it. */
export class ManagerApi {
  readonly url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.url = url;
    this.#token = token;
  }

  static of({ manager }: ClusterFile): ManagerApi {
    if (manager === null) throw new Error('the cluster has no manager');
    return new ManagerApi(manager.url, manager.token);
  }

  async call(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: {
        ...headers,
        ...(this.#token === '' ? {} : { Authorization: `Bearer ${this.#token}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const contentType = response.headers.get('content-type') ?? '';
    return { status: response.status, contentType, body: await response.json() };
  }

  /** Asks again until the answer is as wanted; rejects with the last one when that never comes. */
  async until<Found = Document>(path: string, wanted: (body: Found) => boolean): Promise<Found> {
    const endMs = Date.now() + DEADLINE_MS;
    for (;;) {
      const { body } = await this.call('GET', path);
      if (wanted(body)) return body;
      if (Date.now() > endMs) throw new Error(`${path} never was as wanted: ${JSON.stringify(body)}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** The live feed, from the beginning or after a cursor; rejects with the status when it is refused. */
  async watch(after?: string): Promise<Feed> {
    const url = `${this.url.replace(/^http/, 'ws')}/live${after === undefined ? '' : `?after=${after}`}`;
    const socket = new WebSocket(url, ['memdb.live.v1', `token.${this.#token}`]);
    const feed = new Feed(socket);
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return feed;
  }
}

/** The messages of a live feed, in order. */
class Feed {
  readonly #socket: WebSocket;
  readonly #messages: Document[] = [];
  #wake: () => void = () => {};

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      this.#messages.push(JSON.parse(String(data)));
      this.#wake();
    });
  }

  /** Takes messages out until one is as wanted. */
  async next(wanted: (message: Document) => boolean): Promise<Document> {
    for (;;) {
      for (let message = this.#messages.shift(); message !== undefined; message = this.#messages.shift()) {
        if (wanted(message)) return message;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#socket.close();
  }
}

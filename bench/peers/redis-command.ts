import { connect } from 'node:net';

/** Sends one inline command on a connection of its own and collects what comes until `complete` says so. */
export async function redisCommand(
  port: number,
  command: string,
  complete: (reply: string) => boolean,
): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let reply = '';
    socket.setEncoding('latin1');
    socket.on('connect', () => socket.write(command));
    socket.on('data', (part: string) => {
      reply += part;
      if (!complete(reply)) return;
      socket.destroy();
      resolve(reply);
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('Redis closed the connection')));
  });
}

/** Whether the server takes commands (it listens before, and answers `-LOADING`). */
export async function redisAnswers(port: number): Promise<boolean> {
  try {
    return (await redisCommand(port, 'PING\r\n', (reply) => reply.endsWith('\r\n'))) === '+PONG\r\n';
  } catch {
    return false;
  }
}

/** The text of a key, or undefined while the server cannot answer or has no such key. */
export async function redisGet(port: number, key: string): Promise<string | undefined> {
  const whole = (reply: string): boolean => /^-.*\r\n$|^\$-1\r\n$|^\$\d+\r\n.*\r\n$/s.test(reply);
  try {
    const reply = await redisCommand(port, `GET ${key}\r\n`, whole);
    return /^\$\d+\r\n(.*)\r\n$/s.exec(reply)?.[1];
  } catch {
    return undefined;
  }
}

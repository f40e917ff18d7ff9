import { gossipLoad } from '../harness/gossip-load.js';

/** `npm run gossip-load -- 1000`: what one of so many nodes sends while nothing happens. */
for (const text of process.argv.slice(2)) {
  const { messages, bytes } = gossipLoad(Number(text));
  process.stdout.write(
    `${text} nodes: each sends ${messages.toFixed(2)} messages and ${bytes.toFixed(0)} bytes a second\n`,
  );
}

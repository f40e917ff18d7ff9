import { createHmac } from 'node:crypto';
import {
  decodeErrorBody,
  FEATURES_KNOWN,
  FRAME_HEADER_BYTES,
  hmacSha512,
  MemDbError,
  Opcode,
  parseUuid,
  Role,
  writeErrorReply,
  writeFrame,
} from '@memdb/protocol';
import test from 'ava';
import { viewOf, written } from '../harness/protocol-frames.js';
import {
  clientHandshake,
  clientIdentity,
  clientSecret,
  clusterId,
  converse,
  hello,
  nodeSecret,
  randomFrom,
  serverHandshake,
  serverIdentity,
  toClient,
  toServer,
} from '../harness/protocol-handshake.js';

const otherCluster = parseUuid('c2000000-0000-4000-8000-00000000000c');

function errorIn(frame: Uint8Array): MemDbError {
  return decodeErrorBody(frame, viewOf(frame), FRAME_HEADER_BYTES, frame.length);
}

test('a client and a node that share a key learn who the other is', (t) => {
  const { client, server } = converse(clientHandshake(), serverHandshake());
  t.deepEqual(client, {
    kind: 'done',
    result: {
      version: 1,
      features: FEATURES_KNOWN,
      nodeNumber: 3,
      identity: serverIdentity,
      clusterId,
      generation: 7,
      bootNonce: 'b7b7b7b7b7b7b7b7',
    },
  });
  t.deepEqual(server, {
    kind: 'done',
    result: {
      version: 1,
      features: FEATURES_KNOWN,
      role: Role.client,
      keyId: 'app',
      identity: clientIdentity,
      generation: 0,
      bootNonce: '0000000000000000',
      advertisedAddress: '',
    },
  });
});

test('a node tells its generation, boot nonce and address', (t) => {
  const peer = clientHandshake({
    role: Role.node,
    keyId: 'peer',
    secret: nodeSecret,
    clusterId,
    generation: 12,
    bootNonce: new Uint8Array(8).fill(5),
    advertisedAddress: '[::1]:10001',
  });
  const { server } = converse(peer, serverHandshake());
  t.like(server, {
    kind: 'done',
    result: {
      role: Role.node,
      keyId: 'peer',
      identity: clientIdentity,
      generation: 12,
      bootNonce: '0505050505050505',
      advertisedAddress: '[::1]:10001',
    },
  });
});

test('several keys of one role are valid at once', (t) => {
  const secrets = new Map([
    ['old', new Uint8Array(32).fill(1)],
    ['new', new Uint8Array(32).fill(2)],
  ]);
  for (const [keyId, secret] of secrets) {
    const { client, server } = converse(
      clientHandshake({ keyId, secret }),
      serverHandshake({ keys: (_role, id) => secrets.get(id) }),
    );
    t.is(client.kind, 'done');
    t.like(server, { kind: 'done', result: { keyId } });
  }
});

test('a wrong secret, a wrong role and an unknown key id end alike for the client', (t) => {
  const wrong = [
    clientHandshake({ secret: new Uint8Array(32).fill(0x12) }),
    clientHandshake({ role: Role.admin }),
    clientHandshake({ role: Role.node }),
    clientHandshake({ keyId: 'nobody' }),
  ];
  for (const side of wrong) {
    const { client, server } = converse(side, serverHandshake());
    t.is(client.kind, 'failed');
    if (client.kind === 'failed') {
      t.is(client.error.code, 'authentication-failed');
      t.is(client.error.outcome, 'not-applied');
      t.false(client.error.retryable);
    }
    t.is(server.kind, 'failed');
  }
});

test('whoever sends a proof with a wrong secret, role or key id is told the same, byte for byte', (t) => {
  const guesses = [
    clientHandshake({ secret: new Uint8Array(32).fill(0x12) }),
    clientHandshake({ role: Role.admin }),
    clientHandshake({ keyId: 'nobody' }),
  ];
  const reasons: string[] = [];
  const replies = guesses.map((guess) => {
    const server = serverHandshake();
    const welcome = toServer(server, hello(guess));
    t.is(welcome.step.kind, 'continue');
    const proof = written((out) => writeFrame(out, Opcode.proof, 0, 0, 0, 0, 0, new Uint8Array(32).fill(9)));
    const judged = toServer(server, proof);
    t.is(judged.step.kind, 'failed');
    if (judged.step.kind === 'failed') reasons.push(judged.step.reason);
    return judged.sent;
  });
  t.deepEqual(replies[1], replies[0]);
  t.deepEqual(replies[2], replies[0]);
  t.is(errorIn(replies[0]).code, 'authentication-failed');
  t.deepEqual(reasons, ['wrong proof', 'no key app for role admin', 'no key nobody for role client']);
});

test('a server that does not know the key cannot pass for the node', (t) => {
  const impostor = serverHandshake({ keys: () => new Uint8Array(32).fill(0x77) });
  const client = clientHandshake();
  const welcome = toServer(impostor, hello(client));
  const answer = toClient(client, welcome.sent);
  t.is(answer.step.kind, 'failed');
  // It learns that it was refused, and no proof.
  t.is(errorIn(answer.sent).code, 'authentication-failed');
});

test('the reason why a client gave up reaches the log of the server', (t) => {
  const known = converse(clientHandshake({ secret: new Uint8Array(32) }), serverHandshake());
  t.deepEqual(known.server, {
    kind: 'failed',
    code: 'authentication-failed',
    reason: 'the peer refused: authentication-failed',
  });
  const unknown = converse(clientHandshake({ keyId: 'nobody' }), serverHandshake());
  t.like(unknown.server, { kind: 'failed', reason: 'no key nobody for role client' });
});

test('another cluster is refused and named by both sides, an unfounded one is not', (t) => {
  const refused = converse(clientHandshake({ clusterId: otherCluster }), serverHandshake());
  t.like(refused.client, { kind: 'failed', error: { code: 'wrong-cluster', outcome: 'not-applied' } });
  t.like(refused.server, { kind: 'failed', code: 'wrong-cluster' });
  if (refused.client.kind === 'failed') {
    t.regex(refused.client.error.message, /c1000000-0000-4000-8000-00000000000c.*c2000000-0000-4000-8000-00000000000c/);
  }
  t.is(
    converse(clientHandshake({ clusterId: otherCluster }), serverHandshake({ clusterId: undefined })).client.kind,
    'done',
  );
  t.is(converse(clientHandshake({ clusterId: new Uint8Array(16) }), serverHandshake()).client.kind, 'done');
});

test('the highest common version is chosen, and none names both ranges', (t) => {
  const both = converse(
    clientHandshake({ versions: { min: 1, max: 4 } }),
    serverHandshake({ versions: { min: 2, max: 3 } }),
  );
  t.like(both.client, { kind: 'done', result: { version: 3 } });
  t.like(both.server, { kind: 'done', result: { version: 3 } });
  for (const versions of [
    { min: 4, max: 6 },
    { min: 1, max: 1 },
  ]) {
    const none = converse(clientHandshake({ versions }), serverHandshake({ versions: { min: 2, max: 3 } }));
    t.like(none.client, { kind: 'failed', error: { code: 'unsupported-version' } });
    if (none.client.kind === 'failed') {
      t.true(none.client.error.message.includes('2 to 3'));
      t.true(none.client.error.message.includes(`${versions.min} to ${versions.max}`));
    }
  }
});

test('only features that both sides have are agreed on, unknown bits included', (t) => {
  const { client, server } = converse(
    clientHandshake({ features: 0x8000_0005 }),
    serverHandshake({ features: 0x8000_0003 }),
  );
  t.like(client, { kind: 'done', result: { features: 0x8000_0001 } });
  t.like(server, { kind: 'done', result: { features: 0x8000_0001 } });
  t.like(converse(clientHandshake({ features: 0xfffffffe }), serverHandshake()).client, {
    result: { features: FEATURES_KNOWN & ~1 },
  });
});

/** Points of small order on Curve25519 and its twist, and their non-canonical forms. */
const lowOrderPoints = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((digits) => new Uint8Array(Buffer.from(digits, 'hex')));

test('public keys of low order are refused by both sides', (t) => {
  for (const point of lowOrderPoints) {
    const greeting = hello(clientHandshake());
    greeting.set(point, FRAME_HEADER_BYTES + 52);
    t.like(toServer(serverHandshake(), greeting).step, { kind: 'failed', reason: 'public key of low order' });

    const client = clientHandshake();
    const welcome = toServer(serverHandshake(), hello(client)).sent;
    welcome.set(point, FRAME_HEADER_BYTES + 52);
    t.like(toClient(client, welcome).step, {
      kind: 'failed',
      error: { code: 'authentication-failed', message: 'The other side sent a public key of low order.' },
    });
  }
});

test('a recorded handshake convinces nobody a second time', (t) => {
  const recording = converse(clientHandshake(), serverHandshake());
  t.is(recording.server.kind, 'done');

  const server = serverHandshake({ random: randomFrom(99) });
  t.is(toServer(server, recording.hello).step.kind, 'continue');
  t.like(toServer(server, recording.proof).step, { kind: 'failed', reason: 'wrong proof' });

  const client = clientHandshake({ random: randomFrom(98) });
  hello(client);
  t.like(toClient(client, recording.welcome).step, { kind: 'failed', error: { code: 'authentication-failed' } });
});

test('messages sent back to their sender convince it of nothing', (t) => {
  const server = serverHandshake();
  const welcome = toServer(server, hello(clientHandshake())).sent;
  // The server's own proof in the place of the client's.
  const own = welcome.slice(-32);
  const reflected = written((out) => writeFrame(out, Opcode.proof, 0, 0, 0, 0, 0, own));
  t.like(toServer(server, reflected).step, { kind: 'failed', reason: 'wrong proof' });
  t.is(toServer(serverHandshake(), welcome).step.kind, 'failed');

  const client = clientHandshake();
  t.is(toClient(client, hello(client)).step.kind, 'failed');
});

test('a node that is led to itself finds out, and tells that from a copy of its data directory', (t) => {
  const self = { role: Role.node, keyId: 'peer', secret: nodeSecret, identity: parseUuid(serverIdentity) } as const;
  for (const [bootNonce, code] of [
    [0xb7, 'same-node'],
    [0xb8, 'duplicate-node'],
  ] as const) {
    const nonce = new Uint8Array(8).fill(bootNonce);
    const { client, server } = converse(clientHandshake({ ...self, bootNonce: nonce }), serverHandshake());
    t.like(client, { kind: 'failed', error: { code }, peer: { identity: serverIdentity, generation: 7 } });
    t.like(server, { kind: 'failed', code });
  }
});

test('a node that is refused once both sides are proven knows who refused it, and anybody else does not count', (t) => {
  const node = { role: Role.node, keyId: 'peer', secret: nodeSecret } as const;
  const message = 'this directory is a copy';
  const { client, server } = converse(clientHandshake(node), serverHandshake({ refuses: () => message }));
  t.like(client, { kind: 'failed', error: { code: 'duplicate-node', message }, peer: { identity: serverIdentity } });
  t.like(server, { kind: 'failed', code: 'duplicate-node', reason: message });
  // Clients have no data directory.
  t.is(converse(clientHandshake(), serverHandshake({ refuses: () => message })).client?.kind, 'done');

  const dialing = clientHandshake(node);
  hello(dialing);
  const forged = written((out) =>
    writeErrorReply(out, Opcode.hello, 0, 0, 0, new MemDbError('duplicate-node', 'stop')),
  );
  t.like(toClient(dialing, forged).step, { kind: 'failed', error: { code: 'duplicate-node' }, peer: undefined });
});

test('frames out of turn end the handshake', (t) => {
  const recording = converse(clientHandshake(), serverHandshake());
  const early = serverHandshake();
  t.is(toServer(early, recording.proof).step.kind, 'failed');
  t.is(toServer(early, recording.hello).step.kind, 'failed', 'a side that ended stays ended');

  const twice = serverHandshake();
  toServer(twice, recording.hello);
  t.is(toServer(twice, recording.hello).step.kind, 'failed');

  const client = clientHandshake();
  t.is(toClient(client, recording.ready).step.kind, 'failed', 'before it began');
  const hasty = clientHandshake();
  hello(hasty);
  t.is(toClient(hasty, recording.ready).step.kind, 'failed', 'ready without welcome');
});

test('a data frame before authentication is refused', (t) => {
  const frame = written((out) => writeFrame(out, Opcode.status, 0, 1, 0, 1, 0));
  const { step, sent } = toServer(serverHandshake(), frame);
  t.like(step, { kind: 'failed', code: 'bad-request' });
  t.is(errorIn(sent).code, 'bad-request');
});

test('a key that cannot be one is refused before anything is sent', (t) => {
  const short = t.throws(() => clientHandshake({ secret: new Uint8Array(31) }), { instanceOf: MemDbError });
  t.is(short?.code, 'bad-request');
  t.throws(() => clientHandshake({ keyId: '' }), { instanceOf: MemDbError });
  t.throws(() => clientHandshake({ keyId: 'a b' }), { instanceOf: MemDbError });
  t.throws(() => clientHandshake({ keyId: 'x'.repeat(65) }), { instanceOf: MemDbError });
  t.notThrows(() => clientHandshake({ keyId: 'x'.repeat(64), secret: clientSecret }));
});

test('hmacSha512 is that of OpenSSL', (t) => {
  for (const keyBytes of [0, 1, 31, 32, 64, 127, 128]) {
    for (const messageBytes of [0, 1, 70, 111, 112, 128, 1000]) {
      const key = Uint8Array.from({ length: keyBytes }, (_, index) => index * 7);
      const message = Uint8Array.from({ length: messageBytes }, (_, index) => index * 13);
      const expected = createHmac('sha512', key).update(message).digest();
      t.deepEqual(hmacSha512(key, message), new Uint8Array(expected), `${keyBytes}, ${messageBytes}`);
    }
  }
  t.throws(() => hmacSha512(new Uint8Array(129), new Uint8Array(0)), { instanceOf: RangeError });
});

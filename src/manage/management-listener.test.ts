// The management listener on raw sockets: callers without a token are answered and sent away, and cannot keep operators out.
import { once } from 'node:events';
import { mkdtemp, readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, test } from '@jest/globals';
import { writeLabCertificates } from '../config/lab-certificates.ts';
import {
  type ListenerBounds,
  type ManagementListener,
  type ManagementTls,
  startManagementListener,
} from './management-listener.ts';

const bounds: ListenerBounds = {
  strangers: 4,
  operators: 4,
  perOperator: 2,
  strangerLife: 60_000,
  headersTimeout: 60_000,
  lastWordTimeout: 100,
};
const withToken = 'Authorization: Bearer operator-token\r\n';

const open: { listener?: ManagementListener; readonly sockets: Set<Socket> } = { sockets: new Set() };

afterEach(async () => {
  for (const socket of open.sockets) socket.destroy();
  open.sockets.clear();
  await open.listener?.close();
  delete open.listener;
});

async function start(changed: Partial<ListenerBounds> = {}, tls?: ManagementTls): Promise<number> {
  const listener = await startManagementListener(
    {
      host: '127.0.0.1',
      port: 0,
      tls,
      operatorOf: ({ headers }) => /^Bearer (\w+)-token$/.exec(headers.authorization ?? '')?.[1],
      bounds: { ...bounds, ...changed },
    },
    (request, response) => {
      const status = request.headers.authorization === undefined ? 401 : 200;
      if (request.url === '/slow') {
        response.writeProcessing();
        return;
      }
      response.writeHead(status, { 'Content-Length': 2 }).end('ok');
    },
  );
  open.listener = listener;
  return Number(new URL(listener.url).port);
}

interface Peer {
  readonly socket: Socket;
  /** What came so far. */
  text(): string;
  send(text: string): void;
  /** Resolves when the text has come that matches. */
  until(pattern: RegExp): Promise<string>;
  readonly ended: Promise<string>;
}

async function peer(port: number, tls?: ManagementTls): Promise<Peer> {
  const socket =
    tls === undefined
      ? connect({ port, host: '127.0.0.1' })
      : connectTls({ port, host: '127.0.0.1', ca: tls.clientCa, servername: 'localhost', checkServerIdentity });
  open.sockets.add(socket);
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    socket.emit('text');
  });
  socket.on('error', () => undefined);
  const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  await once(socket, tls === undefined ? 'connect' : 'secureConnect');
  return {
    socket,
    text: () => text,
    send: (sent) => void socket.write(sent),
    until: async (pattern) => {
      while (!pattern.test(text)) await once(socket, 'text');
      return text;
    },
    ended,
  };
}

const checkServerIdentity = (): undefined => undefined;
const get = (path: string, headers = ''): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

/** Begins a request that is not answered; resolves when it is known to run. */
async function runs(one: Peer | undefined, headers = ''): Promise<void> {
  one?.send(get('/slow', headers));
  await one?.until(/102 Processing/);
}

async function strangers(port: number, count: number): Promise<readonly Peer[]> {
  const peers: Peer[] = [];
  for (let index = 0; index < count; index++) peers.push(await peer(port));
  return peers;
}

describe('without a token', () => {
  test('RFC 9112 9.6: the answer says that the connection ends, and it does', async () => {
    const one = await peer(await start());
    one.send(get('/'));
    expect(await one.ended).toMatch(/^HTTP\/1\.1 401 [\s\S]*Connection: close[\s\S]*ok$/);
  });

  test('a body that was announced is not waited for before the answer, and not for long behind it', async () => {
    const one = await peer(await start());
    one.send('PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n');
    await one.until(/ok$/);
    expect(await one.ended).toMatch(/^HTTP\/1\.1 401 /);
  });

  test('a body that comes is taken, so that the answer is not lost to a reset', async () => {
    const port = await start({ lastWordTimeout: 60_000 });
    const one = await peer(port);
    one.send(`PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n${'x'.repeat(500_000)}`);
    expect(await one.ended).toMatch(/^HTTP\/1\.1 401 [\s\S]*ok$/);
  });

  test('RFC 9110 10.1.1: who waits for 100 (Continue) gets the answer instead', async () => {
    const one = await peer(await start());
    one.send('PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
    expect(await one.ended).toMatch(/^HTTP\/1\.1 401 /);
  });

  test('a connection lasts so long at most, whatever it waits for', async () => {
    const port = await start({ strangerLife: 100 });
    const [silent, waiting] = await strangers(port, 2);
    await runs(waiting);
    expect(await silent?.ended).toBe('');
    expect(await waiting?.ended).toMatch(/^HTTP\/1\.1 102 Processing\s*$/);
  });

  test('a header that does not come in time ends the connection', async () => {
    const one = await peer(await start({ headersTimeout: 200 }));
    one.send('GET / HTTP/1.1\r\nHost');
    expect(await one.ended).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe('connections that are held', () => {
  test('the oldest idle one of strangers ends when there are too many', async () => {
    const port = await start();
    const [busy, second, third] = await strangers(port, 3);
    await runs(busy);
    await strangers(port, 2);
    await second?.ended;
    expect(busy?.socket.destroyed).toBe(false);
    expect(third?.socket.destroyed).toBe(false);
  });

  test('one that waits for its answer ends when all do', async () => {
    const port = await start();
    const all = await strangers(port, 4);
    for (const one of all) await runs(one);
    const operator = await peer(port);
    operator.send(get('/', withToken));
    expect(await operator.until(/ok$/)).toMatch(/^HTTP\/1\.1 200 /);
    await all[0]?.ended;
  });

  test('an operator gets in while strangers hold all they may, and keeps the connection', async () => {
    const port = await start();
    await strangers(port, 4);
    const operator = await peer(port);
    operator.send(get('/', withToken));
    expect(await operator.until(/ok$/)).toMatch(/^HTTP\/1\.1 200 /);
    await strangers(port, 20);
    operator.send(get('/', withToken));
    await operator.until(/ok[\s\S]*ok$/);
  });

  test('an operator without token on the next request is a stranger again', async () => {
    const one = await peer(await start());
    one.send(get('/', withToken));
    await one.until(/ok$/);
    one.send(get('/'));
    expect(await one.ended).toMatch(/ 200 [\s\S]* 401 /);
  });

  test('the oldest idle one of operators ends when there are too many; when all work, the next is told to come again', async () => {
    const port = await start();
    const [first, second, third, fourth] = await strangers(port, 4);
    first?.send(get('/', withToken));
    await first?.until(/ok$/);
    for (const one of [second, third]) await runs(one, withToken);
    await first?.ended;
    fourth?.send(get('/', withToken));
    expect(await fourth?.ended).toMatch(/^HTTP\/1\.1 503 [\s\S]*Retry-After: 5/);
    expect(third?.socket.destroyed).toBe(false);
  });

  test('an operator who holds all it may keeps no other out', async () => {
    const port = await start();
    const [first, second, third, other] = await strangers(port, 4);
    for (const one of [first, second]) await runs(one, 'Authorization: Bearer ines-token\r\n');
    third?.send(get('/', 'Authorization: Bearer ines-token\r\n'));
    expect(await third?.ended).toMatch(/^HTTP\/1\.1 503 [\s\S]*"code":"unavailable"/);
    other?.send(get('/', withToken));
    expect(await other?.until(/ok$/)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('under TLS connections count before and behind the handshake', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mcgw-'));
    await writeLabCertificates({ folder, force: false, days: 2, now: Date.now() });
    const [cert, key, clientCa] = await Promise.all(
      ['red.crt', 'red.key', 'ca.crt'].map((name) => readFile(join(folder, name), 'utf8')),
    );
    const tls = { cert: cert ?? '', key: key ?? '', clientCa };
    const port = await start({}, { cert: tls.cert, key: tls.key });
    const [oldest] = await strangers(port, 4);
    const operator = await peer(port, tls);
    await oldest?.ended;
    operator.send(get('/', withToken));
    expect(await operator.until(/ok$/)).toMatch(/^HTTP\/1\.1 200 /);
    await strangers(port, 8);
    operator.send(get('/', withToken));
    await operator.until(/ok[\s\S]*ok$/);
  });
});

// Sources of key sets: files that change, servers that rotate, cache, fail, hang and flood.
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { type JwksSource, type JwksSourceOptions, jwksSource } from './jwks-source.ts';

const jwk = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
const setOf = (...kids: readonly string[]): string => JSON.stringify({ keys: kids.map((kid) => ({ ...jwk, kid })) });
const clock = { now: 0 };
const problems: (string | undefined)[] = [];
const closers: (() => Promise<unknown>)[] = [];
const pass = (seconds: number): void => {
  clock.now += seconds * 1000;
};

beforeEach(() => {
  clock.now = 1_800_000_000_000;
  problems.length = 0;
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function sourceAt(location: string, more: Partial<JwksSourceOptions> = {}): JwksSource {
  return jwksSource(location, { now: () => clock.now, onProblem: (problem) => problems.push(problem), ...more });
}

async function kids(source: JwksSource): Promise<readonly (string | undefined)[]> {
  return (await source.current()).map(({ kid }) => kid);
}

/** An HTTP server on a free loopback port that counts its requests. */
async function served(handler: (request: IncomingMessage, response: ServerResponse) => void) {
  const counter = { requests: 0, url: '', handler };
  const server = createServer((request, response) => {
    counter.requests += 1;
    counter.handler(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  counter.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  return counter;
}

const answering =
  (text: () => string, headers: Record<string, string> = {}) =>
  (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/jwk-set+json', ...headers }).end(text());
  };

describe('keys in a file', () => {
  let folder = '';
  let file = '';
  let written = 0;
  const write = async (text: string): Promise<void> => {
    await writeFile(file, text);
    // Two writes within the resolution of the file system's clock must differ
    written += 1;
    await utimes(file, 1_000_000 + written, 1_000_000 + written);
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jwks-'));
    file = join(folder, 'keys.json');
    closers.push(() => rm(folder, { recursive: true }));
  });

  test('are read again when the file changes, at most every few seconds', async () => {
    await write(setOf('k1'));
    const source = sourceAt(file, { fileCheckSeconds: 5 });
    expect(await kids(source)).toEqual(['k1']);
    await write(setOf('k2'));
    pass(4);
    expect(await kids(source)).toEqual(['k1']);
    pass(6);
    expect(await kids(source)).toEqual(['k2']);
  });

  test('stay the same object while the file says the same', async () => {
    await write(setOf('k1'));
    const source = sourceAt(file);
    const set = await source.current();
    pass(60);
    expect(await source.current()).toBe(set);
    await write(setOf('k1'));
    pass(60);
    expect(await source.current()).toBe(set);
  });

  test('an unknown key ID looks at the file at once', async () => {
    await write(setOf('k1'));
    const source = sourceAt(file, { fileCheckSeconds: 5 });
    const set = await source.current();
    pass(5);
    await write(setOf('k2'));
    expect((await source.refreshed(set)).map(({ kid }) => kid)).toEqual(['k2']);
  });

  test.each([
    ['is removed', () => rm(file), /ENOENT/],
    ['breaks', () => write('{'), /is not JSON/],
    ['grows too large', () => write(' '.repeat(300 * 1024)), /larger than/],
  ])('the last good set stays when the file %s', async (_, spoil, problem) => {
    await write(setOf('k1'));
    const source = sourceAt(file);
    await source.current();
    await spoil();
    pass(60);
    expect(await kids(source)).toEqual(['k1']);
    expect(problems).toEqual([expect.stringMatching(problem)]);
    await write(setOf('k2'));
    pass(60);
    await source.current();
    expect((await source.refreshed(await source.current())).map(({ kid }) => kid)).toEqual(['k2']);
    expect(problems.at(-1)).toBeUndefined();
  });

  test('a file that never was there is unavailable, and found when it appears', async () => {
    const source = sourceAt(file, { fileCheckSeconds: 5 });
    await expect(source.current()).rejects.toMatchObject({ code: 'unavailable', detail: { retryAfter: 5 } });
    await write(setOf('k1'));
    pass(5);
    expect(await kids(source)).toEqual(['k1']);
  });
});

describe('keys at a URL', () => {
  test('RFC 9111: are fetched again after max-age, within bounds', async () => {
    let maxAge = 'max-age=120';
    const server = await served((request, response) =>
      answering(() => setOf(`k${server.requests}`), { 'cache-control': maxAge })(request, response),
    );
    const source = sourceAt(server.url);
    expect(await kids(source)).toEqual(['k1']);
    pass(119);
    expect(await kids(source)).toEqual(['k1']);
    maxAge = 'max-age=0';
    pass(121);
    expect(await kids(source)).toEqual(['k2']);
    maxAge = 'public, max-age=999999';
    pass(59);
    expect(await kids(source)).toEqual(['k2']);
    pass(61);
    expect(await kids(source)).toEqual(['k3']);
    pass(3599);
    expect(await kids(source)).toEqual(['k3']);
    pass(3601);
    expect(await kids(source)).toEqual(['k4']);
  });

  test('a busy server never waits: the old set is used while the new one is fetched', async () => {
    const server = await served(answering(() => setOf('k1')));
    const source = sourceAt(server.url);
    const set = await source.current();
    const arrived = new Promise<ServerResponse>((resolve) => {
      server.handler = (_, response) => resolve(response);
    });
    pass(301);
    expect(await source.current()).toBe(set);
    const response = await arrived;
    expect(await source.current()).toBe(set);
    response.end(setOf('k2'));
    expect((await source.refreshed(set)).map(({ kid }) => kid)).toEqual(['k2']);
    expect(server.requests).toBe(2);
  });

  test('a server known to be broken makes nobody wait, however old the set', async () => {
    const server = await served(answering(() => setOf('k1')));
    const source = sourceAt(server.url);
    const set = await source.current();
    server.handler = (_, response) => response.writeHead(503).end();
    pass(3600);
    expect(await source.current()).toBe(set);
    const arrived = new Promise<ServerResponse>((resolve) => {
      server.handler = (_, response) => resolve(response);
    });
    pass(3600);
    expect(await source.current()).toBe(set);
    (await arrived).end(setOf('k2'));
    expect((await source.refreshed(set)).map(({ kid }) => kid)).toEqual(['k2']);
    expect(problems).toEqual([expect.stringContaining('503'), undefined]);
  });

  test('concurrent callers share one request', async () => {
    const server = await served(answering(() => setOf('k1')));
    const source = sourceAt(server.url);
    const sets = await Promise.all(Array.from({ length: 20 }, () => source.current()));
    expect(new Set(sets).size).toBe(1);
    expect(server.requests).toBe(1);
    pass(30);
    await Promise.all(sets.map((set) => source.refreshed(set)));
    expect(server.requests).toBe(2);
  });

  test('unknown key IDs cause one request per cool-down', async () => {
    const server = await served(answering(() => setOf('k1')));
    const source = sourceAt(server.url, { cooldownSeconds: 30 });
    const set = await source.current();
    for (let round = 0; round < 5; round++) await source.refreshed(set);
    expect(server.requests).toBe(1);
    pass(30);
    for (let round = 0; round < 5; round++) await source.refreshed(set);
    expect(server.requests).toBe(2);
  });

  test('a caller with an old set gets the newer one without a request', async () => {
    const server = await served(answering(() => setOf(`k${server.requests}`)));
    const source = sourceAt(server.url);
    const old = await source.current();
    pass(30);
    const newer = await source.refreshed(old);
    pass(30);
    expect(await source.refreshed(old)).toBe(newer);
    expect(server.requests).toBe(2);
  });

  test.each<[string, (request: IncomingMessage, response: ServerResponse) => void, RegExp]>([
    ['answers 500', (_, response) => response.writeHead(500).end('no'), /answered 500/],
    ['redirects', (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), /answered 302/],
    ['sends no key set', answering(() => '{}'), /is not a JSON Web Key Set/],
    ['sends too much', answering(() => ' '.repeat(300 * 1024)), /sent more than 262144 bytes/],
    ['breaks off', (request) => request.socket.destroy(), /./],
    ['hangs', () => undefined, /timeout/i],
    ['hangs in the body', (_, response) => response.writeHead(200).write('{'), /timeout/i],
  ])('the last good set stays when the server %s', async (_, handler, problem) => {
    const server = await served(answering(() => setOf('k1')));
    const source = sourceAt(server.url, { timeoutSeconds: 0.2 });
    const set = await source.current();
    server.handler = handler;
    pass(3600);
    expect(await source.current()).toBe(set);
    expect(problems).toEqual([expect.stringMatching(problem)]);
    expect(await source.current()).toBe(set);
    expect(await source.refreshed(set)).toBe(set);
    expect(server.requests).toBe(2);

    server.handler = answering(() => setOf('k2'));
    pass(30);
    expect((await source.refreshed(set)).map(({ kid }) => kid)).toEqual(['k2']);
    expect(problems.at(-1)).toBeUndefined();
  });

  test('a server that was never reached is unavailable, and asked again after the cool-down only', async () => {
    const unused = createTcpServer().listen(0, '127.0.0.1');
    await once(unused, 'listening');
    const { port } = unused.address() as AddressInfo;
    unused.close();
    await once(unused, 'close');
    const source = sourceAt(`http://127.0.0.1:${port}/keys`, { cooldownSeconds: 7 });
    const refused = await source.current().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(refused).toBeInstanceOf(Refusal);
    expect(refused).toMatchObject({
      code: 'unavailable',
      detail: { retryAfter: 7, cause: expect.stringContaining('ECONNREFUSED') },
    });
    const server = createServer(answering(() => setOf('k1'))).listen(port, '127.0.0.1');
    await once(server, 'listening');
    closers.push(async () => {
      server.close();
      await once(server, 'close');
    });
    await expect(source.current()).rejects.toMatchObject({ code: 'unavailable' });
    pass(7);
    expect(await kids(source)).toEqual(['k1']);
  });

  test.each([
    'http://idm.blue.example/keys',
    'http://localhost/keys',
    'http://127.0.0.1.blue.example/keys',
    'ftp://127.0.0.1/keys',
    'https://',
  ])('%s is not acceptable', (location) => {
    expect(() => sourceAt(location)).toThrow(/must be an https: URL|is not a URL/);
  });

  test.each(['https://idm.blue.example/keys', 'http://127.0.0.1:1/keys', 'http://[::1]:1/keys'])(
    '%s is acceptable, and nothing is fetched before it is needed',
    (location) => {
      expect(() => sourceAt(location)).not.toThrow();
      expect(problems).toEqual([]);
    },
  );
});

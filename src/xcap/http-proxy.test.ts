// Towards partners through an HTTP proxy: CONNECT outside, mutual TLS inside, nothing of ours in between.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { answering, bytes, group, type ScriptedPartner, scriptedPartner } from './scripted-partner.testkit.ts';

let partner: ScriptedPartner;
let proxy: Server;
let asked: IncomingMessage[];
let sockets: Set<Socket>;

beforeEach(async () => {
  partner = await scriptedPartner();
  asked = [];
  sockets = new Set();
  proxy = createServer();
  proxy.on('connect', (request, socket: Socket) => {
    asked.push(request);
    const [, port] = (request.url ?? '').split(':');
    const onward = connect(Number(port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    for (const one of [socket, onward]) {
      sockets.add(one);
      one.on('error', () => one.destroy());
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
});
afterEach(async () => {
  await partner.close();
  for (const socket of sockets) socket.destroy();
  proxy.closeAllConnections();
  proxy.close();
});

const proxyUri = (): string => `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;

test('RFC 9110 9.3.6: the tunnel ends at the partner, which sees our certificate and the request; the proxy sees its authority alone', async () => {
  const root = await partner.gms(answering(201, { ETag: '"r-1"' }));
  const client = partner.client([root], {}, 5000, proxyUri());
  expect(await client.provide('red', group, bytes, undefined)).toMatchObject({ outcome: 'accepted', tag: 'r-1' });
  expect(partner.received).toMatchObject([{ method: 'PUT', peer: 'DNS:gms.blue.example', body: '<group/>' }]);
  const authority = new URL(root).host;
  expect(asked.map(({ method, url }) => [method, url])).toEqual([['CONNECT', authority]]);
  expect(Object.keys(asked[0]?.headers ?? {}).sort()).toEqual(['connection', 'host', 'proxy-connection']);
  expect(Object.keys(partner.received[0]?.headers ?? {})).not.toContain('via');
});

test('another certificate than that of the partner is refused through a proxy too', async () => {
  const root = await partner.gms(answering(201));
  const client = partner.client([root], { certificates: [{ san: 'gms.green.example' }] }, 5000, proxyUri());
  expect(await client.provide('red', group, bytes, undefined)).toMatchObject({
    outcome: 'failed',
    reason: expect.stringContaining('is not one of partner red'),
  });
  expect(partner.received).toEqual([]);
});

test('a proxy that refuses or is gone is a failure that may pass', async () => {
  proxy.removeAllListeners('connect');
  proxy.on('connect', (_request, socket: Socket) =>
    socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n'),
  );
  const root = await partner.gms(answering(201));
  const through = (uri: string) => partner.client([root], {}, 2000, uri).provide('red', group, bytes, undefined);
  expect((await through(proxyUri())).outcome).toBe('failed');
  expect((await through('http://127.0.0.1:1')).outcome).toBe('failed');
  expect(partner.received).toEqual([]);
});

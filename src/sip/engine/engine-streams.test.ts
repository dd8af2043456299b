import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  answer,
  connectSrf,
  portOf,
  type Srf,
  type SrfRequest,
  srfRequest,
  subscribe,
  TcpPeer,
  tagOf,
  UdpPeer,
  values,
} from './engine.testkit.ts';
import { type Engine, startEngine } from './engine.ts';

const headers = {
  Event: 'xcap-diff',
  'Subscription-State': 'active;expires=60',
  'Content-Type': 'application/xcap-diff+xml',
};

describe('TCP', () => {
  let engine: Engine;
  let srf: Srf;
  const seen: SrfRequest[] = [];

  beforeEach(async () => {
    engine = await startEngine({ listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0'], timers: { t1: 20 } });
    seen.length = 0;
    srf = await connectSrf(engine, {
      options: (request, response) => {
        seen.push(request);
        response.send(200);
      },
      subscribe: (request, response) => {
        seen.push(request);
        response.send(200, { headers: { Expires: '3600' } });
      },
    });
  });
  afterEach(async () => {
    srf.disconnect();
    await engine.close();
  });
  const options = (port: number, callId: string) => subscribe({ port, transport: 'TCP', method: 'OPTIONS', callId });

  test('RFC 3261 18.3: messages are framed by Content-Length however the octets are cut', async () => {
    const peer = await TcpPeer.connect(portOf(engine, 'tcp'));
    const body = 'ü\r\n\r\nOPTIONS in the body';
    const withBody = options(1, 'one').replace(
      'Content-Length: 0\r\n\r\n',
      `Content-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    const stream = Buffer.from(`${withBody}${options(1, 'two')}${options(1, 'three')}`);
    for (let at = 0; at < stream.length; at += 7) peer.send(stream.subarray(at, at + 7));
    const answered = [await peer.next(), await peer.next(), await peer.next()];
    expect(answered.flatMap((text) => values(text, 'Call-ID'))).toEqual(['one', 'two', 'three']);
    expect(seen[0]?.msg.body).toBe(body);
    peer.close();
  });

  test('RFC 5626 3.5.1: CRLF CRLF between messages is answered with CRLF', async () => {
    const peer = await TcpPeer.connect(portOf(engine, 'tcp'));
    peer.send('\r\n\r\n');
    expect(await peer.next()).toBe('\r\n');
    peer.send(`\r\n${options(1, 'after')}\r\n`);
    expect(values(await peer.next('SIP/2.0 200'), 'Call-ID')).toEqual(['after']);
    peer.close();
  });

  test.each([
    ['no Content-Length', (text: string) => text.replace(/Content-Length: 0\r\n/, ''), 400],
    ['two Content-Lengths', (text: string) => text.replace(/(Content-Length: 0\r\n)/, '$1$1'), 400],
    ['a body that is too large', (text: string) => text.replace('Content-Length: 0', 'Content-Length: 99999999'), 413],
    [
      'a header that never ends',
      (text: string) => text.replace('Event:', `X: ${'y'.repeat(40_000)}\r\nEvent:`).slice(0, -4),
      513,
    ],
  ])('RFC 3261 18.3: %s on a stream is answered and ends the connection', async (_what, spoil, status) => {
    const peer = await TcpPeer.connect(portOf(engine, 'tcp'));
    peer.send(spoil(options(1, 'spoilt')));
    expect(await peer.next()).toMatch(new RegExp(`^SIP/2.0 ${status}`));
    await peer.closed;
  });

  test('a message broken otherwise is answered 400 and the next one is served', async () => {
    const peer = await TcpPeer.connect(portOf(engine, 'tcp'));
    peer.send(options(1, 'bad').replace('CSeq: 10 OPTIONS', 'CSeq: 10 NOTIFY') + options(1, 'good'));
    expect(await peer.next()).toMatch(/^SIP\/2.0 400/);
    expect(values(await peer.next('SIP/2.0 200'), 'Call-ID')).toEqual(['good']);
    peer.close();
  });

  test('RFC 3261 18.2.2: requests in a dialog take the connection on which it was made', async () => {
    const peer = await TcpPeer.connect(portOf(engine, 'tcp'));
    peer.send(subscribe({ port: 9, transport: 'TCP', callId: 'conn', contact: '<sip:alice@192.0.2.1;transport=tcp>' }));
    const ok = await peer.next('SIP/2.0 200');
    expect(values(ok, 'Contact')).toEqual([`<sip:127.0.0.1:${portOf(engine, 'tcp')};transport=tcp>`]);
    const outcome = srfRequest(srf, 'sip:placeholder', {
      method: 'NOTIFY',
      stackDialogId: 'conn;from-tag=alice1',
      headers,
      body: '<a/>',
    });
    const notify = await peer.next('NOTIFY sip:alice@192.0.2.1;transport=tcp');
    expect(values(notify, 'Via')[0]).toMatch(/^SIP\/2.0\/TCP 127.0.0.1:/);
    peer.send(answer(notify, 'SIP/2.0 200 OK'));
    expect((await outcome).response.status).toBe(200);
    peer.close();
  });

  test('after that connection is gone the Contact is dialled', async () => {
    const accepting = createServer();
    const arrived = new Promise<TcpPeer>((resolve) =>
      accepting.on('connection', (socket) => resolve(new TcpPeer(socket))),
    );
    await new Promise<void>((resolve) => accepting.listen(0, '127.0.0.1', resolve));
    const { port } = accepting.address() as { port: number };
    const peer = await TcpPeer.connect(portOf(engine, 'tcp'));
    peer.send(subscribe({ port, transport: 'TCP', callId: 'dial' }));
    await peer.next('SIP/2.0 200');
    peer.socket.end();
    await peer.closed;
    const outcome = srfRequest(srf, 'sip:placeholder', {
      method: 'NOTIFY',
      stackDialogId: 'dial;from-tag=alice1',
      headers,
      body: '<a/>',
    });
    const dialled = await arrived;
    dialled.send(answer(await dialled.next('NOTIFY'), 'SIP/2.0 200 OK'));
    expect((await outcome).response.status).toBe(200);
    dialled.close();
    accepting.close();
  });

  test('RFC 3261 8.1.3.1: a port that refuses the connection is 503 at once', async () => {
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
    const { port } = free.address() as { port: number };
    await new Promise<void>((resolve) => free.close(() => resolve()));
    const { response } = await srfRequest(srf, `sip:x@127.0.0.1:${port};transport=tcp`, { method: 'OPTIONS' });
    expect(response.status).toBe(503);
  });

  test('a connection that breaks under a request makes it 503', async () => {
    const accepting = createServer((socket) => socket.once('data', () => socket.destroy()));
    await new Promise<void>((resolve) => accepting.listen(0, '127.0.0.1', resolve));
    const { port } = accepting.address() as { port: number };
    const { response } = await srfRequest(srf, `sip:x@127.0.0.1:${port};transport=tcp`, { method: 'OPTIONS' });
    expect(response.status).toBe(503);
    accepting.close();
  });

  test('RFC 3261 8.1.1.8: a Contact with our address leads to where we listen for the transport of the request', async () => {
    const contacts: string[] = [];
    const server = createServer((socket) => {
      socket.setEncoding('utf8').on('data', (request: string) => {
        contacts.push(...values(request, 'Contact'));
        socket.write(answer(request, 'SIP/2.0 200 OK'));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    for (const Contact of ['<sip:gms@localhost;gr>', '<sip:gms@elsewhere.example;gr>']) {
      await srfRequest(srf, `sip:x@127.0.0.1:${port};transport=tcp`, { method: 'OPTIONS', headers: { Contact } });
    }
    const own = `<sip:gms@127.0.0.1:${portOf(engine, 'tcp')};transport=tcp;gr>`;
    expect(contacts).toEqual([own, '<sip:gms@elsewhere.example;gr>']);
    server.close();
  });

  test('RFC 3261 18.1.1: a large request goes over TCP, and over UDP when there is no TCP', async () => {
    const body = `<xcap-diff>${'x'.repeat(2_000)}</xcap-diff>`;
    const udp = await UdpPeer.open();
    const order = () =>
      srfRequest(srf, `sip:x@127.0.0.1:${udp.port}`, {
        method: 'MESSAGE',
        headers: { 'Content-Type': 'text/xml' },
        body,
      });
    const first = order();
    const viaUdp = await udp.next('MESSAGE');
    expect(values(viaUdp, 'Via')[0]).toMatch(/^SIP\/2.0\/UDP/);
    udp.send(answer(viaUdp, 'SIP/2.0 200 OK'), portOf(engine, 'udp'));
    expect((await first).response.status).toBe(200);
    udp.close();

    const accepting = createServer();
    const arrived = new Promise<TcpPeer>((resolve) =>
      accepting.on('connection', (socket) => resolve(new TcpPeer(socket))),
    );
    await new Promise<void>((resolve) => accepting.listen(0, '127.0.0.1', resolve));
    const { port } = accepting.address() as { port: number };
    const second = srfRequest(srf, `sip:x@127.0.0.1:${port}`, {
      method: 'MESSAGE',
      headers: { 'Content-Type': 'text/xml' },
      body,
    });
    const dialled = await arrived;
    const viaTcp = await dialled.next('MESSAGE');
    expect(values(viaTcp, 'Via')[0]).toMatch(/^SIP\/2.0\/TCP/);
    dialled.send(answer(viaTcp, 'SIP/2.0 200 OK'));
    expect((await second).response.status).toBe(200);
    dialled.close();
    accepting.close();
  });

  test.each([
    ['a name', 'sip:gms.red.example', []],
    ['a URI that names UDP', 'sip:x@127.0.0.1;transport=udp', []],
    ['long header fields', 'sip:x@127.0.0.1', Array.from({ length: 12 }, (_, n) => `X-${n}: ${'y'.repeat(100)}`)],
  ])('RFC 3261 18.1.1: a large request to %s leaves UDP too', async (_what, uri, fields) => {
    const accepting = createServer();
    const arrived = new Promise<TcpPeer>((resolve) =>
      accepting.on('connection', (socket) => resolve(new TcpPeer(socket))),
    );
    await new Promise<void>((resolve) => accepting.listen(0, '127.0.0.1', resolve));
    const { port } = accepting.address() as { port: number };
    const names = {
      naptr: async () => [],
      srv: async (name: string) =>
        name === '_sip._udp.gms.red.example' ? [{ priority: 1, weight: 1, port, name: 'host.red.example' }] : [],
      addresses: async () => ['127.0.0.1'],
    };
    const own = await startEngine({ listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0'] }, { names });
    const ownSrf = await connectSrf(own, {});
    const target = uri.includes('red') ? uri : uri.replace('127.0.0.1', `127.0.0.1:${port}`);
    const headers = Object.fromEntries(fields.map((field) => field.split(': ')));
    const body = fields.length > 0 ? '' : 'x'.repeat(2_000);
    const outcome = srfRequest(ownSrf, target, {
      method: 'MESSAGE',
      headers: { ...headers, ...(body === '' ? {} : { 'Content-Type': 'text/plain' }) },
      ...(body === '' ? {} : { body }),
    });
    const peer = await arrived;
    const request = await peer.next('MESSAGE');
    expect(values(request, 'Via')[0]).toMatch(/^SIP\/2.0\/TCP/);
    peer.send(answer(request, 'SIP/2.0 200 OK'));
    expect((await outcome).response.status).toBe(200);
    peer.close();
    accepting.close();
    ownSrf.disconnect();
    await own.close();
  });

  test('a body of 500 kB passes both ways octet by octet', async () => {
    const body = `<d>${'Größe '.repeat(70_000)}</d>`;
    const accepting = createServer();
    const arrived = new Promise<TcpPeer>((resolve) =>
      accepting.on('connection', (socket) => resolve(new TcpPeer(socket))),
    );
    await new Promise<void>((resolve) => accepting.listen(0, '127.0.0.1', resolve));
    const { port } = accepting.address() as { port: number };
    const outcome = srfRequest(srf, `sip:x@127.0.0.1:${port};transport=tcp`, {
      method: 'MESSAGE',
      headers: { 'Content-Type': 'text/xml' },
      body,
    });
    const dialled = await arrived;
    const request = await dialled.next('MESSAGE');
    expect(request.slice(request.indexOf('\r\n\r\n') + 4) === body).toBe(true);
    dialled.send(answer(request, 'SIP/2.0 200 OK'));
    await outcome;
    const text = subscribe({ port: 9, transport: 'TCP', method: 'OPTIONS' });
    dialled.send(
      text.replace('Content-Length: 0\r\n\r\n', `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`),
    );
    await dialled.next('SIP/2.0 200');
    expect(seen.at(-1)?.msg.body === body).toBe(true);
    dialled.close();
    accepting.close();
  });

  test('connections beyond the limit of their source are closed', async () => {
    const small = await startEngine({ listen: ['tcp:127.0.0.1:0'], connections: { perSource: 1 } });
    const first = await TcpPeer.connect(portOf(small, 'tcp'));
    first.send(options(1, 'first'));
    expect(await first.next()).toMatch(/^SIP\/2.0 503/);
    const second = await TcpPeer.connect(portOf(small, 'tcp'));
    await second.closed;
    first.close();
    await small.close();
  });
});

describe('restored dialogs', () => {
  test('a dialog made before a restart goes on: refresh recognised, CSeq never lower, NOTIFY reaches the subscriber', async () => {
    const { dialogRecordFrom } = await import('./dialog-record.ts');
    const peer = await UdpPeer.open();
    const before = await startEngine({ listen: ['udp:127.0.0.1:0'] });
    let texts: [string, string] | undefined;
    const recorded = new Promise<void>((resolve) => {
      void connectSrf(before, {
        subscribe: (request, response) =>
          response.send(200, { headers: { Expires: '600' } }, (_error, sent) => {
            texts = [request.msg.raw, sent?.raw ?? ''];
            resolve();
          }),
      }).then((old) => {
        peer.send(subscribe({ port: peer.port, callId: 'kept' }), portOf(before, 'udp'));
        void recorded.then(async () => {
          const sent = srfRequest(old, 'sip:placeholder', {
            method: 'NOTIFY',
            stackDialogId: 'kept;from-tag=alice1',
            headers,
            body: '<a/>',
          });
          const notify = await peer.next('NOTIFY');
          peer.send(answer(notify, 'SIP/2.0 200 OK'), portOf(before, 'udp'));
          await sent;
          old.disconnect();
        });
      });
    });
    const ok = await peer.next('SIP/2.0 200');
    const oldNotify = await peer.next('NOTIFY');
    await recorded;
    await before.close();

    const source = { transport: 'udp' as const, address: '127.0.0.1', port: peer.port };
    const record = dialogRecordFrom(texts?.[0] ?? '', texts?.[1] ?? '', source, 1_000);
    expect(record).toEqual({
      callId: 'kept',
      localTag: tagOf(values(ok, 'To')[0]),
      remoteTag: 'alice1',
      localUri: '<sip:gms@blue.example>',
      remoteUri: '"Alice" <sip:alice@blue.example>',
      remoteTarget: `sip:alice@127.0.0.1:${peer.port}`,
      routeSet: [],
      remoteCSeq: 10,
      source,
      expiresAt: 601_000,
    });

    const { expiresAt: _old, ...lasting } = record;
    const after = await startEngine({
      listen: ['udp:127.0.0.1:0'],
      dialogs: [{ ...lasting, localCSeq: 2_000_000_000 }],
    });
    const dialogs: string[] = [];
    const srf = await connectSrf(after, {
      subscribe: (request, response) => {
        dialogs.push(request.stackDialogId);
        response.send(200, { headers: { Expires: '600' } });
      },
    });
    const outcome = srfRequest(srf, 'sip:placeholder', {
      method: 'NOTIFY',
      stackDialogId: 'kept;from-tag=alice1',
      headers,
      body: '<a/>',
    });
    const notify = await peer.next('NOTIFY');
    expect(values(notify, 'CSeq')).toEqual(['2000000001 NOTIFY']);
    for (const name of ['From', 'To', 'Call-ID']) expect(values(notify, name)).toEqual(values(oldNotify, name));
    peer.send(answer(notify, 'SIP/2.0 200 OK'), portOf(after, 'udp'));
    await outcome;
    peer.send(subscribe({ port: peer.port, callId: 'kept', toTag: record.localTag, cseq: 10 }), portOf(after, 'udp'));
    expect(await peer.next()).toMatch(/^SIP\/2.0 500/);
    peer.send(subscribe({ port: peer.port, callId: 'kept', toTag: record.localTag, cseq: 11 }), portOf(after, 'udp'));
    expect(await peer.next()).toMatch(/^SIP\/2.0 200/);
    expect(dialogs).toEqual(['kept;from-tag=alice1']);
    srf.disconnect();
    peer.close();
    await after.close();
  });

  test('a dialog that was made over TCP dials the route or the Contact', async () => {
    const accepting = createServer();
    const arrived = new Promise<TcpPeer>((resolve) =>
      accepting.on('connection', (socket) => resolve(new TcpPeer(socket))),
    );
    await new Promise<void>((resolve) => accepting.listen(0, '127.0.0.1', resolve));
    const { port } = accepting.address() as { port: number };
    const record = {
      callId: 'tcp-kept',
      localTag: 'gms1',
      remoteTag: 'alice1',
      localUri: '<sip:gms@blue.example>',
      remoteUri: '"Ålice" <sip:alice@blue.example>',
      remoteTarget: 'sip:alice@192.0.2.1',
      routeSet: [`<sip:127.0.0.1:${port};lr>`],
      remoteCSeq: 10,
      source: { transport: 'tcp' as const, address: '127.0.0.1', port: 40_000 },
    };
    const engine = await startEngine({ listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0'], dialogs: [record] });
    const srf = await connectSrf(engine, {});
    const outcome = srfRequest(srf, 'sip:placeholder', {
      method: 'NOTIFY',
      stackDialogId: 'tcp-kept;from-tag=alice1',
      headers,
      body: '<a/>',
    });
    const dialled = await arrived;
    const notify = await dialled.next('NOTIFY sip:alice@192.0.2.1 SIP/2.0');
    expect(values(notify, 'To')).toEqual(['"Ålice" <sip:alice@blue.example>;tag=alice1']);
    dialled.send(answer(notify, 'SIP/2.0 200 OK'));
    expect((await outcome).response.status).toBe(200);
    srf.disconnect();
    dialled.close();
    accepting.close();
    await engine.close();
  });
});

// What a hostile peer may try on the network side: each attack must leave the engine serving others, within its bounds.
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import WebSocket from 'ws';
import { testAuthority, testCertificate } from '../../xcap/certificates.testkit.ts';
import { connectSrf, portOf, type Srf, subscribe, TcpPeer, UdpPeer, values } from './engine.testkit.ts';
import { type Engine, type EngineOptions, startEngine } from './engine.ts';

const closing: (() => unknown)[] = [];
let delivered: string[];

beforeEach(() => {
  delivered = [];
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** An engine with an application that answers everything 200. */
async function start(options: EngineOptions): Promise<Engine> {
  const engine = await startEngine(options);
  closing.push(() => engine.close());
  const serve = (
    request: { method: string; get(name: string): string },
    response: { send(status: number, options?: object): void },
  ) => {
    delivered.push(request.get('Call-ID'));
    response.send(200, request.method === 'SUBSCRIBE' ? { headers: { Expires: '3600' } } : {});
  };
  const srf: Srf = await connectSrf(engine, { options: serve, subscribe: serve, message: serve });
  closing.push(() => srf.disconnect());
  return engine;
}

async function tcp(engine: Engine): Promise<TcpPeer> {
  const peer = await TcpPeer.connect(portOf(engine, 'tcp'));
  closing.push(() => peer.close());
  return peer;
}

async function udp(): Promise<UdpPeer> {
  const peer = await UdpPeer.open();
  closing.push(() => peer.close());
  return peer;
}

const options = (callId: string, port = 1) => subscribe({ port, transport: 'TCP', method: 'OPTIONS', callId });

/** A raw connection, and when it has been closed by the other side. */
function raw(port: number, allowHalfOpen = false): { readonly socket: Socket; readonly closed: Promise<unknown> } {
  const socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen });
  socket.on('error', () => undefined);
  socket.resume();
  closing.push(() => socket.destroy());
  return { socket, closed: new Promise((resolve) => socket.once('close', resolve)) };
}

const brief = { messageTime: 60, firstMessageTime: 60, handshakeTime: 60 };

describe('connections that stay half done', () => {
  test('TCP without a first message is closed, keep-alives do not keep it', async () => {
    const engine = await start({ listen: ['tcp:127.0.0.1:0'], connections: brief });
    const silent = raw(portOf(engine, 'tcp'));
    const pinging = raw(portOf(engine, 'tcp'));
    const pings = setInterval(() => pinging.socket.write('\r\n\r\n'), 10);
    closing.push(() => clearInterval(pings));
    await Promise.all([silent.closed, pinging.closed]);
  });

  test('TCP with a message that is never complete is closed, head or body', async () => {
    const engine = await start({ listen: ['tcp:127.0.0.1:0'], connections: { ...brief, firstMessageTime: 600_000 } });
    const inHead = raw(portOf(engine, 'tcp'));
    inHead.socket.write('OPTIONS sip:gms@blue.example SIP/2.0\r\n');
    const drip = setInterval(() => inHead.socket.write('X: y\r\n'), 10);
    closing.push(() => clearInterval(drip));
    const inBody = raw(portOf(engine, 'tcp'));
    inBody.socket.write(options('body').replace('Content-Length: 0', 'Content-Type: a/b\r\nContent-Length: 100'));
    await Promise.all([inHead.closed, inBody.closed]);
    expect(delivered).toEqual([]);
  });

  test('a peer that goes on sending after its stream was given up is cut off', async () => {
    const engine = await start({ listen: ['tcp:127.0.0.1:0'] });
    const { socket, closed } = raw(portOf(engine, 'tcp'), true);
    socket.write(options('lost').replace(/Content-Length: 0\r\n/, ''));
    const more = setInterval(() => socket.write('y'.repeat(1000)), 20);
    closing.push(() => clearInterval(more));
    await closed;
  });

  test('TLS handshakes that are never finished count as connections and are closed', async () => {
    const authority = await testAuthority('Lab');
    const certificate = await testCertificate(authority, { addresses: ['127.0.0.1'] });
    const engine = await start({
      listen: ['tls:127.0.0.1:0'],
      tls: certificate,
      connections: { handshakeTime: 1_000, perSource: 3 },
    });
    const port = portOf(engine, 'tls');
    const halves = [raw(port), raw(port), raw(port)];
    await Promise.all(halves.map(({ socket }) => once(socket, 'connect')));
    // One more than allowed is turned away although none of the others has said a word.
    await raw(port).closed;
    await Promise.all(halves.map(({ closed }) => closed));
    const secure = tlsConnect({ port, host: '127.0.0.1', ca: authority.cert });
    closing.push(() => secure.destroy());
    await once(secure, 'secureConnect');
  });

  test.each([
    ['nothing', ''],
    ['half a request', 'GET / HTTP/1.1\r\nHost: x\r\n'],
    ['a request without end of its head', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(1000)}`],
  ])('a WebSocket client that sends %s is closed', async (_what, text) => {
    const engine = await start({ listen: ['ws:127.0.0.1:0'], connections: { handshakeTime: 60, perSource: 1 } });
    const port = portOf(engine, 'ws');
    const { socket, closed } = raw(port);
    await once(socket, 'connect');
    socket.write(text);
    await raw(port).closed;
    await closed;
  });

  test('a WebSocket without a SIP message is closed, pings do not keep it', async () => {
    const engine = await start({ listen: ['ws:127.0.0.1:0'], connections: { ...brief, handshakeTime: 5_000 } });
    const socket = new WebSocket(`ws://127.0.0.1:${portOf(engine, 'ws')}`, 'sip');
    socket.on('error', () => undefined);
    const closed = once(socket, 'close');
    await once(socket, 'open');
    const pings = setInterval(() => socket.ping(), 10);
    closing.push(() => clearInterval(pings));
    await closed;
  });

  test('a WebSocket frame that never ends is closed', async () => {
    const engine = await start({
      listen: ['ws:127.0.0.1:0'],
      connections: { messageTime: 60, firstMessageTime: 600_000, handshakeTime: 5_000 },
    });
    const { socket, closed } = raw(portOf(engine, 'ws'));
    await once(socket, 'connect');
    socket.write(
      'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: sip\r\n\r\n',
    );
    await once(socket, 'data');
    // RFC 6455 5.2: a masked text frame of 1,000 octets, octet by octet.
    socket.write(Buffer.from([0x81, 0xfe, 0x03, 0xe8, 0, 0, 0, 0]));
    const drip = setInterval(() => socket.write('a'), 10);
    closing.push(() => clearInterval(drip));
    await closed;
  });

  test('connections of one address are bounded whatever they do, and make room when they end', async () => {
    const engine = await start({ listen: ['tcp:127.0.0.1:0'], connections: { perSource: 50 } });
    const port = portOf(engine, 'tcp');
    const many = Array.from({ length: 200 }, () => raw(port));
    let ended = 0;
    await new Promise<void>((resolve) => {
      for (const { closed } of many) void closed.then(() => (++ended === 150 ? resolve() : undefined));
    });
    expect((await engine.counts()).connections).toBe(50);
    for (const { socket } of many) socket.destroy();
    while ((await engine.counts()).connections > 0) await new Promise((resolve) => setImmediate(resolve));
    const peer = await tcp(engine);
    peer.send(options('after'));
    expect(await peer.next()).toMatch(/^SIP\/2.0 200/);
  });
});

describe('streams', () => {
  test('RFC 5626 3.5.1: a flood of keep-alives is answered in bulk, and others are served meanwhile', async () => {
    const engine = await start({ listen: ['tcp:127.0.0.1:0'] });
    const flood = await tcp(engine);
    const other = await tcp(engine);
    flood.send('\r\n\r\n'.repeat(50_000));
    other.send(options('other'));
    expect(await other.next()).toMatch(/^SIP\/2.0 200/);
    expect((await engine.counts()).faults).toBe(0);
  });

  test('keep-alives of a peer that never reads end its connection instead of filling the memory', async () => {
    const engine = await start({ listen: ['tcp:127.0.0.1:0'] });
    const { socket, closed } = raw(portOf(engine, 'tcp'));
    socket.pause();
    const pings = Buffer.from('\r\n\r\n'.repeat(100_000));
    let over = false;
    void closed.then(() => {
      over = true;
    });
    const feed = (): void => {
      if (!over) socket.write(pings, () => setImmediate(feed));
    };
    feed();
    await closed;
  });

  test('RFC 3261 18.3: pipelined messages cut at every octet are all served, in order', async () => {
    const engine = await start({ listen: ['tcp:127.0.0.1:0'] });
    const peer = await tcp(engine);
    peer.socket.setNoDelay(true);
    const stream = Buffer.from(`${options('one')}\r\n${options('two')}\r\n\r\n${options('three')}`);
    for (const octet of stream) peer.send(Buffer.from([octet]));
    for (const callId of ['one', 'two', 'three'])
      expect(values(await peer.next('SIP/2.0'), 'Call-ID')).toEqual([callId]);
    expect(delivered).toEqual(['one', 'two', 'three']);
  });

  test('RFC 3261 18.3: a Content-Length that is too small makes the rest garbage, which ends in a refusal', async () => {
    const engine = await start({ listen: ['tcp:127.0.0.1:0'] });
    const peer = await tcp(engine);
    const body = 'x'.repeat(50);
    const spoilt = options('short').replace(
      'Content-Length: 0\r\n\r\n',
      `Content-Type: a/b\r\nContent-Length: 5\r\n\r\n${body}`,
    );
    peer.send(spoilt);
    expect(await peer.next()).toMatch(/^SIP\/2.0 200/);
    peer.send('\r\n\r\n');
    await peer.closed;
    expect(delivered).toEqual(['short']);
  });

  test.each(['-1', '1e3', '0x10', '99999999999999999999', '5 5', ''])(
    'RFC 3261 20.14: Content-Length "%s" is 400 and ends the connection',
    async (length) => {
      const engine = await start({ listen: ['tcp:127.0.0.1:0'] });
      const peer = await tcp(engine);
      peer.send(options('length').replace('Content-Length: 0', `Content-Length: ${length}`));
      expect(await peer.next()).toMatch(/^SIP\/2.0 400/);
      await peer.closed;
      expect(delivered).toEqual([]);
    },
  );
});

describe('WebSocket frames', () => {
  async function open(
    engine: Engine,
  ): Promise<{ socket: WebSocket; next: () => Promise<string>; closed: Promise<number> }> {
    const socket = new WebSocket(`ws://127.0.0.1:${portOf(engine, 'ws')}`, 'sip');
    closing.push(() => socket.terminate());
    socket.on('error', () => undefined);
    const closed = new Promise<number>((resolve) => socket.on('close', resolve));
    await once(socket, 'open');
    return { socket, closed, next: async () => String((await once(socket, 'message'))[0]) };
  }

  test('RFC 7118 5: a message in fragments is one message', async () => {
    const engine = await start({ listen: ['ws:127.0.0.1:0'] });
    const { socket, next } = await open(engine);
    const text = options('fragments');
    const answered = next();
    for (let at = 0; at < text.length; at++) socket.send(text.slice(at, at + 1), { fin: at === text.length - 1 });
    expect(await answered).toMatch(/^SIP\/2.0 200/);
  });

  test('a frame, or fragments together, beyond a million octets end the connection (1009)', async () => {
    const engine = await start({ listen: ['ws:127.0.0.1:0'] });
    const one = await open(engine);
    one.socket.send('x'.repeat(1_000_001));
    expect(await one.closed).toBe(1009);
    const two = await open(engine);
    for (let count = 0; count < 5; count++) two.socket.send('x'.repeat(300_000), { fin: false });
    expect(await two.closed).toBe(1009);
    const three = await open(engine);
    const answered = three.next();
    three.socket.send(options('after'));
    expect(await answered).toMatch(/^SIP\/2.0 200/);
  });

  test('RFC 7118 5: two messages in one frame are not two messages', async () => {
    const engine = await start({ listen: ['ws:127.0.0.1:0'] });
    const { socket, next } = await open(engine);
    const answered = next();
    socket.send(`${options('first')}${options('second')}`);
    await answered;
    expect(delivered).toEqual(['first']);
  });
});

describe('datagrams', () => {
  test('RFC 3261 18.3: octets behind Content-Length are noise, a body that is too short is 400', async () => {
    const engine = await start({ listen: ['udp:127.0.0.1:0'] });
    const peer = await udp();
    const request = subscribe({ port: peer.port, method: 'OPTIONS', callId: 'noise' });
    peer.send(
      `${request}${subscribe({ port: peer.port, method: 'OPTIONS', callId: 'smuggled' })}`,
      portOf(engine, 'udp'),
    );
    expect(values(await peer.next('SIP/2.0 200'), 'Call-ID')).toEqual(['noise']);
    peer.send(
      subscribe({ port: peer.port, method: 'OPTIONS' }).replace(
        'Content-Length: 0',
        'Content-Type: a/b\r\nContent-Length: 9',
      ),
      portOf(engine, 'udp'),
    );
    expect(await peer.next()).toMatch(/^SIP\/2.0 400/);
    expect(delivered).toEqual(['noise']);
  });

  test('datagrams of blanks, line ends, zeros and single octets are dropped unanswered', async () => {
    const engine = await start({ listen: ['udp:127.0.0.1:0'] });
    const peer = await udp();
    for (const octets of [
      '',
      '\r\n',
      '\r\n\r\n',
      ' '.repeat(60_000),
      '\r\n'.repeat(30_000),
      '\0'.repeat(60_000),
      'x',
    ]) {
      peer.send(octets, portOf(engine, 'udp'));
    }
    peer.send(subscribe({ port: peer.port, method: 'OPTIONS', callId: 'after' }), portOf(engine, 'udp'));
    expect(values(await peer.next(), 'Call-ID')).toEqual(['after']);
    expect((await engine.counts()).faults).toBe(0);
  });

  test('RFC 3261 18.2.1: a sent-by that is somebody else gets no answer there: it goes where the datagram came from', async () => {
    const engine = await start({ listen: ['udp:127.0.0.1:0'] });
    const [attacker, victim] = [await udp(), await UdpPeer.open('127.0.0.3')];
    closing.push(() => victim.close());
    const request = subscribe({ port: victim.port, address: '127.0.0.3', method: 'OPTIONS' });
    attacker.send(request, portOf(engine, 'udp'));
    expect(values(await attacker.next('SIP/2.0 200'), 'Via')[0]).toContain(`received=127.0.0.1`);
    expect(victim.all).toEqual([]);
  });

  test('a Via list that repeats us is no loop for the last hop, and comes back whole', async () => {
    const engine = await start({ listen: ['udp:127.0.0.1:0'] });
    const peer = await udp();
    const own = `SIP/2.0/UDP 127.0.0.1:${portOf(engine, 'udp')};branch=z9hG4bKloop`;
    const request = subscribe({ port: peer.port, method: 'OPTIONS' }).replace(
      'Max-Forwards: 70',
      `${Array.from({ length: 60 }, (_, n) => `Via: ${own}${n}`).join('\r\n')}\r\nMax-Forwards: 0`,
    );
    peer.send(request, portOf(engine, 'udp'));
    const answered = await peer.next('SIP/2.0 200');
    expect(values(answered, 'Via')).toHaveLength(61);
    expect(values(answered, 'Via')[60]).toBe(`${own}59`);
  });

  test('RFC 3261 17.2.3: one branch with another method is another transaction', async () => {
    const engine = await start({ listen: ['udp:127.0.0.1:0'] });
    const peer = await udp();
    const parts = { port: peer.port, branch: 'z9hG4bK-shared', callId: 'shared' };
    peer.send(subscribe({ ...parts, method: 'OPTIONS' }), portOf(engine, 'udp'));
    expect(values(await peer.next('SIP/2.0 200'), 'CSeq')).toEqual(['10 OPTIONS']);
    peer.send(subscribe({ ...parts, method: 'SUBSCRIBE', cseq: 11 }), portOf(engine, 'udp'));
    expect(values(await peer.next('SIP/2.0 200'), 'CSeq')).toEqual(['11 SUBSCRIBE']);
    expect(delivered).toEqual(['shared', 'shared']);
  });

  test('RFC 3261 9.2: CANCEL of a request that is not known is 481, and a stray ACK is nothing', async () => {
    const engine = await start({ listen: ['udp:127.0.0.1:0'] });
    const peer = await udp();
    peer.send(subscribe({ port: peer.port, method: 'ACK' }), portOf(engine, 'udp'));
    peer.send(subscribe({ port: peer.port, method: 'CANCEL', callId: 'nothing' }), portOf(engine, 'udp'));
    const answered = await peer.next();
    expect(answered).toMatch(/^SIP\/2.0 481/);
    expect(values(answered, 'CSeq')).toEqual(['10 CANCEL']);
    expect(delivered).toEqual([]);
  });

  test('RFC 3261 18.1.2: responses that nobody waits for are dropped', async () => {
    const engine = await start({ listen: ['udp:127.0.0.1:0'] });
    const peer = await udp();
    const response = subscribe({ port: peer.port, method: 'OPTIONS' }).replace(/^[^\r]*/, 'SIP/2.0 200 OK');
    for (let count = 0; count < 100; count++) peer.send(response, portOf(engine, 'udp'));
    peer.send(subscribe({ port: peer.port, method: 'OPTIONS', callId: 'after' }), portOf(engine, 'udp'));
    expect(values(await peer.next(), 'Call-ID')).toEqual(['after']);
    expect(peer.all).toHaveLength(1);
  });
});

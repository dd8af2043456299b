import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  connectSrf,
  HandClock,
  portOf,
  RawApplication,
  subscribe,
  TcpPeer,
  UdpPeer,
  values,
} from './engine.testkit.ts';
import { type Engine, startEngine } from './engine.ts';

describe('drachtio control protocol', () => {
  let engine: Engine;
  let application: RawApplication;
  let peer: UdpPeer;

  beforeEach(async () => {
    engine = await startEngine({ listen: ['udp:127.0.0.1:0'], control: { secret: 'cymru' }, timers: { t1: 20 } });
    application = new RawApplication(engine);
    peer = await UdpPeer.open();
  });
  afterEach(async () => {
    application.close();
    peer.close();
    await engine.close();
  });
  const login = async (other = application) => {
    other.frame('login|authenticate|cymru|');
    return other.outcome();
  };

  test('authenticate tells addresses and a version that drachtio-srf understands', async () => {
    const place = `udp/127.0.0.1:${portOf(engine, 'udp')}`;
    expect(await login()).toBe(`response|login|OK|${place}|v0.9.10|${place}`);
  });

  test('a wrong secret is refused and the connection closed', async () => {
    application.frame('a|authenticate|wrong|');
    expect(await application.outcome()).toBe('response|a|NO|incorrect secret');
    await application.closed;
  });

  test.each(['a|route|subscribe', 'a|ping', 'a|sip||\r\nOPTIONS sip:x@y SIP/2.0\r\n\r\n'])(
    'before authentication %j is refused and the connection closed',
    async (text) => {
      application.frame(text);
      expect(await application.outcome()).toBe('response|a|NO|not authenticated');
      await application.closed;
    },
  );

  test('frames may be split anywhere and follow each other', async () => {
    const text = '23#a|authenticate|cymru|tt6#p|ping6#q|ping17#r|route|subscribe';
    for (const octet of text) application.write(octet);
    expect(await application.outcome()).toMatch(/^response\|a\|OK\|/);
    expect(await application.outcome()).toBe('response|p|OK|pong');
    expect(await application.outcome()).toBe('response|q|OK|pong');
    expect(await application.outcome()).toBe('response|r|OK');
  });

  test.each(['9999999#', '1048577#', 'abc#', '0#', '123456789'])(
    'a frame length of %j ends the connection',
    async (text) => {
      await login();
      application.write(text);
      await application.closed;
    },
  );

  test.each([
    ['hello', 'response|hello|NO|Invalid message format'],
    ['x|dance', 'response|x|NO|Unknown message type'],
    ['x|route', 'response|x|NO|Invalid message format'],
    ['x|sip||\r\nSIP/2.0 200 OK\r\n\r\n', 'response|x|NO|transaction id missing'],
  ])('%j is refused and the connection closed', async (text, expected) => {
    await login();
    application.frame(text);
    expect(await application.outcome()).toBe(expected);
    await application.closed;
  });

  test.each([
    ['x|sip|unknown|\r\nSIP/2.0 200 OK\r\n\r\n', 'Response not sent due to unknown transaction'],
    ['x|sip||no-dialog\r\nNOTIFY sip:p SIP/2.0\r\n\r\n', 'Server error: unable to find dialog for dialog id provided'],
    ['x|sip||\r\nNOTIFY\r\n\r\n', 'invalid request-uri: NOTIFY'],
    ['x|sip||', 'invalid request-uri: '],
    ['x|sip||\r\nOPTIONS sip:a@b SIP/2.0\nbare: lf\r\n\r\n', 'invalid request-uri: '],
    ['x|proxy|t||||||sip:a@b', 'this engine does not proxy'],
  ])('%j is not done, and the connection stays', async (text, expected) => {
    await login();
    application.frame(text);
    expect(await application.outcome()).toBe(`response|x|NOK|${expected}`);
    application.frame('p|ping');
    expect(await application.outcome()).toBe('response|p|OK|pong');
  });

  test('a request is delivered with its transaction, and the answer is confirmed with the dialog', async () => {
    await login();
    application.frame('r|route|subscribe');
    await application.outcome();
    peer.send(subscribe({ port: peer.port, callId: 'wire', branch: 'z9hG4bKw' }), portOf(engine, 'udp'));
    const [line = '', start, via] = (await application.outcome()).split('\r\n');
    const fields = line.split('|');
    const transaction = fields[7] ?? '';
    const port = portOf(engine, 'udp');
    expect(fields.slice(0, 2)).toEqual(['sip', 'network']);
    expect(Number(fields[2])).toBeGreaterThan(200);
    expect(fields.slice(3, 6)).toEqual(['udp', '127.0.0.1', String(peer.port)]);
    expect(fields[6]).toMatch(/^\d\d:\d\d:\d\d\.\d{6}$/);
    expect(transaction).toMatch(/^[0-9a-f-]{36}$/);
    expect(fields.slice(8)).toEqual(['', '127.0.0.1', String(port), '']);
    expect(start).toBe('SUBSCRIBE sip:gms@blue.example SIP/2.0');
    expect(via).toContain(`rport=${peer.port}`);

    application.frame(
      `ok|sip|${transaction}|\r\nSIP/2.0 202 Accepted\r\nexpires: 60\r\nTo: <x:y>;tag=mine\r\nVia: no\r\nContent-Length: 7\r\n\r\n`,
    );
    const confirmed = (await application.outcome()).split('\r\n');
    const confirmation = (confirmed[0] ?? '').split('|');
    expect(confirmation.slice(0, 5)).toEqual([
      'response',
      'ok',
      'OK',
      'application',
      String(confirmed.join('\r\n').length - (confirmed[0] ?? '').length - 2),
    ]);
    expect(confirmation.slice(9)).toEqual([transaction, 'wire;from-tag=alice1', '', 'Msg sent:', ''].slice(0));
    const sent = await peer.next('SIP/2.0 202 Accepted');
    expect(values(sent, 'Expires')).toEqual(['60']);
    expect(values(sent, 'To')).toEqual(['<sip:gms@blue.example>;tag=mine']);
    expect(values(sent, 'Content-Length')).toEqual(['0']);
    expect(values(sent, 'Via')).toHaveLength(1);
    expect(confirmed.slice(1).join('\r\n')).toBe(sent);
  });

  test('a provisional answer is not sent (RFC 4320 4.1) and the request can still be answered', async () => {
    await login();
    application.frame('r|route|options');
    await application.outcome();
    peer.send(subscribe({ port: peer.port, method: 'OPTIONS' }), portOf(engine, 'udp'));
    const transaction = (await application.outcome()).split('|')[7];
    application.frame(`a|sip|${transaction}|\r\nSIP/2.0 100 Trying\r\n\r\n`);
    expect(await application.outcome()).toBe('response|a|NOK|provisional responses are not sent');
    application.frame(`b|sip|${transaction}|\r\nSIP/2.0 200 OK\r\n\r\n`);
    expect(await peer.next()).toMatch(/^SIP\/2.0 200/);
  });

  test('the confirmation of a request comes before its response', async () => {
    await login();
    application.frame(
      `o|sip||\r\nOPTIONS sip:x@127.0.0.1:${peer.port} SIP/2.0\r\nTo: <sip:x@localhost>\r\nFrom: <sip:me@localhost>;tag=7\r\n\r\n`,
    );
    const request = await peer.next('OPTIONS');
    expect(values(request, 'From')).toEqual([`<sip:me@127.0.0.1:${portOf(engine, 'udp')}>;tag=7`]);
    const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => `${name}: ${values(request, name)[0]}`);
    peer.send(['SIP/2.0 200 OK', ...copied, '', ''].join('\r\n'), portOf(engine, 'udp'));
    const confirmation = (await application.outcome()).split('|');
    const response = (await application.outcome()).split('|');
    expect(confirmation.slice(0, 4)).toEqual(['response', 'o', 'OK', 'application']);
    expect(confirmation[9]).toBe(response[7]);
    expect(response.slice(0, 2)).toEqual(['sip', 'network']);
  });

  test('requests are dealt in turn, and remove_route takes one out', async () => {
    const second = new RawApplication(engine);
    await login();
    await login(second);
    for (const other of [application, second]) {
      other.frame('r|route|options');
      await other.outcome();
    }
    const takeTurns = async (order: RawApplication[]) => {
      for (const expected of order) {
        peer.send(subscribe({ port: peer.port, method: 'OPTIONS' }), portOf(engine, 'udp'));
        const transaction = (await expected.outcome()).split('|')[7];
        expected.frame(`a|sip|${transaction}|\r\nSIP/2.0 200 OK\r\n\r\n`);
        await expected.outcome();
      }
    };
    await takeTurns([application, second, application, second]);
    application.frame('x|remove_route|options');
    await application.outcome();
    await takeTurns([second, second]);
    second.close();
  });

  test('RFC 3261 21.5.4: without any application it is 503 with Retry-After', async () => {
    peer.send(subscribe({ port: peer.port }), portOf(engine, 'udp'));
    const refused = await peer.next();
    expect(refused).toMatch(/^SIP\/2.0 503/);
    expect(values(refused, 'Retry-After')).toEqual(['5']);
  });
});

test('a request nobody answers is forgotten after 128 T1', async () => {
  const clock = new HandClock();
  const engine = await startEngine({ listen: ['udp:127.0.0.1:0'], control: { secret: 's' } }, { clock });
  const application = new RawApplication(engine);
  application.frame('l|authenticate|s|');
  application.frame('r|route|options');
  await application.next();
  await application.next();
  const peer = await UdpPeer.open();
  peer.send(subscribe({ port: peer.port, method: 'OPTIONS' }), portOf(engine, 'udp'));
  const transaction = (await application.outcome()).split('|')[7];
  clock.advance(63_999);
  expect((await engine.counts()).unanswered).toBe(1);
  clock.advance(1);
  application.frame(`a|sip|${transaction}|\r\nSIP/2.0 200 OK\r\n\r\n`);
  expect(await application.outcome()).toBe('response|a|NOK|Response not sent due to unknown transaction');
  application.close();
  peer.close();
  await engine.close();
});

describe('floods', () => {
  test('more unanswered requests than the limit are 503 with Retry-After', async () => {
    const engine = await startEngine({ listen: ['udp:127.0.0.1:0'], control: { secret: 's' }, flood: { pending: 3 } });
    const application = new RawApplication(engine);
    application.frame('l|authenticate|s|');
    application.frame('r|route|options');
    await application.next();
    await application.next();
    const peer = await UdpPeer.open();
    for (let count = 0; count < 4; count++) {
      peer.send(subscribe({ port: peer.port, method: 'OPTIONS' }), portOf(engine, 'udp'));
      if (count < 3) await application.next();
    }
    expect(await peer.next()).toMatch(/^SIP\/2.0 503/);
    application.close();
    peer.close();
    await engine.close();
  });

  test('RFC 3261 21.5.4: beyond its share a source gets 503 with Retry-After, then nothing; others are served', async () => {
    const engine = await startEngine(
      { listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0'], flood: { requests: 5, refusals: 1 } },
      { clock: { now: () => 0, wakeAfter: () => () => undefined } },
    );
    const application = await connectSrf(engine, { options: (_request, response) => response.send(200) });
    const peer = await UdpPeer.open();
    const request = () => subscribe({ port: peer.port, method: 'OPTIONS' });
    for (let count = 0; count < 15; count++) peer.send(request(), portOf(engine, 'udp'));
    const other = await UdpPeer.open('127.0.0.2');
    other.send(
      subscribe({ port: other.port, address: '127.0.0.2', method: 'OPTIONS' }),
      portOf(engine, 'udp'),
      '127.0.0.1',
    );
    await other.next('SIP/2.0 200');
    const statuses = peer.all.map((text) => text.slice(8, 11)).sort();
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => '200'), '503', '503']);
    expect(values(peer.all.find((text) => text.startsWith('SIP/2.0 503')) ?? '', 'Retry-After')).toEqual([
      expect.stringMatching(/^\d+$/),
    ]);
    // The same share for connections, with which nobody can pretend to be somebody else.
    const stream = await TcpPeer.connect(portOf(engine, 'tcp'), '127.0.0.1');
    stream.send(`${request()}\r\n\r\n`);
    expect(await stream.next()).toBe('\r\n');
    stream.close();
    application.disconnect();
    other.close();
    peer.close();
    await engine.close();
  });

  test('a source gets no more refusals of garbage than its share', async () => {
    const engine = await startEngine(
      { listen: ['udp:127.0.0.1:0'], flood: { requests: 10, refusals: 1 } },
      { clock: { now: () => 0, wakeAfter: () => () => undefined } },
    );
    const peer = await UdpPeer.open();
    const bad = subscribe({ port: peer.port }).replace('CSeq: 10', 'CSeq: x');
    for (let count = 0; count < 10; count++) peer.send(bad, portOf(engine, 'udp'));
    for (let count = 0; count < 12; count++) peer.send(subscribe({ port: peer.port }), portOf(engine, 'udp'));
    const other = await UdpPeer.open('127.0.0.2');
    other.send(subscribe({ port: other.port, address: '127.0.0.2' }), portOf(engine, 'udp'), '127.0.0.1');
    await other.next('SIP/2.0 503');
    const statuses = peer.all.map((text) => text.slice(8, 11));
    expect(statuses.filter((status) => status === '400')).toHaveLength(2);
    // No application is there.
    expect(statuses.filter((status) => status === '503')).toHaveLength(10);
    other.close();
    peer.close();
    await engine.close();
  });
});

// Requests of every served method and size, over UDP and TCP, and what peers do that move: other ports, other tags, other events.
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  answer,
  HandClock,
  portOf,
  RawApplication,
  subscribe,
  TcpPeer,
  tagOf,
  UdpPeer,
  values,
} from './engine.testkit.ts';
import { type Engine, startEngine } from './engine.ts';

const methods = ['subscribe', 'notify', 'options', 'message', 'publish', 'register', 'info', 'refer'];

let engine: Engine;
let application: RawApplication;
let peer: UdpPeer;
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  engine = await startEngine({ listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0'] }, { clock: new HandClock() });
  closing.push(() => engine.close());
  application = new RawApplication(engine);
  closing.push(() => application.close());
  application.frame(`l|authenticate|${engine.control.secret}|`);
  await application.next();
  for (const method of methods) {
    application.frame(`r|route|${method}`);
    await application.next();
  }
  peer = await UdpPeer.open();
  closing.push(() => peer.close());
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const toEngine = (text: string): void => peer.send(text, portOf(engine, 'udp'));

/** The next request given to the application, answered; @returns fields of its frame and its text */
async function take(
  statusLine = 'SIP/2.0 200 OK',
  more = '',
): Promise<{ readonly fields: string[]; readonly text: string }> {
  const frame = await application.next();
  const end = frame.indexOf('\r\n');
  const fields = frame.slice(0, end).split('|');
  application.frame(`a|sip|${fields[8]}|\r\n${statusLine}\r\n${more}\r\n`);
  expect(await application.outcome()).toMatch(/^response\|a\|OK\|/);
  return { fields, text: frame.slice(end + 2) };
}

test.each(['MESSAGE', 'PUBLISH', 'REGISTER', 'INFO', 'REFER', 'OPTIONS', 'NOTIFY', 'SUBSCRIBE'])(
  '%s goes to the application that routed it, its answer to the peer',
  async (method) => {
    toEngine(subscribe({ port: peer.port, method, callId: method }));
    const { fields, text } = await take();
    expect(fields.slice(1, 3)).toEqual(['sip', 'network']);
    expect(fields.slice(4, 7)).toEqual(['udp', '127.0.0.1', String(peer.port)]);
    expect(text).toMatch(new RegExp(`^${method} sip:gms@blue.example SIP/2.0\r\n`));
    expect(values(await peer.next('SIP/2.0 200'), 'CSeq')).toEqual([`10 ${method}`]);
  },
);

test.each([
  ['udp', 1_300],
  ['udp', 8_000],
  ['udp', 60_000],
  ['tcp', 1_300],
  ['tcp', 65_536],
])('over %s a body of %i octets of UTF-8 arrives octet by octet', async (transport, size) => {
  const body = 'ß€😀'
    .repeat(Math.floor(size / 9))
    .padEnd(size - Math.floor(size / 9) * 9 + Math.floor(size / 9) * 4, 'x');
  const octets = Buffer.byteLength(body);
  const request = subscribe({ port: peer.port, method: 'MESSAGE', transport: transport.toUpperCase() }).replace(
    'Content-Length: 0\r\n\r\n',
    `Content-Type: text/plain\r\nContent-Length: ${octets}\r\n\r\n${body}`,
  );
  if (transport === 'udp') toEngine(request);
  else {
    const stream = await TcpPeer.connect(portOf(engine, 'tcp'));
    closing.push(() => stream.close());
    stream.send(request);
  }
  const { fields, text } = await take();
  expect(fields[3]).toBe(String(Buffer.byteLength(request)));
  expect(text.slice(text.indexOf('\r\n\r\n') + 4)).toBe(body);
});

test('two subscriptions in one Call-ID, told apart by their From tags, are two dialogs', async () => {
  const one = subscribe({ port: peer.port, callId: 'shared', extra: ['Event-Note: 1'] });
  const two = subscribe({ port: peer.port, callId: 'shared', cseq: 11 }).replace('tag=alice1', 'tag=alice2');
  for (const [request, tag] of [
    [one, 'alice1'],
    [two, 'alice2'],
  ] as const) {
    toEngine(request);
    await take('SIP/2.0 200 OK', 'Expires: 60\r\n');
    const accepted = await peer.next('SIP/2.0 200');
    expect(tagOf(values(accepted, 'From')[0])).toBe(tag);
  }
  expect((await engine.counts()).dialogs).toBe(2);
  for (const tag of ['alice2', 'alice1']) {
    application.frame(
      `n|sip||shared;from-tag=${tag}\r\nNOTIFY sip:placeholder SIP/2.0\r\nEvent: xcap-diff\r\nSubscription-State: active\r\n\r\n`,
    );
    expect(await application.outcome()).toMatch(/^response\|n\|OK\|/);
    const notify = await peer.next('NOTIFY');
    expect(tagOf(values(notify, 'To')[0])).toBe(tag);
    toEngine(answer(notify, 'SIP/2.0 200 OK'));
    expect((await application.next()).split('|').slice(1, 3)).toEqual(['sip', 'network']);
  }
});

test('RFC 6665 4.4.1: a second subscription within a dialog reaches the application in that dialog', async () => {
  toEngine(subscribe({ port: peer.port, callId: 'inside' }));
  const first = await take('SIP/2.0 200 OK', 'Expires: 60\r\n');
  expect(first.fields[9]).toBe('');
  const toTag = tagOf(values(await peer.next('SIP/2.0 200'), 'To')[0]);
  toEngine(
    subscribe({ port: peer.port, callId: 'inside', cseq: 11, toTag }).replace(
      'Event: xcap-diff',
      'Event: xcap-diff;id=2',
    ),
  );
  const second = await take('SIP/2.0 200 OK', 'Expires: 60\r\n');
  expect(second.fields[9]).toBe('inside;from-tag=alice1');
  expect(values(second.text, 'Event')).toEqual(['xcap-diff;id=2']);
  expect((await engine.counts()).dialogs).toBe(1);
});

test('RFC 3581 4: a peer whose port has changed gets its answers and the next NOTIFY at the new one', async () => {
  const inner = '<sip:alice@10.1.2.3:5060>';
  toEngine(subscribe({ port: peer.port, callId: 'rebound', contact: inner }));
  await take('SIP/2.0 200 OK', 'Expires: 60\r\n');
  const toTag = tagOf(values(await peer.next('SIP/2.0 200'), 'To')[0]);
  const rebound = await UdpPeer.open();
  closing.push(() => rebound.close());
  // The address in Via is still the inner one.
  rebound.send(
    subscribe({ port: peer.port, callId: 'rebound', contact: inner, cseq: 11, toTag }),
    portOf(engine, 'udp'),
  );
  await take('SIP/2.0 200 OK', 'Expires: 60\r\n');
  expect(values(await rebound.next('SIP/2.0 200'), 'Via')[0]).toContain(`rport=${rebound.port}`);
  application.frame(
    'n|sip||rebound;from-tag=alice1\r\nNOTIFY sip:placeholder SIP/2.0\r\nEvent: xcap-diff\r\nSubscription-State: active\r\n\r\n',
  );
  expect(await rebound.next('NOTIFY')).toMatch(/^NOTIFY sip:alice@10\.1\.2\.3:5060 SIP\/2\.0/);
  expect(peer.all.filter((text) => text.startsWith('NOTIFY'))).toEqual([]);
});

test('several applications take turns for each method, and a lost one owes nothing: what it had is 503 at once', async () => {
  const other = new RawApplication(engine);
  closing.push(() => other.close());
  other.frame(`l|authenticate|${engine.control.secret}|`);
  other.frame('r|route|message');
  await other.next();
  await other.next();
  const owned = new Map<string, string>();
  for (let count = 0; count < 6; count++)
    toEngine(subscribe({ port: peer.port, method: 'MESSAGE', callId: `turn-${count}` }));
  for (let count = 0; count < 3; count++) {
    for (const [name, one] of [
      ['first', application],
      ['other', other],
    ] as const) {
      owned.set(values((await one.next()).replace(/^[^\r]*\r\n/, ''), 'Call-ID')[0] ?? '', name);
    }
  }
  expect([...owned].sort().map(([, name]) => name)).toEqual(['first', 'other', 'first', 'other', 'first', 'other']);
  other.close();
  const refused = [await peer.next(), await peer.next(), await peer.next()];
  expect(refused.map((text) => text.slice(0, 11))).toEqual(['SIP/2.0 503', 'SIP/2.0 503', 'SIP/2.0 503']);
  expect(refused.flatMap((text) => values(text, 'Call-ID')).sort()).toEqual(['turn-1', 'turn-3', 'turn-5']);
  toEngine(subscribe({ port: peer.port, method: 'MESSAGE', callId: 'after' }));
  const frame = await application.next();
  expect(frame).toContain('Call-ID: after');
});

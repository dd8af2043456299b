// The control port: over TLS, and what it stands that is not an application.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { connect as tlsConnect } from 'node:tls';
import { afterEach, expect, test } from '@jest/globals';
import { testAuthority, testCertificate } from '../../xcap/certificates.testkit.ts';
import { portOf, RawApplication, type Srf, subscribe, UdpPeer } from './engine.testkit.ts';
import { type Engine, type EngineOptions, startEngine } from './engine.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(control: NonNullable<EngineOptions['control']> = {}): Promise<Engine> {
  const engine = await startEngine({ listen: ['udp:127.0.0.1:0'], control });
  closing.push(() => engine.close());
  return engine;
}

function application(engine: Engine): RawApplication {
  const raw = new RawApplication(engine);
  closing.push(() => raw.close());
  return raw;
}

/** Asks for OPTIONS over UDP; @returns the status line */
async function ask(engine: Engine): Promise<string> {
  const peer = await UdpPeer.open();
  closing.push(() => peer.close());
  peer.send(subscribe({ port: peer.port, method: 'OPTIONS' }), portOf(engine, 'udp'));
  return (await peer.next()).split('\r\n')[0] ?? '';
}

test('an unmodified drachtio-srf is served over TLS, with the same secret, beside the plain port', async () => {
  const authority = await testAuthority('Lab');
  const certificate = await testCertificate(authority, { dns: ['localhost'], addresses: ['127.0.0.1'] });
  const engine = await start({ tls: { port: 0, ...certificate } });
  const { host, tlsPort = 0, secret } = engine.control;
  const SrfClass = createRequire(import.meta.url)('drachtio-srf') as new () => Srf;
  const srf = new SrfClass();
  closing.push(() => srf.disconnect());
  srf.on('error', () => undefined);
  srf.options((_request, response) => response.send(200));
  const connected = new Promise((resolve) => srf.on('connect', resolve));
  srf.connect({ host, port: tlsPort, secret, tls: { ca: authority.cert } });
  expect(await connected).toBeNull();
  expect(await ask(engine)).toBe('SIP/2.0 200 OK');

  const plain = application(engine);
  plain.frame(`a|authenticate|${secret}|`);
  expect(await plain.outcome()).toMatch(/^response\|a\|OK\|/);
  const wrong = tlsConnect({ host, port: tlsPort, ca: authority.cert });
  closing.push(() => wrong.destroy());
  wrong.write('21#a|authenticate|wrong|');
  const refused = await once(wrong, 'data');
  expect(String(refused[0])).toContain('NO|incorrect secret');
});

test('with a CA for applications, one without a certificate of it is turned away before it can say its secret', async () => {
  const authority = await testAuthority('Lab');
  const other = await testAuthority('Other');
  const certificate = await testCertificate(authority, { addresses: ['127.0.0.1'] });
  const stranger = await testCertificate(other, { dns: ['app.example'] });
  const engine = await start({ tls: { port: 0, ...certificate, clientCa: authority.cert } });
  const { host, tlsPort = 0, secret } = engine.control;
  const frame = `a|authenticate|${secret}|`;
  const outcome = async (own: object): Promise<string> => {
    const socket = tlsConnect({ host, port: tlsPort, ca: authority.cert, ...own });
    closing.push(() => socket.destroy());
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (chunk) => {
      text += String(chunk);
      socket.destroy();
    });
    socket.write(`${frame.length}#${frame}`);
    await new Promise((resolve) => socket.once('close', resolve));
    return text;
  };
  expect(await outcome({})).toBe('');
  expect(await outcome(stranger)).toBe('');
  expect(await outcome(certificate)).toContain('|OK|');
});

test('a control certificate that does not fit its key is a named error, and nothing stays open', async () => {
  const authority = await testAuthority('Lab');
  const one = await testCertificate(authority, { addresses: ['127.0.0.1'] });
  const two = await testCertificate(authority, { addresses: ['127.0.0.1'] });
  const tls = { port: 0, cert: one.cert, key: two.key };
  await expect(startEngine({ listen: ['udp:127.0.0.1:0'], control: { tls } })).rejects.toThrow(/key/i);
});

test('connections that never show the secret make room for an application that does', async () => {
  const engine = await start();
  const strangers = Array.from({ length: 200 }, () => application(engine));
  // Half a frame each.
  for (const stranger of strangers) stranger.write('60#a|authenti');
  const known = application(engine);
  known.frame(`a|authenticate|${engine.control.secret}|`);
  known.frame('b|route|options');
  expect(await known.outcome()).toMatch(/^response\|a\|OK\|/);
  expect(await known.outcome()).toBe('response|b|OK');
  const asked = ask(engine);
  const transaction = (await known.next()).split('|')[8];
  known.frame(`c|sip|${transaction}|\r\nSIP/2.0 200 OK\r\n\r\n`);
  expect(await asked).toBe('SIP/2.0 200 OK');
});

test.each([
  ['100 MB', '104857600#'],
  ['a length without end', '1'.repeat(5_000)],
  ['a negative length', '-1#'],
])('a frame of %s ends the connection at once, with the secret or without', async (_what, text) => {
  const engine = await start();
  const stranger = application(engine);
  stranger.write(text);
  await stranger.closed;
  const known = application(engine);
  known.frame(`a|authenticate|${engine.control.secret}|`);
  await known.next();
  known.write(text);
  await known.closed;
  expect(await ask(engine)).toBe('SIP/2.0 503 Service Unavailable');
});

test('before the secret nothing is routed: a stranger that registers gets no request', async () => {
  const engine = await start();
  const stranger = application(engine);
  stranger.frame('r|route|options');
  expect(await stranger.outcome()).toBe('response|r|NO|not authenticated');
  await stranger.closed;
  expect(await ask(engine)).toBe('SIP/2.0 503 Service Unavailable');
  expect(stranger.frames).toHaveLength(1);
});

test('a frame that stays half does not hold up other applications', async () => {
  const engine = await start();
  const half = application(engine);
  half.frame(`a|authenticate|${engine.control.secret}|`);
  await half.next();
  half.write('1000000#b|sip||\r\nOPTIONS sip:x@127.0.0.1');
  const other = application(engine);
  other.frame(`a|authenticate|${engine.control.secret}|`);
  other.frame('p|ping');
  await other.next();
  expect(await other.outcome()).toBe('response|p|OK|pong');
});

test.each([
  'Contact: <<<',
  'Contact: <sip:a@b>, "',
  'Expires: soon',
  'Expires: -1',
  'Max-Forwards: 256',
  'Max-Forwards: -1',
  'Call-ID: a b',
  'Call-ID: a|b',
])(
  'a request or a response with "%s" is refused by name and not sent; what was asked can still be answered',
  async (line) => {
    const engine = await start();
    const known = application(engine);
    known.frame(`a|authenticate|${engine.control.secret}|`);
    known.frame('r|route|options');
    await known.next();
    await known.next();
    const name = line.split(':')[0];
    known.frame(`b|sip||\r\nOPTIONS sip:x@127.0.0.1:${portOf(engine, 'udp')} SIP/2.0\r\n${line}\r\n\r\n`);
    expect(await known.outcome()).toBe(`response|b|NOK|invalid ${name}`);
    const asked = ask(engine);
    const transaction = (await known.next()).split('|')[8];
    known.frame(`c|sip|${transaction}|\r\nSIP/2.0 200 OK\r\n${line}\r\n\r\n`);
    expect(await known.outcome()).toBe(`response|c|NOK|invalid ${name}`);
    known.frame(`d|sip|${transaction}|\r\nSIP/2.0 480 Later\r\n\r\n`);
    expect(await asked).toBe('SIP/2.0 480 Later');
  },
);

test('texts that are no SIP, however long, are refused by name and the connection stays', async () => {
  const engine = await start();
  const known = application(engine);
  known.frame(`a|authenticate|${engine.control.secret}|`);
  await known.next();
  for (const text of [
    `OPTIONS sip:x@127.0.0.1 SIP/2.0\r\n${'X: y\r\n'.repeat(7_000)}\r\n`,
    `OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nX: ${' '.repeat(60_000)}\r\n\r\n`,
    `OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nContact: ${','.repeat(60_000)}\r\n\r\n`,
    '\0'.repeat(60_000),
  ]) {
    known.frame(`b|sip||\r\n${text}`);
    expect(await known.outcome()).toMatch(/^response\|b\|NOK\|/);
  }
  known.frame('p|ping');
  expect(await known.outcome()).toBe('response|p|OK|pong');
  expect((await engine.counts()).faults).toBe(0);
});

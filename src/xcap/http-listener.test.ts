// What hostile, slow and unusual connections get: RFC 9112 framing, limits, expectations, draining.
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ines, listKey, listPath, listType, type RunningFace, runningFace } from './own-face.testkit.ts';
import { rawRequest, Wire } from './wire.testkit.ts';

let face: RunningFace;
afterEach(() => face.close());

const asserted = { 'X-3GPP-Asserted-Identity': ines };
const put = { ...asserted, 'Content-Type': listType };
const get = rawRequest('GET', listPath, asserted);

async function start(limits: Parameters<typeof runningFace>[0] = {}): Promise<Wire> {
  face = await runningFace(limits);
  face.store(listKey, '<a/>');
  return Wire.open(face.url);
}

describe('RFC 9112 6 and 7: framing that two readers could see differently', () => {
  test.each([
    ['both Content-Length and Transfer-Encoding', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n'],
    ['two lengths that differ', 'Content-Length: 4\r\nContent-Length: 5\r\n'],
    ['a length that is no number', 'Content-Length: +4\r\n'],
    ['a coding after chunked', 'Transfer-Encoding: chunked, identity\r\n'],
    ['an unknown coding', 'Transfer-Encoding: xchunked\r\n'],
    ['a space before the colon', 'Content-Length : 4\r\n'],
    ['a folded field', 'X-A: b\r\n c\r\n'],
    ['a line that ends in LF only', 'X-A: b\nX-B: c\r\n'],
    ['a NUL in a field', 'X-A: b\u0000c\r\n'],
  ])('%s is refused, and the connection ends', async (_name, fields) => {
    const wire = await start();
    wire.write(
      `PUT ${listPath} HTTP/1.1\r\nHost: x\r\nContent-Type: ${listType}\r\nX-3GPP-Asserted-Identity: ${ines}\r\n${fields}\r\n<b/>${get}`,
    );
    const all = await wire.rest();
    expect(all.slice(0, 12)).toBe('HTTP/1.1 400');
    expect(all.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(face.text(listKey)).toBe('<a/>');
  });

  test('RFC 9112 6.1: HTTP/1.0 with Transfer-Encoding is 400, nothing is stored, and the connection ends', async () => {
    const wire = await start();
    const head = `PUT ${listPath} HTTP/1.0\r\nConnection: keep-alive\r\nContent-Type: ${listType}\r\nX-3GPP-Asserted-Identity: ${ines}`;
    wire.write(`${head}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n<b/>\r\n0\r\n\r\n${get}`);
    const all = await wire.rest();
    expect(all).toMatch(/^HTTP\/1\.1 400 /);
    expect(all.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(face.text(listKey)).toBe('<a/>');
  });

  test('RFC 9112 3.2: two Host fields are 400, and the connection ends', async () => {
    const wire = await start();
    wire.write(`${get.replace('\r\n', '\r\nHost: red.example\r\n')}${get}`);
    const all = await wire.rest();
    expect(all).toMatch(/^HTTP\/1\.1 400 /);
    expect(all.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  });

  test.each([
    ['gzip, chunked', 'Transfer-Encoding: gzip, chunked\r\n'],
    ['gzip and chunked in two fields', 'Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n'],
  ])(
    'RFC 9112 6.1: the transfer coding %s is 501, nothing is stored, and the connection ends',
    async (_name, field) => {
      const wire = await start();
      wire.write(
        `PUT ${listPath} HTTP/1.1\r\nHost: x\r\nContent-Type: ${listType}\r\nX-3GPP-Asserted-Identity: ${ines}\r\n${field}\r\n`,
      );
      wire.write(`4\r\n<b/>\r\n0\r\n\r\n${get}`);
      const all = await wire.rest();
      expect(all).toMatch(/^HTTP\/1\.1 501 [\s\S]*\r\n\r\nnot-implemented: /);
      expect(all.match(/HTTP\/1\.1 /g)).toHaveLength(1);
      expect(face.text(listKey)).toBe('<a/>');
    },
  );

  test('RFC 9112 3.2: no Host field is 400 that says so, and the connection ends', async () => {
    const wire = await start();
    wire.write(`${get.replace(/Host: [^\r]*\r\n/, '')}${get}`);
    const [head = '', body] = (await wire.rest()).split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 400 (?:.*\r\n)*Content-Length: 30\r\n/);
    expect(body).toBe('bad-request: There is no Host\n');
  });

  test('RFC 9112 3.2: a request of HTTP/1.0 needs none', async () => {
    const wire = await start();
    wire.write(get.replace(/Host: [^\r]*\r\n/, '').replace('HTTP/1.1', 'HTTP/1.0'));
    expect(await wire.answer()).toMatchObject({ status: 200, body: '<a/>' });
  });

  test('RFC 9110 10.1.1: another expectation than 100-continue is 417 that says so, and nothing is stored', async () => {
    const wire = await start();
    wire.write(rawRequest('PUT', listPath, { ...put, Expect: 'something' }, '<b/>'));
    const answer = await wire.answer();
    expect(answer).toMatchObject({ status: 417, body: expect.stringMatching(/^expectation-failed: /) });
    expect(answer?.headers['content-length']).toBe(String(answer?.body.length));
    expect(face.text(listKey)).toBe('<a/>');
  });

  test('garbage is 400 in one line, and names no software', async () => {
    const wire = await start();
    wire.write('\u0016\u0003\u0001 hello\r\n\r\n');
    const all = await wire.rest();
    expect(all).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n(?:.+\r\n)*Connection: close\r\n\r\nbad-request: .+\n$/);
    expect(all).not.toMatch(/server|node|parse/i);
  });

  test('garbage behind a request that is still being served is never taken for its answer', async () => {
    const wire = await start();
    const release = face.hold();
    wire.write(`${get}GARBAGE\r\n\r\n`);
    const all = await wire.rest();
    release();
    expect(all).toBe('');
  });

  test.each([
    ['HTTP/2.0', get.replace('HTTP/1.1', 'HTTP/2.0')],
    ['HTTP/0.9', get.replace('HTTP/1.1', 'HTTP/0.9')],
    ['HTTP/3.7', get.replace('HTTP/1.1', 'HTTP/3.7')],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('RFC 9110 15.6.6: %s is 505, and the connection ends', async (_name, raw) => {
    const wire = await start();
    wire.write(raw);
    expect(await wire.rest()).toMatch(
      /^HTTP\/1\.1 505 HTTP Version Not Supported\r\n[\s\S]*\r\nhttp-version-not-supported: /,
    );
  });

  test.each(['FOO', 'GETX', 'get', 'M-SEARCHES'])('RFC 9110 9.1: the unknown method %s is 501', async (method) => {
    const wire = await start();
    wire.write(get.replace('GET', method));
    expect(await wire.rest()).toMatch(/^HTTP\/1\.1 501 Not Implemented\r\n[\s\S]*\r\n\r\nnot-implemented: .+\n$/);
  });

  test('a request line that ends in LF only is 400', async () => {
    const wire = await start();
    wire.write(get.replaceAll('\r\n', '\n'));
    expect(await wire.rest()).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('a broken chunk ends the request with 400', async () => {
    const wire = await start();
    wire.write(`${rawRequest('PUT', listPath, { ...put, 'Transfer-Encoding': 'chunked' })}zz\r\n`);
    expect((await wire.rest()).slice(0, 12)).toBe('HTTP/1.1 400');
    expect(face.text(listKey)).toBe('<a/>');
  });
});

describe('limits', () => {
  test('a declared body one octet over the limit is 413, at the limit it is stored', async () => {
    const wire = await start({ documentBytes: 64 });
    wire.write(rawRequest('PUT', listPath, put, `<${'a'.repeat(62)}/>`));
    expect(await wire.answer()).toMatchObject({ status: 413, body: expect.stringMatching(/^document-too-large: /) });
    wire.write(rawRequest('PUT', listPath, put, `<${'a'.repeat(61)}/>`));
    expect(await wire.answer()).toMatchObject({ status: 200 });
    wire.destroy();
  });

  test('a body in chunks over the limit is 413, and the connection goes on', async () => {
    const wire = await start({ documentBytes: 64 });
    const chunk = `20\r\n${'a'.repeat(32)}\r\n`;
    wire.write(`${rawRequest('PUT', listPath, { ...put, 'Transfer-Encoding': 'chunked' })}${chunk.repeat(3)}`);
    expect(await wire.answer()).toMatchObject({ status: 413 });
    wire.write(`0\r\n\r\n${get}`);
    expect(await wire.answer()).toMatchObject({ status: 200, body: '<a/>' });
    wire.destroy();
  });

  test('who goes on sending a refused body is cut off', async () => {
    const wire = await start({ documentBytes: 64 });
    wire.write(rawRequest('PUT', listPath, { ...put, 'Content-Length': '1000000' }));
    // RFC 9112 9.6: told beforehand, so that no other request is sent behind it
    expect(await wire.answer()).toMatchObject({ status: 413, headers: { connection: 'close' } });
    wire.write('x'.repeat(100_000));
    await wire.rest();
  });

  test('a request target over the limit is 414', async () => {
    face = await runningFace({ targetBytes: 200 });
    const target = `${listPath}?${'x'.repeat(200)}`;
    expect(await face.send('GET', target)).toMatchObject({
      status: 414,
      body: expect.stringMatching(/^uri-too-long: /),
    });
  });

  test('RFC 9110 15.5.15: so is one that is longer than the whole header may be', async () => {
    const wire = await start();
    wire.write(rawRequest('GET', `${listPath}${'x'.repeat(64 * 1024)}`, asserted));
    expect(await wire.rest()).toMatch(/^HTTP\/1\.1 414 URI Too Long\r\n[\s\S]*\r\n\r\nuri-too-long: .+\n$/);
  });

  test('a header longer than several packets is 431', async () => {
    const wire = await start();
    wire.write(rawRequest('GET', listPath, { 'X-A': 'a'.repeat(200 * 1024) }));
    expect(await wire.rest()).toMatch(/^HTTP\/1\.1 431 /);
  });

  test('a header over the limit is 431', async () => {
    face = await runningFace({ headerBytes: 2048 });
    expect(await face.send('GET', listPath, { 'X-A': 'a'.repeat(4096) })).toMatchObject({ status: 431 });
  });

  test('a header that does not arrive in time is 408', async () => {
    const wire = await start({ headersTimeout: 150, requestTimeout: 150 });
    wire.write('GET / HTTP/1.1\r\nHost: x\r\n');
    expect((await wire.rest()).slice(0, 12)).toBe('HTTP/1.1 408');
  });

  test('a body that does not arrive in time is 408, and nothing is stored', async () => {
    const wire = await start({ headersTimeout: 150, requestTimeout: 300 });
    wire.write(`${rawRequest('PUT', listPath, { ...put, 'Content-Length': '100' })}<b`);
    expect((await wire.rest()).slice(0, 12)).toBe('HTTP/1.1 408');
    expect(face.text(listKey)).toBe('<a/>');
    expect(face.answers).toEqual([]);
  });

  test('RFC 9112 6.3: a PUT that announces no body has an empty one, and the next request follows it', async () => {
    const wire = await start();
    for (const length of [{}, { 'Content-Length': '0' }]) {
      wire.write(rawRequest('PUT', listPath, { ...put, ...length }) + get);
      expect(await wire.answer()).toMatchObject({ status: 409, body: expect.stringContaining('<not-well-formed') });
      expect(await wire.answer()).toMatchObject({ status: 200, body: '<a/>' });
    }
    expect(face.text(listKey)).toBe('<a/>');
  });

  test('half a body is no body', async () => {
    const wire = await start();
    wire.write(`${rawRequest('PUT', listPath, { ...put, 'Content-Length': '100' })}<b/>`);
    wire.end();
    await wire.rest();
    expect(face.text(listKey)).toBe('<a/>');
  });

  test('a connection carries a bounded number of requests', async () => {
    const wire = await start({ requestsPerConnection: 2 });
    wire.write(get + get);
    expect((await wire.answer())?.headers.connection).toBe('keep-alive');
    expect((await wire.answer())?.headers.connection).toBe('close');
    expect(await wire.rest()).toBe('');
  });

  test('a connection that rests is closed', async () => {
    const wire = await start({ keepAliveTimeout: 1 });
    wire.write(get);
    expect(await wire.answer()).toMatchObject({ status: 200 });
    expect(await wire.rest()).toBe('');
  });

  test('connections over the limit are not served', async () => {
    const wire = await start({ connections: 1 });
    const second = await Wire.open(face.url);
    expect(await second.rest()).toBe('');
    wire.write(get);
    expect(await wire.answer()).toMatchObject({ status: 200 });
    wire.destroy();
  });
});

describe('bodies in flight', () => {
  const size = 64 * 1024;
  const limits = { documentBytes: size, bodiesInFlightBytes: 16 * size, bodiesInFlightBytesPerCaller: 4 * size };
  const head = rawRequest('PUT', listPath, { ...put, 'Content-Length': String(size) });
  const body = `<${'a'.repeat(size - 3)}/>`;
  const allButOne = body.slice(0, -1);

  test('one caller holds its share: what goes beyond is 503 before it is complete, the rest is stored', async () => {
    const first = await start(limits);
    const wires = [first, ...(await Promise.all(Array.from({ length: 19 }, () => Wire.open(face.url))))];
    const answered = new Map<Wire, string>();
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const all = Promise.all(
      wires.map(async (wire) => {
        wire.write(head + allButOne);
        const answer = await wire.answer();
        answered.set(wire, `${answer?.status} ${answer?.headers['retry-after']} ${answer?.headers.connection}`);
        if (answered.size === 16) resolve();
      }),
    );
    await enough;
    expect(new Set(answered.values())).toEqual(new Set(['503 1 close']));
    const admitted = wires.filter((wire) => !answered.has(wire));
    expect(face.text(listKey)).toBe('<a/>');
    for (const wire of admitted) wire.write('>');
    await all;
    expect(admitted.map((wire) => answered.get(wire)?.slice(0, 3))).toEqual(['200', '200', '200', '200']);
    for (const wire of wires) wire.destroy();
  });

  test('it comes back when the caller goes away, and others are not kept out meanwhile', async () => {
    const greedy = await start({ ...limits, bodiesInFlightBytesPerCaller: size });
    greedy.write(rawRequest('PUT', listPath, { ...put, Expect: '100-continue', 'Content-Length': String(size) }));
    expect(await greedy.answer()).toMatchObject({ status: 100 });
    greedy.write(allButOne);
    const second = (): Promise<number> =>
      face.send('PUT', listPath, { 'Content-Type': listType }, body).then((it) => it.status);
    while ((await second()) === 200);
    const admin = { 'X-3GPP-Asserted-Identity': 'sip:admin@blue.example', 'Content-Type': listType };
    expect(await face.send('PUT', listPath, admin, body)).toMatchObject({ status: 200 });
    greedy.destroy();
    while ((await second()) === 503);
    expect(await second()).toBe(200);
  });

  test('what was only announced keeps nobody out', async () => {
    const wire = await start(limits);
    const idle = await Promise.all(Array.from({ length: 40 }, () => Wire.open(face.url)));
    for (const one of idle) one.write(head);
    wire.write(head + body);
    expect(await wire.answer()).toMatchObject({ status: 200 });
    for (const one of [wire, ...idle]) one.destroy();
  });

  test('who may not write is refused before the body is read', async () => {
    const wire = await start(limits);
    const eve = { ...put, 'X-3GPP-Asserted-Identity': 'sip:eve@blue.example', 'Content-Length': String(size) };
    wire.write(rawRequest('PUT', listPath, eve));
    expect(await wire.answer()).toMatchObject({ status: 403 });
    wire.destroy();
  });

  test('a body of many tiny chunks is put together', async () => {
    const wire = await start(limits);
    const text = `<${'abc'.repeat(1000)}/>`;
    const chunks = [...text].map((octet) => `1\r\n${octet}\r\n`).join('');
    wire.write(`${rawRequest('PUT', listPath, { ...put, 'Transfer-Encoding': 'chunked' })}${chunks}0\r\n\r\n`);
    expect(await wire.answer()).toMatchObject({ status: 200 });
    expect(face.text(listKey)).toBe(text);
    wire.destroy();
  });
});

describe('RFC 9110 10.1.1: Expect: 100-continue', () => {
  const expecting = { ...put, Expect: '100-continue', 'Content-Length': '4' };

  test('the body is asked for once everything before it is in order', async () => {
    const wire = await start();
    wire.write(rawRequest('PUT', listPath, expecting));
    expect(await wire.answer()).toMatchObject({ status: 100 });
    wire.write('<b/>');
    expect(await wire.answer()).toMatchObject({ status: 200 });
    expect(face.text(listKey)).toBe('<b/>');
    wire.destroy();
  });

  test.each([
    ['no credentials', { 'X-3GPP-Asserted-Identity': 'nobody' }, 403],
    ['a media type that does not fit', { 'Content-Type': 'text/plain' }, 415],
    ['a body that is too large', { 'Content-Length': '99999999' }, 413],
    ['a malformed condition', { 'If-Match': '"' }, 400],
    ['another expectation', { Expect: 'tea' }, 417],
  ])('%s is refused without asking', async (_name, headers, status) => {
    const wire = await start();
    wire.write(rawRequest('PUT', listPath, { ...expecting, ...headers }));
    expect(await wire.answer()).toMatchObject({ status });
    wire.destroy();
  });

  test('after such a refusal the connection ends, since the body may or may not follow', async () => {
    const wire = await start();
    wire.write(rawRequest('PUT', listPath, { ...expecting, 'Content-Type': 'text/plain' }));
    expect((await wire.answer())?.headers.connection).toBe('close');
    expect(await wire.rest()).toBe('');
  });
});

describe('RFC 9112 9: connections', () => {
  test('pipelined requests are answered in order, whatever they are', async () => {
    const wire = await start();
    wire.write(get + rawRequest('PUT', listPath, put, '<b/>') + rawRequest('HEAD', listPath, asserted) + get);
    expect(await wire.answer()).toMatchObject({ status: 200, body: '<a/>' });
    expect(await wire.answer()).toMatchObject({ status: 200, body: '' });
    expect(await wire.answer('HEAD')).toMatchObject({ status: 200 });
    expect(await wire.answer()).toMatchObject({ status: 200, body: '<b/>' });
    wire.destroy();
  });

  test('HTTP/1.0 gets a length and the end of the connection', async () => {
    const wire = await start();
    wire.write(`GET ${listPath} HTTP/1.0\r\nX-3GPP-Asserted-Identity: ${ines}\r\n\r\n`);
    const all = await wire.rest();
    expect(all).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(all).toContain('\r\nContent-Length: 4\r\n');
    expect(all).toContain('\r\nConnection: close\r\n');
    expect(all).not.toMatch(/transfer-encoding/i);
    expect(all.endsWith('\r\n\r\n<a/>')).toBe(true);
  });

  test.each([
    ['that goes out with its head', 100],
    ['that is as large as may go out with its head', 12 * 1024],
    ['that goes out by itself', 12 * 1024 + 1],
  ])('RFC 9112 6.2: content %s arrives octet for octet', async (_name, size) => {
    const wire = await start();
    const beginning = '<a>é€😀\u0080ÿ';
    const text = `${beginning}${'x'.repeat(size - Buffer.byteLength(beginning) - 4)}</a>`;
    expect(Buffer.byteLength(text)).toBe(size);
    face.store(listKey, text);
    wire.write(get + rawRequest('HEAD', listPath, asserted) + get);
    const octets = Buffer.from(text).toString('latin1');
    expect(await wire.answer()).toMatchObject({ status: 200, body: octets });
    expect(await wire.answer('HEAD')).toMatchObject({ headers: { 'content-length': String(size) }, body: '' });
    expect(await wire.answer()).toMatchObject({ status: 200, body: octets });
    wire.destroy();
  });

  test('a body that nobody asked for does not confuse the next request', async () => {
    const wire = await start();
    wire.write(
      rawRequest('POST', listPath, put, 'x'.repeat(5000)) +
        rawRequest('GET', listPath, asserted, 'body of a GET') +
        get,
    );
    expect(await wire.answer()).toMatchObject({ status: 405 });
    expect(await wire.answer()).toMatchObject({ status: 200 });
    expect(await wire.answer()).toMatchObject({ status: 200 });
    wire.destroy();
  });

  test('a request to become something else is answered as HTTP', async () => {
    const wire = await start();
    wire.write(rawRequest('GET', listPath, { ...asserted, Connection: 'Upgrade', Upgrade: 'websocket' }));
    expect(await wire.answer()).toMatchObject({ status: 200 });
    wire.destroy();
  });

  test('RFC 9110 9.3.6: CONNECT is 501, and the connection ends', async () => {
    const wire = await start();
    wire.write('CONNECT red.example:443 HTTP/1.1\r\nHost: red.example:443\r\n\r\n');
    expect(await wire.rest()).toMatch(/^HTTP\/1\.1 501 [\s\S]*\r\nConnection: close\r\n\r\nnot-implemented: /);
  });

  test('CONNECT behind a request that is still being served is never answered in its place', async () => {
    const wire = await start();
    const release = face.hold();
    wire.write(`${get}CONNECT red.example:443 HTTP/1.1\r\nHost: red.example:443\r\n\r\n`);
    expect(await wire.rest()).toBe('');
    release();
  });

  test('TRACE is refused and echoes nothing', async () => {
    face = await runningFace();
    const answer = await face.send('TRACE', listPath, { 'X-Secret': 'echo' });
    expect(answer.status).toBe(405);
    expect(answer.body).not.toContain('echo');
  });

  test.each(['"', '[', ']', '<', '>', '{', '}', '|', '\\', '^', '`'])(
    'RFC 4825 6.3: a raw %s in the target, as clients in the field send, reaches the grammar',
    async (character) => {
      face = await runningFace();
      const answer = await face.send('GET', `${listPath}/~~/list${character}`);
      expect(answer).toMatchObject({ status: 404, body: expect.stringMatching(/^selector-not-understood: /) });
    },
  );
});

describe('draining', () => {
  test('a request that is being served is answered, an idle connection ends, and no new one is taken', async () => {
    const busy = await start();
    const idle = await Wire.open(face.url);
    const release = face.hold();
    busy.write(get);
    const refused = connect({ host: '127.0.0.1', port: Number(new URL(face.url).port) });
    await once(refused, 'connect');
    refused.destroy();
    idle.write('');
    const closed = face.close();
    expect(await idle.rest()).toBe('');
    release();
    expect(await busy.answer()).toMatchObject({ status: 200, headers: { connection: 'close' } });
    await closed;
    await expect(Wire.open(face.url)).rejects.toThrow('ECONNREFUSED');
  });

  test('who does not finish in time is cut off', async () => {
    const stuck = await start({ drainTimeout: 50 });
    stuck.write('GET / HTTP/1.1\r\n');
    const release = face.hold();
    const busy = await Wire.open(face.url);
    busy.write(get);
    const rest = [stuck.rest(), busy.rest()];
    await face.close();
    expect(await Promise.all(rest)).toEqual(['', '']);
    release();
  });
});

test('an address in use is an error, not a running face', async () => {
  face = await runningFace();
  const { startHttpListener, defaultLimits } = await import('./http-listener.ts');
  const port = Number(new URL(face.url).port);
  const listen = { host: '127.0.0.1', port };
  const handle = async () => ({ status: 200, headers: [] });
  const options = { listen, limits: defaultLimits, strangers: 'handler', log: face.log, handle } as const;
  await expect(startHttpListener(options)).rejects.toThrow('EADDRINUSE');
});

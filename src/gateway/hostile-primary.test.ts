// A primary that answers a running gateway's requests (flow B) with everything that it should not: nothing of it is stored or waited for
// without end, and afterwards the gateway works as before. Over real TLS, octet by octet.
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { groupDocument } from '../documents/documents.testkit.ts';
import { blueConfiguration, runGateway, type TestGateway, token } from './gateway.testkit.ts';
import {
  answer,
  type PartnerAsked,
  type PartnerScript,
  type WirePartner,
  wirePartner,
} from './wire-partner.testkit.ts';

const type = 'application/vnd.oma.poc.groups+xml';
const documentBytes = 262_144;
/** Seconds that one root may take. */
const timeout = 1;

let blue: TestGateway;
let red: WirePartner;
let number = 0;
let groupId: string;

beforeAll(async () => {
  red = await wirePartner('red', giving);
  const base = blueConfiguration(red.root);
  blue = await runGateway({
    ...base,
    interconnect: { ...(base.interconnect as object), timeout, failureMemory: 0, catchUpRate: 1000 },
    limits: { documentBytes },
  });
});
afterAll(async () => {
  await blue?.close();
  await red?.close();
});
beforeEach(() => {
  number += 1;
  groupId = `sip:border-${number}@red.example`;
  red.script = giving;
  red.asked.length = 0;
});

function documentOf({ path }: PartnerAsked): string {
  const uri = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
  return Buffer.from(groupDocument({ uri, members: ['sip:omar@blue.example'] })).toString();
}

function giving(asked: PartnerAsked, socket: Socket): void {
  answer(socket, 200, { 'Content-Type': type, ETag: '"r-1"' }, documentOf(asked));
}

async function pull(): Promise<{ readonly status: number; readonly text: string; readonly seconds: number }> {
  const begun = performance.now();
  const { statusCode, body } = await request(`${blue.urls.manage}/api/v1/partners/red/pull`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ groupId }),
  });
  const text = await body.text();
  return { status: statusCode, text, seconds: (performance.now() - begun) / 1000 };
}

async function isHeld(): Promise<boolean> {
  const { statusCode, body } = await request(`${blue.urls.manage}/api/v1/groups/${encodeURIComponent(groupId)}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  await body.dump();
  return statusCode === 200;
}

const raw =
  (head: string, body: string | ((asked: PartnerAsked) => string) = ''): PartnerScript =>
  (asked, socket) => {
    socket.write(`${head}\r\n\r\n${typeof body === 'function' ? body(asked) : body}`);
  };

/** Writes until nobody takes it any more. */
function endless(socket: Socket, head: string, piece: string | Buffer): void {
  socket.write(head);
  const more = (): void => {
    while (!socket.destroyed && socket.writable) {
      if (!socket.write(piece)) {
        socket.once('drain', more);
        return;
      }
    }
  };
  more();
}

const ok = `HTTP/1.1 200 OK\r\nContent-Type: ${type}`;
const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;

describe('what is no answer with a group is neither stored nor waited for', () => {
  test.each<[string, PartnerScript]>([
    ['200 without body', raw(`${ok}\r\nContent-Length: 0`)],
    [
      '200 with a document of another group',
      raw(`${ok}\r\nConnection: close`, () => Buffer.from(groupDocument({ uri: 'sip:other@red.example' })).toString()),
    ],
    ['200 with white space', raw(`${ok}\r\nContent-Length: 3`, '   ')],
    ['200 of another type', raw('HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4', '<g/>')],
    ['200 without type', raw('HTTP/1.1 200 OK\r\nContent-Length: 4', '<g/>')],
    ['204', raw('HTTP/1.1 204 x')],
    ['205', raw('HTTP/1.1 205 x\r\nContent-Length: 0')],
    [
      '206, half a document',
      raw(`HTTP/1.1 206 x\r\nContent-Type: ${type}\r\nContent-Range: bytes 0-3/8\r\nContent-Length: 4`, '<gro'),
    ],
    [
      '206 that claims to be all',
      (asked, socket) =>
        answer(socket, 206, { 'Content-Type': type, 'Content-Range': 'bytes 0-*/*' }, documentOf(asked)),
    ],
    ['226', (asked, socket) => answer(socket, 226, { 'Content-Type': type, IM: 'feed' }, documentOf(asked))],
    ['304 that nobody asked for', raw('HTTP/1.1 304 x\r\nETag: "r-1"')],
    ['a redirect to itself', (asked, socket) => answer(socket, 302, { Location: asked.path })],
    ['a redirect to another path', (_asked, socket) => answer(socket, 308, { Location: '/xcap-root/elsewhere' })],
    [
      'a redirect to another host',
      (_asked, socket) => answer(socket, 301, { Location: 'https://127.0.0.1:1/xcap-root' }),
    ],
    ['300 with alternatives', (_asked, socket) => answer(socket, 300, { Alternates: '{"a" 1}' })],
    ['101', raw('HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade')],
    ['status 099', raw('HTTP/1.1 099 x\r\nContent-Length: 0')],
    ['status 700', raw('HTTP/1.1 700 x\r\nContent-Length: 0')],
    ['status 999999', raw('HTTP/1.1 999999 x\r\nContent-Length: 0')],
    ['another protocol', raw('ICY 200 OK', 'noise')],
    ['nothing but noise', (_asked, socket) => socket.write(Buffer.alloc(5000, 0xff))],
    ['a connection that ends', (_asked, socket) => socket.destroy()],
    ['half an answer', (_asked, socket) => socket.end(`${ok}\r\nContent-Length: 100\r\n\r\n<gro`)],
    ['half a chunk', (_asked, socket) => socket.end(`${ok}\r\nTransfer-Encoding: chunked\r\n\r\n100\r\n<gro`)],
    ['a broken chunk', raw(`${ok}\r\nTransfer-Encoding: chunked`, 'zz\r\n<g/>\r\n0\r\n\r\n')],
    ['two lengths', raw(`${ok}\r\nContent-Length: 4\r\nContent-Length: 5`, '<g/>')],
    ['a negative length', raw(`${ok}\r\nContent-Length: -4`, '<g/>')],
    ['a length and chunks', raw(`${ok}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked`, '4\r\n<g/>\r\n0\r\n\r\n')],
    ['a length beyond all limits', raw(`${ok}\r\nContent-Length: 99999999999`, '<g/>')],
    [
      'gzip',
      (asked, socket) =>
        socket.write(
          Buffer.concat([
            Buffer.from(`${ok}\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n`),
            gzipSync(documentOf(asked)),
          ]),
          () => socket.end(),
        ),
    ],
    [
      'a gzip bomb',
      (_asked, socket) => {
        const bomb = gzipSync(Buffer.alloc(50_000_000));
        socket.write(
          Buffer.concat([
            Buffer.from(`${ok}\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`),
            bomb,
          ]),
        );
      },
    ],
    ['two codings', raw(`${ok}\r\nContent-Encoding: identity, gzip\r\nContent-Length: 4`, '<g/>')],
    [
      'an endless body in chunks',
      (_asked, socket) => endless(socket, `${ok}\r\nTransfer-Encoding: chunked\r\n\r\n`, chunk),
    ],
    ['an endless body without framing', (_asked, socket) => endless(socket, `${ok}\r\n\r\n`, 'x'.repeat(65_536))],
    [
      'an endless error',
      (_asked, socket) => endless(socket, 'HTTP/1.1 403 x\r\nContent-Type: text/plain\r\n\r\n', 'x'.repeat(65_536)),
    ],
    ['an endless header', (_asked, socket) => endless(socket, 'HTTP/1.1 200 OK\r\n', 'X-Y: z\r\n')],
    ['an endless field', (_asked, socket) => endless(socket, 'HTTP/1.1 200 OK\r\nX-Y: ', 'z'.repeat(65_536))],
    ['an endless reason phrase', (_asked, socket) => endless(socket, 'HTTP/1.1 200 ', 'z'.repeat(65_536))],
    ['endless 100', (_asked, socket) => endless(socket, '', 'HTTP/1.1 100 Continue\r\n\r\n')],
    ['endless 102', (_asked, socket) => endless(socket, '', 'HTTP/1.1 102 Processing\r\n\r\n')],
    [
      'endless 103',
      (_asked, socket) => endless(socket, '', 'HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n'),
    ],
    [
      'endless chunk extensions',
      (_asked, socket) => endless(socket, `${ok}\r\nTransfer-Encoding: chunked\r\n\r\n4;`, `a=${'b'.repeat(1000)};`),
    ],
    [
      'endless trailers',
      (_asked, socket) =>
        endless(socket, `${ok}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n<g/>\r\n0\r\n`, 'X-Trailer: y\r\n'),
    ],
    [
      'an octet now and then',
      (_asked, socket) => {
        socket.write(`${ok}\r\nTransfer-Encoding: chunked\r\n\r\n`);
        const timer = setInterval(() => socket.write('1\r\n<\r\n'), 50);
        socket.on('close', () => clearInterval(timer));
      },
    ],
    [
      'a header octet now and then',
      (_asked, socket) => {
        const timer = setInterval(() => socket.write('H'), 50);
        socket.on('close', () => clearInterval(timer));
      },
    ],
    [
      'a document type',
      raw(`${ok}\r\nContent-Length: 60`, '<!DOCTYPE g [<!ENTITY a "aaaaaaaaaa">]><g>&a;</g>'.padEnd(60)),
    ],
    [
      'elements a thousand deep',
      (_asked, socket) => answer(socket, 200, { 'Content-Type': type }, '<g>'.repeat(1000) + '</g>'.repeat(1000)),
    ],
    [
      'UTF-16',
      (asked, socket) =>
        answer(
          socket,
          200,
          { 'Content-Type': `${type}; charset=utf-16` },
          Buffer.from(documentOf(asked), 'utf16le').toString('latin1'),
        ),
    ],
  ])('%s', async (_what, script) => {
    red.script = script;
    const { status, seconds } = await pull();
    expect(status).toBeGreaterThanOrEqual(400);
    expect(seconds).toBeLessThan(timeout * 2 + 1);
    expect(await isHeld()).toBe(false);
    // One root, asked at most twice.
    expect(red.asked.length).toBeLessThanOrEqual(2);
    red.script = giving;
    expect((await pull()).status).toBe(200);
  });
});

describe('what is unusual but right is taken', () => {
  test.each<[string, PartnerScript]>([
    [
      'HTTP/1.0 until the connection ends',
      (asked, socket) => socket.end(`HTTP/1.0 200 OK\r\nContent-Type: ${type}\r\n\r\n${documentOf(asked)}`),
    ],
    [
      'chunks with extensions and trailers',
      (asked, socket) => {
        const body = documentOf(asked);
        socket.write(
          `${ok}\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Encoding, X-Y\r\n\r\n${Buffer.byteLength(body).toString(16)};a="b"\r\n${body}\r\n0\r\nContent-Encoding: gzip\r\nX-Y: z\r\n\r\n`,
        );
      },
    ],
    [
      '103 before the answer',
      (asked, socket) => {
        socket.write('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n');
        giving(asked, socket);
      },
    ],
    [
      'a type with parameters and capitals',
      (asked, socket) =>
        answer(
          socket,
          200,
          { 'Content-Type': `Application/VND.oma.poc.groups+xml;Charset="UTF-8"` },
          documentOf(asked),
        ),
    ],
    [
      'no reason phrase',
      (asked, socket) =>
        socket.end(`HTTP/1.1 200\r\nContent-Type: ${type}\r\nConnection: close\r\n\r\n${documentOf(asked)}`),
    ],
    [
      'two answers at once',
      (asked, socket) => {
        giving(asked, socket);
        giving(asked, socket);
      },
    ],
  ])('%s', async (_what, script) => {
    red.script = script;
    expect((await pull()).status).toBe(200);
    expect(await isHeld()).toBe(true);
    red.script = giving;
    expect((await pull()).status).toBe(200);
  });
});

describe('entity tags of a primary', () => {
  test.each([
    ['without quotes', 'r-1'],
    ['weak', 'W/"r-1"'],
    ['empty', '""'],
    ['an asterisk', '*'],
    ['a list', '"a", "b"'],
    ['of 10,000 characters', `"${'x'.repeat(10_000)}"`],
    ['with control characters', '"a\tb"'],
    ['not ASCII', '"\u00e9"'],
  ])('%s: the next request can be answered all the same', async (_what, tag) => {
    red.script = (asked, socket) => answer(socket, 200, { 'Content-Type': type, ETag: tag }, documentOf(asked));
    expect((await pull()).status).toBe(200);
    const again = await pull();
    expect(again.status).toBe(200);
    expect((red.asked.at(-1)?.headers['if-none-match'] ?? '').length).toBeLessThan(600);
  });

  test('one that is another in each answer changes nothing but what is known of it', async () => {
    let tags = 0;
    red.script = (asked, socket) =>
      answer(socket, 200, { 'Content-Type': type, ETag: `"r-${++tags}"` }, documentOf(asked));
    expect(JSON.parse((await pull()).text)).toMatchObject({ changed: true });
    for (let round = 0; round < 3; round++) expect(JSON.parse((await pull()).text)).toMatchObject({ changed: false });
    expect(red.asked.at(-1)?.headers['if-none-match']).toBe('"r-3"');
  });
});

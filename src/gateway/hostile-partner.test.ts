// A partner with a right certificate that misbehaves towards a running gateway: in what it sends to CSC-16, in its directory, and in its
// answers to provisions. Over real TLS; afterwards the gateway works as before.
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { until } from '../../test/until.ts';
import { groupDocument } from '../documents/documents.testkit.ts';
import type { PullProgress, Reconciliation } from '../interconnect/ports.ts';
import type { DeliveryRecord } from '../store/store.ts';
import { Wire, type WireAnswer } from '../xcap/wire.testkit.ts';
import {
  blueConfiguration,
  labFiles,
  runGateway,
  type TestConfiguration,
  type TestGateway,
  token,
} from './gateway.testkit.ts';
import { answer, type PartnerScript, type WirePartner, wirePartner } from './wire-partner.testkit.ts';

const type = 'application/vnd.oma.poc.groups+xml';
const directoryType = 'application/vnd.oma.xcap-directory+xml';
const documentBytes = 262_144;

let blue: TestGateway;
let red: WirePartner;
let number = 0;
let groupId: string;

beforeAll(async () => {
  red = await wirePartner('red', giving);
  const base = blueConfiguration(red.root);
  const [partner] = base.partners as readonly { agreement: object }[];
  const green = {
    ...partner,
    name: 'green',
    domains: ['green.example'],
    gms: 'sip:gms@green.example',
    certificates: [{ san: 'gms.green.example' }],
    agreement: { weRequest: [{ groups: 'sip:*@green.example' }], theyProvide: [{ groups: 'sip:*@green.example' }] },
  };
  const ours = { weProvide: [{ groups: 'sip:*@blue.example' }], theyRequest: [{ groups: 'sip:*@blue.example' }] };
  blue = await runGateway({
    ...base,
    interconnect: { ...(base.interconnect as object), timeout: 1, catchUpRate: 1000 },
    limits: { documentBytes },
    partners: [{ ...partner, agreement: { ...partner?.agreement, ...ours } }, green],
  } as TestConfiguration);
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

function giving({ path }: { readonly path: string }, socket: Socket): void {
  const uri = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
  if (path.includes('directory')) answer(socket, 404);
  else answer(socket, 200, { 'Content-Type': type, ETag: '"r-1"' }, documentOf(uri));
}

function documentOf(uri: string, name = 'Border'): string {
  return Buffer.from(groupDocument({ uri, name, members: ['sip:erik@red.example'] })).toString();
}

async function manage(method: 'GET' | 'POST' | 'PUT', path: string, body?: object | string): Promise<unknown> {
  const given = await request(`${blue.urls.manage}/api/v1/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': typeof body === 'string' ? type : 'application/json' }),
    },
    body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await given.body.text();
  return text === '' ? { status: given.statusCode } : { status: given.statusCode, ...JSON.parse(text) };
}

const status = async (path: string): Promise<unknown> => ((await manage('GET', path)) as { status: number }).status;
const held = (id: string): Promise<unknown> => status(`groups/${encodeURIComponent(id)}`);

/** A connection with red's certificate. */
async function connection(): Promise<Wire> {
  const files = await labFiles();
  const pem = (name: string): string => files.get(name) ?? '';
  return Wire.open(blue.urls.interconnect ?? '', {
    cert: pem('red.crt'),
    key: pem('red.key'),
    ca: pem('ca.crt'),
    servername: 'gms.blue.example',
  });
}

interface Sent {
  readonly id?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly version?: string;
}

function written(method: string, { id = groupId, headers = {}, body, version = '1.1' }: Sent): string {
  const fields: Record<string, string> = {
    Host: 'gms.blue.example',
    'X-3GPP-Asserted-Identity': '"sip:gms@red.example"',
    ...(body === undefined ? {} : { 'Content-Type': type, 'Content-Length': String(Buffer.byteLength(body)) }),
    ...headers,
  };
  const lines = Object.entries(fields).map(([field, value]) => `${field}: ${value}\r\n`);
  const path = `/xcap-root/org.openmobilealliance.groups/global/byGroupID/${encodeURIComponent(id)}`;
  return `${method} ${path} HTTP/${version}\r\n${lines.join('')}\r\n${body ?? ''}`;
}

/** One request on a connection of its own; undefined = the connection ended without answer. */
async function send(method: string, sent: Sent = {}): Promise<WireAnswer | undefined> {
  const wire = await connection();
  wire.write(written(method, sent));
  const given = await wire.answer(method);
  wire.destroy();
  return given;
}

const put = async (sent: Sent = {}): Promise<number | undefined> =>
  (await send('PUT', { body: documentOf(sent.id ?? groupId), ...sent }))?.status;
const at = (seconds: number): string => new Date(Date.now() + seconds * 1000).toUTCString();

describe('CSC-16: what a partner may not send changes nothing', () => {
  test.each<[string, Sent, number]>([
    ['a group of another partner', { id: 'sip:police@green.example' }, 403],
    ['a group of ours', { id: 'sip:police@blue.example' }, 403],
    ['a group of nobody', { id: 'sip:police@nowhere.example' }, 403],
    ['a group ID that is no URI', { id: '..' }, 403],
    ['a group ID of 4,000 characters', { id: `sip:${'x'.repeat(4000)}@green.example` }, 403],
    ['the document of another group', { body: documentOf('sip:other@red.example') }, 409],
    ['no document', { body: '' }, 409],
    ['a document type', { body: '<!DOCTYPE g [<!ENTITY a "b">]><g>&a;</g>' }, 409],
    ['elements a thousand deep', { body: '<g>'.repeat(1000) + '</g>'.repeat(1000) }, 409],
    ['another media type', { headers: { 'Content-Type': 'text/xml' } }, 415],
    ['a content coding', { headers: { 'Content-Encoding': 'gzip' } }, 415],
    ['a broken If-Match', { headers: { 'If-Match': '"a' } }, 400],
    ['conditions that contradict each other', { headers: { 'If-Match': '*', 'If-None-Match': '*' } }, 412],
    ['a tag that is not held', { headers: { 'If-Match': '"x"' } }, 412],
    [
      'two identities',
      { headers: { 'X-3GPP-Asserted-Identity': '"sip:gms@red.example", "sip:gms@green.example"' } },
      403,
    ],
    ['the identity of another partner', { headers: { 'X-3GPP-Asserted-Identity': '"sip:gms@green.example"' } }, 403],
    ['a conveyed certificate', { headers: { 'Client-Cert': ':AAAA:' } }, 403],
    ['a body beyond the limit', { body: documentOf('sip:x@red.example').padEnd(documentBytes + 1) }, 413],
    ['a length beyond all limits', { headers: { 'Content-Length': '99999999999' } }, 413],
  ])('%s', async (_what, sent, expected) => {
    const id = sent.id ?? groupId;
    expect(await put(sent)).toBe(expected);
    expect(await held(id)).toBe(404);
    expect(await put({ id: groupId })).toBe(201);
  });

  test.each<[string, string]>([
    ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['noise', '\u0000\u00ff\u0000\u00ff\r\n\r\n'],
    ['a header without end', `GET / HTTP/1.1\r\n${'X-Y: z\r\n'.repeat(100_000)}`],
    ['two lengths', `PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na`],
    [
      'a length and chunks',
      'PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a folded field', 'GET / HTTP/1.1\r\nHost: x\r\nX-Y: a\r\n b\r\n\r\n'],
    ['an obsolete chunk', 'PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
  ])('%s ends with a refusal, and the connection too', async (_what, text) => {
    const wire = await connection();
    wire.write(text);
    const rest = await wire.rest();
    expect(rest === '' || /^HTTP\/1\.1 (4\d\d|505) /.test(rest)).toBe(true);
    expect(await put()).toBe(201);
  });

  test('an endless body is cut', async () => {
    const wire = await connection();
    wire.write(written('PUT', { headers: { 'Content-Type': type, 'Transfer-Encoding': 'chunked' } }));
    for (let chunks = 0; chunks < 40; chunks++) wire.write(`10000\r\n${'x'.repeat(65_536)}\r\n`);
    expect((await wire.answer())?.status).toBe(413);
    wire.destroy();
    expect(await held(groupId)).toBe(404);
  });
});

describe('CSC-16: repeated, reordered and contradictory', () => {
  test('the same provision many times at once is one group', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => put({ headers: { Date: at(0) } })));
    expect(all.filter((one) => one === 201)).toHaveLength(1);
    expect(all.filter((one) => one === 200)).toHaveLength(19);
  });

  test('creations at once that exclude each other are one group', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => put({ headers: { 'If-None-Match': '*' } })));
    expect(all.filter((one) => one === 201)).toHaveLength(1);
    expect(all.filter((one) => one === 412)).toHaveLength(19);
  });

  test('many requests in one go are answered in order', async () => {
    const wire = await connection();
    const count = 50;
    for (let turn = 0; turn < count; turn++) {
      wire.write(written('PUT', { body: documentOf(groupId, `Turn ${turn}`), headers: { Date: at(0) } }));
      wire.write(written('DELETE', { headers: { Date: at(0) } }));
    }
    for (let turn = 0; turn < count; turn++) {
      expect((await wire.answer())?.status).toBe(201);
      expect((await wire.answer())?.status).toBe(200);
    }
    wire.destroy();
    expect(await held(groupId)).toBe(404);
  });

  test('what was sent before what is held is refused, whatever it is', async () => {
    expect(await put({ headers: { Date: at(0) } })).toBe(201);
    const late = { Date: at(-30) };
    expect(await put({ body: documentOf(groupId, 'Older'), headers: late })).toBe(412);
    expect((await send('DELETE', { headers: late }))?.status).toBe(412);
    expect(await held(groupId)).toBe(200);
  });

  test.each([at(10 * 365 * 86_400), 'Fri, 31 Dec 9999 23:59:59 GMT', 'Thu, 01 Jan 1970 00:00:00 GMT', 'yesterday', ''])(
    'a clock that is wrong (%s) keeps the partner from nothing later',
    async (date) => {
      expect(await put({ headers: { Date: date } })).toBe(201);
      expect(await put({ body: documentOf(groupId, 'Newer'), headers: { Date: at(0) } })).toBe(200);
      await send('DELETE', { headers: { Date: date } });
      await send('DELETE', { headers: { Date: at(0) } });
      expect(await held(groupId)).toBe(404);
      expect(await put({ headers: { Date: at(1) } })).toBe(201);
    },
  );

  test('a deletion with the tag of what was there before removes nothing', async () => {
    const first = await send('PUT', { body: documentOf(groupId) });
    await send('PUT', { body: documentOf(groupId, 'Newer') });
    expect((await send('DELETE', { headers: { 'If-Match': first?.headers.etag ?? '' } }))?.status).toBe(412);
    expect(await held(groupId)).toBe(200);
  });

  test('HTTP/1.0 is refused or answered, and ends', async () => {
    const wire = await connection();
    wire.write(written('GET', { version: '1.0' }));
    expect(await wire.rest()).toMatch(/^HTTP\/1\.1 (404|505) /);
  });
});

describe('the directory of a partner', () => {
  const listing = (...uris: readonly string[]): string =>
    `<xcap-directory xmlns="urn:oma:xml:xdm:xcap-directory"><folder auid="org.openmobilealliance.groups">${uris
      .map((uri) => `<entry uri="${uri}" etag="x"/>`)
      .join('')}</folder></xcap-directory>`;
  const uriOf = (id: string): string =>
    `https://gms.red.example/xcap-root/org.openmobilealliance.groups/global/byGroupID/${encodeURIComponent(id)}`;
  const directory =
    (script: PartnerScript): PartnerScript =>
    (asked, socket) =>
      asked.path.includes('directory') ? script(asked, socket) : giving(asked, socket);

  async function reconcile(pattern: string): Promise<Reconciliation> {
    await manage('POST', 'partners/red/reconcile', { groups: pattern });
    return until(
      async () => (await manage('GET', 'partners/red/reconcile')) as Reconciliation,
      ({ finished }) => finished !== undefined,
      'the comparison',
    );
  }

  test('lists one group a thousand times: it is one', async () => {
    const uris = Array.from({ length: 1000 }, () => uriOf(groupId));
    red.script = directory((_asked, socket) =>
      answer(socket, 200, { 'Content-Type': directoryType }, listing(...uris)),
    );
    expect(await reconcile(groupId)).toMatchObject({ total: 1, missingHere: 1 });
  });

  test('lists groups that are not its own: nobody asks it for them', async () => {
    const others = ['sip:x@green.example', 'sip:x@nowhere.example', 'tel:+1555', '..', 'sip:'];
    const uris = [groupId, ...others].map(uriOf);
    red.script = directory((_asked, socket) =>
      answer(socket, 200, { 'Content-Type': directoryType }, listing(...uris)),
    );
    expect(await reconcile('*x@*')).toMatchObject({ total: 0 });
    await manage('POST', 'partners/red/pull', { groups: '*' });
    const pulled = await until(
      async () => (await manage('GET', 'partners/red/pull')) as PullProgress,
      ({ finished }) => finished !== undefined,
      'the pull',
    );
    expect(pulled.failed).toBe(0);
    expect(await held(groupId)).toBe(200);
    for (const id of others) expect(red.asked.filter(({ path }) => path.endsWith(encodeURIComponent(id)))).toEqual([]);
  });

  test.each<[string, PartnerScript]>([
    [
      'larger than any document',
      (_asked, socket) =>
        answer(
          socket,
          200,
          { 'Content-Type': directoryType },
          listing(...Array.from({ length: 10_000 }, () => uriOf(groupId))),
        ),
    ],
    [
      'without end',
      (_asked, socket) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Type: ${directoryType}\r\n\r\n<xcap-directory>`);
        const more = (): void => {
          while (socket.writable && socket.write('<x/>'.repeat(10_000)));
          socket.once('drain', more);
        };
        more();
      },
    ],
    [
      'compressed',
      (_asked, socket) =>
        answer(
          socket,
          200,
          { 'Content-Type': directoryType, 'Content-Encoding': 'gzip' },
          gzipSync(listing(uriOf(groupId))).toString('latin1'),
        ),
    ],
    ['of another type', (_asked, socket) => answer(socket, 200, { 'Content-Type': type }, listing(uriOf(groupId)))],
    [
      'of another kind',
      (_asked, socket) => answer(socket, 200, { 'Content-Type': directoryType }, documentOf(groupId)),
    ],
    [
      'with entities',
      (_asked, socket) =>
        answer(
          socket,
          200,
          { 'Content-Type': directoryType },
          `<!DOCTYPE x [<!ENTITY a "b">]>${listing(uriOf(groupId))}`,
        ),
    ],
    ['elsewhere', (_asked, socket) => answer(socket, 302, { Location: '/xcap-root/other' })],
    ['half', (_asked, socket) => answer(socket, 206, { 'Content-Type': directoryType }, listing(uriOf(groupId)))],
    ['cut', (_asked, socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<xcap')],
  ])('%s: it is said to be unread, and the rest is compared', async (_what, script) => {
    red.script = directory(script);
    expect(await reconcile(groupId)).toMatchObject({ total: 0, directory: expect.stringMatching(/^not read: /) });
  });
});

describe('answers to a provision', () => {
  const ours = (): string => `sip:harbour-${number}@blue.example`;
  const lines =
    (text: string): PartnerScript =>
    (_asked, socket) =>
      socket.write(text);
  const delivery = async (): Promise<DeliveryRecord | undefined> =>
    ((await manage('GET', 'deliveries')) as { deliveries: readonly DeliveryRecord[] }).deliveries.find(
      (one) => one.groupId === ours(),
    );

  test.each<[string, PartnerScript]>([
    ['202', lines('HTTP/1.1 202 x\r\nContent-Length: 0\r\n\r\n')],
    ['206', lines('HTTP/1.1 206 x\r\nContent-Length: 0\r\n\r\n')],
    ['101', lines('HTTP/1.1 101 x\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')],
    [
      '200 with an endless body',
      (_asked, socket) => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const more = (): void => {
          while (socket.writable && socket.write('x'.repeat(65_536)));
          socket.once('drain', more);
        };
        more();
      },
    ],
    ['200 that is cut', (_asked, socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx')],
    [
      '1xx without end',
      (_asked, socket) => {
        const more = (): void => {
          while (socket.writable && socket.write('HTTP/1.1 102 x\r\n\r\n'.repeat(100)));
          socket.once('drain', more);
        };
        more();
      },
    ],
    ['nothing', () => undefined],
    [
      '503 with a body of 100 kilobytes',
      (_asked, socket) => answer(socket, 503, { 'Content-Type': 'text/plain' }, 'x'.repeat(100_000)),
    ],
  ])('%s is no success: it is delivered again until it is one', async (_what, script) => {
    red.script = script;
    const body = Buffer.from(groupDocument({ uri: ours(), members: ['sip:erik@red.example'] })).toString();
    await manage('PUT', `groups/${encodeURIComponent(ours())}`, body);
    const failed = await until(delivery, (one) => one?.outcome !== undefined, 'a first failure');
    expect(failed?.state).toBe('queued');
    expect(failed?.outcome?.length).toBeLessThan(500);
    red.script = (_asked, socket) => answer(socket, 201, { ETag: '"ok"' });
    const done = await until(delivery, (one) => one?.state === 'delivered', 'the delivery');
    expect(done?.partnerTag).toBe('ok');
  });

  test.each<[string, PartnerScript, string]>([
    ['a redirect', (_asked, socket) => answer(socket, 307, { Location: 'https://127.0.0.1:1/' }), 'refused with 307'],
    [
      'a refusal in many lines',
      (_asked, socket) => answer(socket, 403, { 'Content-Type': 'text/plain' }, `no\u001b[2J\r\n${'x'.repeat(5000)}`),
      'refused with 403 no[2J',
    ],
    [
      'an error document that is a bomb',
      (_asked, socket) =>
        answer(
          socket,
          409,
          { 'Content-Type': 'application/xcap-error+xml' },
          `<!DOCTYPE x [<!ENTITY a "${'b'.repeat(1000)}">]><x>${'&a;'.repeat(1000)}</x>`,
        ),
      'refused with 409',
    ],
  ])('%s is parked, and told in one harmless line', async (_what, script, outcome) => {
    red.script = script;
    const body = Buffer.from(groupDocument({ uri: ours(), members: ['sip:erik@red.example'] })).toString();
    await manage('PUT', `groups/${encodeURIComponent(ours())}`, body);
    expect(await until(delivery, (one) => one?.state === 'parked', 'the refusal')).toMatchObject({ outcome });
    expect(red.with('PUT').length).toBe(1);
  });
});

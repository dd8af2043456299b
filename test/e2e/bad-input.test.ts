// Bad input at a running gateway: each kind has its status and body, nothing is stored and nobody is notified.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from 'undici';
import { harbour } from '../../src/demo/example-groups.ts';
import { byGroupId, groupsMimeType, manage, xcap } from '../../src/demo/faces.ts';
import { McServiceServer, type Notification } from '../../src/demo/mc-service-server.ts';
import { Observations } from '../../src/demo/observations.ts';
import {
  choosePorts,
  createCertificates,
  demoFolder,
  keyPair,
  labCa,
  type RunningSystem,
  startSystem,
} from '../../src/demo/systems.ts';
import { type Connector, partnerConnector } from './partner-connector.ts';

const administrator = 'sip:admin@red.example';
const users = 'org.openmobilealliance.groups/users/sip:groups@red.example';

const closing: (() => Promise<void> | void)[] = [];
const notifications = new Observations<Notification>();
let red: RunningSystem;
let document: string;
let asBlue: Connector;

beforeAll(async () => {
  const folder = await demoFolder();
  closing.push(() => folder.remove());
  await createCertificates(folder.path);
  const ports = await choosePorts('any');
  red = await startSystem(folder.path, 'red', ports);
  closing.push(() => red.stop());
  ({ document } = await harbour());
  asBlue = partnerConnector({
    root: `https://127.0.0.1:${ports.red.interconnect}/xcap-root`,
    ca: await labCa(folder.path),
    ...(await keyPair(folder.path, 'blue')),
  });
  closing.push(() => asBlue.close());
  const server = new McServiceServer({
    identity: 'sip:mcptt@red.example',
    gms: 'sip:gms@red.example',
    server: { host: '127.0.0.1', port: ports.red.sip },
    resources: ['org.openmobilealliance.groups/global/byGroupID/'],
    onNotification: (notification) => notifications.add(notification),
  });
  closing.push(() => server.close());
  expect(await server.subscribe(600)).toBe('SIP/2.0 200 OK');
  await notifications.first(0, () => true, 'the initial NOTIFY');
}, 60_000);

afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

interface Bad {
  readonly body: () => Buffer;
  readonly type?: string;
  readonly path?: string;
  readonly identity?: string;
  readonly status: number;
  /** What the body of the answer must contain. */
  readonly names: string;
}

const text = (change: (document: string) => string) => (): Buffer => Buffer.from(change(document));

const bad: Readonly<Record<string, Bad>> = {
  'RFC 4825 11: not well-formed': {
    body: text((it) => it.replace('</group>', '')),
    status: 409,
    names: '<not-well-formed',
  },
  'RFC 4825 5.3: UTF-16 is not UTF-8': {
    body: () => Buffer.from(`\ufeff${document.replace('UTF-8', 'UTF-16')}`, 'utf16le'),
    status: 409,
    names: '<not-utf-8',
  },
  'RFC 4825 5.3: ISO-8859-1 declared': {
    body: text((it) => it.replace('UTF-8', 'ISO-8859-1')),
    status: 409,
    names: '<not-utf-8',
  },
  'RFC 4825 5.3: bytes that are no UTF-8': {
    body: () => Buffer.from(document.replace('Harbour patrol', 'Harb\xf6ur'), 'latin1'),
    status: 409,
    names: '<not-utf-8',
  },
  'a document type declaration is refused, entities are never expanded': {
    body: text((it) =>
      it.replace('<group', '<!DOCTYPE group [<!ENTITY a "b">]>\n<group').replace('Harbour patrol', '&a;'),
    ),
    status: 409,
    names: 'xcap-error',
  },
  'RFC 4825 8.2.5: another root': {
    body: () => Buffer.from('<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"/>'),
    status: 409,
    names: '<schema-validation-error',
  },
  'RFC 4825 8.2.5: schema violation': {
    body: text((it) => it.replace('<mcpttgi:user-priority>7<', '<mcpttgi:user-priority>256<')),
    status: 409,
    names: '<schema-validation-error',
  },
  'RFC 4825 8.2.1: wrong media type': {
    body: text((it) => it),
    type: 'text/xml',
    status: 415,
    names: 'unsupported-media-type',
  },
  'a body over the limit': { body: () => Buffer.alloc(5 * 1024 * 1024, ' '), status: 413, names: 'document-too-large' },
  'RFC 4825 8: unknown AUID': {
    body: text((it) => it),
    path: 'org.example.unknown/users/sip:groups@red.example/x.xml',
    status: 404,
    names: 'unknown-application-usage',
  },
  'RFC 4825 8: XUI of another system': {
    body: text((it) => it),
    path: 'org.openmobilealliance.groups/users/sip:groups@green.example/x.xml',
    status: 404,
    names: 'unknown-xui',
  },
  'TS 24.481 6.3.2.3: a group ID of another system': {
    body: text((it) => it.replace('sip:harbour-tg1@red.example', 'sip:harbour-tg1@green.example')),
    status: 409,
    names: '<uniqueness-failure',
  },
  'TS 24.481 7.2.12: an identity that may not create groups': {
    body: text((it) => it),
    identity: 'sip:ines@red.example',
    status: 403,
    names: 'forbidden',
  },
  'TS 24.482 A.2.3: no credentials': {
    body: text((it) => it),
    identity: '',
    status: 403,
    names: 'credentials-missing',
  },
};

test.each(Object.entries(bad))('%s', async (_rule, { body, type, path, identity, status, names }) => {
  const response = await request(`${red.xcapRoot}/${path ?? `${users}/harbour-tg1.xml`}`, {
    method: 'PUT',
    headers: {
      'content-type': type ?? groupsMimeType,
      ...(identity === '' ? {} : { 'x-3gpp-asserted-identity': `"${identity ?? administrator}"` }),
    },
    body: body(),
  });
  const answer = await response.body.text();
  expect({ status: response.statusCode, names: answer.includes(names) ? names : answer }).toEqual({ status, names });
  await nothingHappened();
});

test('TS 23.280 10.2.7: a provision whose group ID does not match its address is refused', async () => {
  const foreign = document.replaceAll('red.example', 'blue.example');
  const answer = await asBlue('PUT', byGroupId('sip:other-group@blue.example'), 'sip:gms@blue.example', foreign);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
  await nothingHappened();
});

test('TS 23.280 10.2.7: a partner cannot provide a group of this system', async () => {
  const answer = await asBlue('PUT', byGroupId('sip:harbour-tg1@red.example'), 'sip:gms@blue.example', document);
  expect(answer.status).toBe(403);
  await nothingHappened();
});

test('RFC 3261 16.3: SIP garbage never stops the process', async () => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const garbage = [
    Buffer.alloc(0),
    Buffer.alloc(65_000, 0xff),
    Buffer.from('SUBSCRIBE\r\n\r\n'),
    Buffer.from(`SUBSCRIBE sip:gms@red.example SIP/2.0\r\n${'Via: x\r\n'.repeat(5000)}\r\n`),
    Buffer.from('SIP/2.0 200 OK\r\n\r\n'),
    Buffer.from(`NOTIFY sip:a SIP/2.0\r\nFrom: ${' '.repeat(60_000)}\r\n\r\n`),
  ];
  for (const datagram of garbage) socket.send(datagram, red.ports.sip, '127.0.0.1');
  const options = [
    'OPTIONS sip:gms@red.example SIP/2.0',
    `Via: SIP/2.0/UDP 127.0.0.1:${socket.address().port};branch=z9hG4bKgarbage;rport`,
    'Max-Forwards: 70',
    'From: <sip:probe@red.example>;tag=1',
    'To: <sip:gms@red.example>',
    'Call-ID: after-garbage',
    'CSeq: 1 OPTIONS',
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
  const answered = new Promise<string>((resolve) => {
    socket.on('message', (data) => {
      if (data.includes('after-garbage')) resolve(data.toString('utf8'));
    });
  });
  socket.send(options, red.ports.sip, '127.0.0.1');
  expect((await answered).split('\r\n')[0]).toBe('SIP/2.0 200 OK');
  socket.close();
  await nothingHappened();
});

test('the first good document after all this causes the first NOTIFY', async () => {
  const path = `${users}/harbour-tg1.xml`;
  const put = await xcap(red.xcapRoot, { method: 'PUT', path, identity: administrator, body: document });
  expect(put.status).toBe(201);
  const second = await notifications.first(1, () => true, 'the NOTIFY of the good document');
  expect(second.documents).toEqual([{ sel: byGroupId('sip:harbour-tg1@red.example'), newTag: put.tag }]);
});

async function nothingHappened(): Promise<void> {
  const list = (await manage(red.manageUrl, red.manageToken, 'groups')) as { readonly groups: readonly unknown[] };
  expect(list.groups).toEqual([]);
  const absent = await xcap(red.xcapRoot, { method: 'GET', path: `${users}/harbour-tg1.xml`, identity: administrator });
  expect(absent.status).toBe(404);
  expect(notifications.length).toBe(1);
}

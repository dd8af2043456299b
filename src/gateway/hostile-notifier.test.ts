// A partner's group management server whose NOTIFYs tell what they should not: groups of others, too much, twice, in the wrong order.
// Over real UDP and TLS; what another partner gave stays as it is, and nobody is asked because of it.
import { createSocket, type Socket } from 'node:dgram';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { request } from 'undici';
import { until } from '../../test/until.ts';
import { groupDocument } from '../documents/documents.testkit.ts';
import { blueConfiguration, runGateway, type TestConfiguration, type TestGateway, token } from './gateway.testkit.ts';
import { answer, type PartnerScript, type WirePartner, wirePartner } from './wire-partner.testkit.ts';

const type = 'application/vnd.oma.poc.groups+xml';
const own = 'sip:border-1@red.example';
const unwatched = 'sip:border-2@red.example';
const greens = 'sip:forest-1@green.example';
const ours = 'sip:harbour-1@blue.example';

let blue: TestGateway;
let red: WirePartner;
let green: WirePartner;
let notifier: Notifier;

/** Answers SUBSCRIBEs of one gateway and sends NOTIFYs in the dialog of the last one, as they are written. */
class Notifier {
  readonly socket: Socket = createSocket('udp4');
  readonly answers: string[] = [];
  #subscribe = '';
  #cseq = 0;

  get port(): number {
    return this.socket.address().port;
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.socket.bind(0, '127.0.0.1', resolve));
    this.socket.on('message', (message, { port, address }) => {
      const text = message.toString();
      if (text.startsWith('SIP/2.0')) this.answers.push(text.split('\r\n', 1)[0] ?? '');
      if (!text.startsWith('SUBSCRIBE')) return;
      this.#subscribe = text;
      const copied = ['Via', 'From', 'Call-ID', 'CSeq'].map((name) => `${name}: ${this.#field(name)}`);
      const to = this.#field('To').includes(';tag=') ? this.#field('To') : `${this.#field('To')};tag=red`;
      const lines = [
        ...copied,
        `To: ${to}`,
        `Contact: <sip:gms@127.0.0.1:${this.port}>`,
        'Expires: 3600',
        'Content-Length: 0',
      ];
      this.socket.send(`SIP/2.0 200 OK\r\n${lines.join('\r\n')}\r\n\r\n`, port, address);
    });
  }

  get subscribed(): boolean {
    return this.#subscribe !== '';
  }

  /** Sends a NOTIFY; its answer comes to `answers`. `entries`: entity tags by group, undefined = gone. */
  notify(entries: Iterable<readonly [string, string | undefined]>, { cseq }: { readonly cseq?: number } = {}): void {
    this.#cseq += 1;
    const contact = /<sip:([^>]*)>/.exec(this.#field('Contact'))?.[1] ?? '';
    const [host = '', port = ''] = (contact.split('@').at(-1) ?? '').split(';')[0]?.split(':') ?? [];
    const documents = [...entries].map(([groupId, tag]) => {
      const sel = `org.openmobilealliance.groups/global/byGroupID/${groupId}`;
      return `<document ${tag === undefined ? 'previous-etag="x"' : `new-etag="${tag}"`} sel="${sel}"/>`;
    });
    const body = `<?xml version="1.0"?><xcap-diff xmlns="urn:ietf:params:xml:ns:xcap-diff" xcap-root="https://gms.red.example/xcap-root/">${documents.join('')}</xcap-diff>`;
    const from = this.#field('To').includes(';tag=') ? this.#field('To') : `${this.#field('To')};tag=red`;
    const lines = [
      `NOTIFY sip:${contact} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${this.port};branch=z9hG4bK${this.#cseq}x${Math.random()}`,
      'Max-Forwards: 70',
      `From: ${from}`,
      `To: ${this.#field('From')}`,
      `Call-ID: ${this.#field('Call-ID')}`,
      `CSeq: ${cseq ?? this.#cseq} NOTIFY`,
      `Contact: <sip:gms@127.0.0.1:${this.port}>`,
      'Event: xcap-diff',
      'Subscription-State: active;expires=3600',
      'Content-Type: application/xcap-diff+xml',
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    this.socket.send(`${lines.join('\r\n')}\r\n\r\n${body}`, Number(port), host);
  }

  #field(name: string): string {
    return new RegExp(`^${name}: (.*)\r$`, 'im').exec(this.#subscribe)?.[1] ?? '';
  }
}

const giving: PartnerScript = ({ path, headers }, socket) => {
  const uri = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
  if (headers['if-none-match'] === '"first"') answer(socket, 304, { ETag: '"first"' });
  else
    answer(
      socket,
      200,
      { 'Content-Type': type, ETag: '"first"' },
      Buffer.from(groupDocument({ uri, members: ['sip:omar@blue.example'] })).toString(),
    );
};

beforeAll(async () => {
  red = await wirePartner('red', giving);
  // Another partner's server shows the lab's other certificate.
  green = await wirePartner('blue', giving);
  notifier = new Notifier();
  await notifier.open();
  const base = blueConfiguration(red.root);
  const [partner] = base.partners as readonly object[];
  const atGreen = {
    ...partner,
    name: 'green',
    domains: ['green.example'],
    gms: 'sip:gms@green.example',
    xcapRoots: [green.root],
    certificates: [{ san: 'gms.blue.example' }],
    agreement: { weRequest: [{ groups: 'sip:*@green.example' }] },
  };
  blue = await runGateway({
    ...base,
    partners: [{ ...partner, sip: [`sip:gms@127.0.0.1:${notifier.port}`], sipFrom: ['127.0.0.1'] }, atGreen],
  } as TestConfiguration);
  await manage(
    'PUT',
    `groups/${encodeURIComponent(ours)}`,
    Buffer.from(groupDocument({ uri: ours, members: [] })).toString(),
  );
  await manage('POST', 'partners/green/pull', { groupId: greens });
  await manage('POST', 'partners/red/pull', { groupId: own });
  await until(
    async () => notifier.subscribed,
    (subscribed) => subscribed,
    'the subscription',
  );
});
afterAll(async () => {
  await blue?.close();
  await Promise.all([red?.close(), green?.close()]);
  notifier?.socket.close();
});
beforeEach(async () => {
  await told([[own, 'first']]);
  red.asked.length = 0;
  green.asked.length = 0;
});

async function manage(method: 'GET' | 'PUT' | 'POST', path: string, body?: object | string): Promise<number> {
  const given = await request(`${blue.urls.manage}/api/v1/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': typeof body === 'string' ? type : 'application/json' }),
    },
    body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
  });
  await given.body.dump();
  return given.statusCode;
}

/** Sends a NOTIFY and resolves with how it was answered. */
async function told(
  entries: Iterable<readonly [string, string | undefined]>,
  more: { readonly cseq?: number } = {},
): Promise<string> {
  const before = notifier.answers.length;
  notifier.notify(entries, more);
  await until(
    async () => notifier.answers.length,
    (count) => count > before,
    'the answer to NOTIFY',
  );
  return notifier.answers.at(-1) ?? '';
}

/** What the partner tells of its own group is acted on; whatever was told before has been by then. */
async function afterwards(): Promise<void> {
  const { length } = red.asked;
  await told([[own, `later-${Math.random()}`]]);
  await until(
    async () => red.asked.length,
    (count) => count > length,
    'the request for the own group',
  );
}

const held = (id: string): Promise<number> => manage('GET', `groups/${encodeURIComponent(id)}`);

test('groups of another partner, of ours, of nobody, and not watched: nothing is asked, nothing changes', async () => {
  expect(
    await told([
      [greens, undefined],
      [greens, 'new'],
      [ours, undefined],
      [unwatched, 'new'],
      ['sip:nobody@nowhere.example', 'new'],
    ]),
  ).toBe('SIP/2.0 200 OK');
  await afterwards();
  expect(red.asked.every(({ path }) => path.endsWith(encodeURIComponent(own)))).toBe(true);
  expect(green.asked).toEqual([]);
  expect([await held(greens), await held(ours), await held(unwatched), await held(own)]).toEqual([200, 200, 404, 200]);
});

test('the same group hundreds of times in one NOTIFY, and in many: it is asked for a few times', async () => {
  await told(Array.from({ length: 300 }, (_, place) => [own, `t-${place}`] as const));
  for (let turn = 0; turn < 50; turn++) await told([[own, turn % 2 === 0 ? undefined : `u-${turn}`]]);
  await afterwards();
  expect(red.asked.length).toBeLessThanOrEqual(53);
  expect(await held(own)).toBe(200);
});

test('what is told to be gone is asked for at its home before it goes', async () => {
  await told([[own, undefined]]);
  await until(
    async () => red.asked.length,
    (count) => count > 0,
    'the question',
  );
  expect(await held(own)).toBe(200);
});

test('RFC 3261 12.2.2: a NOTIFY from before, or repeated, tells nothing new', async () => {
  expect(await told([[own, 'old']], { cseq: 1 })).toMatch(/^SIP\/2\.0 (200|500)/);
  await afterwards();
  expect(await held(own)).toBe(200);
});

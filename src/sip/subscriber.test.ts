// The gateway as subscriber at a partner (RFC 6665 clause 4.1, RFC 5875 clause 4.8): against our own notifier, and against a
// partner played by hand whose clock is ours.
import { createSocket, type Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { administrator } from '../documents/documents.testkit.ts';
import { type Engine, startEngine } from './engine/engine.ts';
import { type Clock, TimerQueue } from './engine/timer-queue.ts';
import { groups as auid, eventually } from './face.testkit.ts';
import { alpha, document, faceRoom, key } from './face-room.testkit.ts';
import { type SipPort, sipPort } from './sip-port.ts';
import { Subscriber, type SubscriberOptions } from './subscriber.ts';

const gms = 'sip:gms@blue.example';
const quiet = { info: () => undefined, warn: () => undefined };

/** Time that a test lets pass. */
class HandClock implements Clock {
  #now = 0;
  #wakes: { readonly due: number; readonly wake: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  wakeAfter(delay: number, wake: () => void): () => void {
    const entry = { due: this.#now + delay, wake };
    this.#wakes.push(entry);
    return () => {
      this.#wakes = this.#wakes.filter((other) => other !== entry);
    };
  }

  pass(milliseconds: number): void {
    this.#now += milliseconds;
    const due = this.#wakes.filter((entry) => entry.due <= this.#now);
    this.#wakes = this.#wakes.filter((entry) => entry.due > this.#now);
    for (const { wake } of due) wake();
  }
}

interface Message {
  readonly raw: string;
  readonly startLine: string;
  header(name: string): string;
  readonly body: string;
}

/** The group management server of partner red, by hand. */
class HandPartner {
  readonly socket: Socket;
  readonly inbox: Message[] = [];
  #cseq = 100;
  #branch = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('message', (data) => {
      const raw = data.toString('utf8');
      const head = raw.slice(0, raw.indexOf('\r\n\r\n')).split('\r\n');
      this.inbox.push({
        raw,
        startLine: head[0] ?? '',
        header: (name) => {
          const line = head.find((one) => one.toLowerCase().startsWith(`${name.toLowerCase()}:`));
          return line?.slice(name.length + 1).trim() ?? '';
        },
        body: raw.slice(raw.indexOf('\r\n\r\n') + 4),
      });
    });
  }

  static async open(): Promise<HandPartner> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return new HandPartner(socket);
  }

  get port(): number {
    return this.socket.address().port;
  }

  /** The next message whose start line begins so. */
  async next(start: string): Promise<Message> {
    await eventually(() => this.inbox.some(({ startLine }) => startLine.startsWith(start)));
    const place = this.inbox.findIndex(({ startLine }) => startLine.startsWith(start));
    const [found] = this.inbox.splice(place, 1);
    if (found === undefined) throw new Error('it has gone');
    return found;
  }

  answer(request: Message, status: string, extra = '', tag = 'red1'): void {
    const to = request.header('To').includes(';tag=') ? request.header('To') : `${request.header('To')};tag=${tag}`;
    const head = ['Via', 'From', 'Call-ID', 'CSeq'].map((name) => `${name}: ${request.header(name)}\r\n`).join('');
    this.#send(
      request,
      `SIP/2.0 ${status}\r\n${head}To: ${to}\r\nContact: <sip:gms@127.0.0.1:${this.port}>\r\n${extra}Content-Length: 0\r\n\r\n`,
    );
  }

  /** Sends a NOTIFY for the subscription that this SUBSCRIBE made and resolves with the status line of its answer. */
  async notify(
    subscribe: Message,
    state: string,
    documents: readonly (readonly [groupId: string, tag: string | undefined])[] | string | undefined,
    {
      tag = 'red1',
      event = 'xcap-diff',
      contentType = 'application/xcap-diff+xml',
      wrapped = (text: string) => text,
    } = {},
  ): Promise<string> {
    this.#cseq += 1;
    this.#branch += 1;
    const listed = (typeof documents === 'string' ? [] : documents)?.map(
      ([group, etag]) =>
        `<document sel="${auid}/global/byGroupID/${group}" ${etag === undefined ? 'previous-etag="x"' : `new-etag="${etag}"`}/>`,
    );
    const diff =
      typeof documents === 'string' || listed === undefined
        ? (documents ?? '').toString()
        : `<xcap-diff xmlns="urn:ietf:params:xml:ns:xcap-diff" xcap-root="https://gms.red.example/">${listed.join('')}</xcap-diff>`;
    const body = wrapped(diff);
    const lines = [
      `NOTIFY sip:gms@127.0.0.1 SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${this.port};rport;branch=z9hG4bK${tag}${this.#branch}`,
      'Max-Forwards: 70',
      `From: ${subscribe.header('To').replace(/;tag=.*/, '')};tag=${tag}`,
      `To: ${subscribe.header('From')}`,
      `Call-ID: ${subscribe.header('Call-ID')}`,
      `CSeq: ${this.#cseq} NOTIFY`,
      `Contact: <sip:gms@127.0.0.1:${this.port}>`,
      `Event: ${event}`,
      `Subscription-State: ${state}`,
      ...(body === '' ? [] : [`Content-Type: ${contentType}`]),
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    this.#send(subscribe, `${lines.join('\r\n')}\r\n\r\n${body}`);
    return (await this.next('SIP/2.0')).startLine;
  }

  #send(to: Message, text: string): void {
    const port = /^SIP\/2\.0\/UDP 127\.0\.0\.1:(\d+)/.exec(to.header('Via'))?.[1];
    this.socket.send(text, Number(port), '127.0.0.1');
  }
}

let told: string[];
let engine: Engine;
let port: SipPort;
let clock: HandClock;
let subscriber: Subscriber;

async function start(nextHops: readonly string[], more: Partial<SubscriberOptions> = {}): Promise<void> {
  told = [];
  clock = new HandClock();
  engine = await startEngine({ listen: ['udp:127.0.0.1:0'] });
  port = sipPort({
    control: engine.control,
    onRequest: (request) => void subscriber.handle(request),
    log: { warn: () => undefined },
  });
  await port.connect();
  subscriber = new Subscriber({
    timers: new TimerQueue(clock),
    subscribe: (request) => port.subscribe(request),
    gms,
    addressOf: (partner) => (partner === 'red' ? { gms: 'sip:gms@red.example', nextHops } : undefined),
    largestBody: 30_000,
    notifyPatience: 32_000,
    random: () => 1,
    listener: {
      changed: (partner, groupId, tag) => told.push(`${partner} ${groupId} ${tag ?? 'gone'}`),
      state: (partner, state) => told.push(`${partner} ${state}`),
    },
    log: quiet,
    ...more,
  });
}

async function stop(): Promise<void> {
  await subscriber.close();
  await port.close();
  await engine.close();
}

/** Waits until this has been told, and forgets what was told. */
async function toldThat(...lines: readonly string[]): Promise<void> {
  await eventually(() => told.length >= lines.length);
  expect(told).toEqual(lines);
  told.length = 0;
}

const a = 'sip:a@red.example';
const b = 'sip:b@red.example';

describe('a partner played by hand', () => {
  let partner: HandPartner;

  beforeEach(async () => {
    partner = await HandPartner.open();
    await start([`sip:127.0.0.1:${partner.port}`]);
  });
  afterEach(async () => {
    // Whatever is still subscribed is ended; the partner says so at once.
    partner.socket.on('message', (data) => {
      const raw = data.toString('utf8');
      if (raw.startsWith('SUBSCRIBE') && raw.includes('Expires: 0')) {
        const request = partner.inbox.at(-1);
        if (request !== undefined) partner.answer(request, '200 OK', 'Expires: 0\r\n');
      }
    });
    await stop();
    partner.socket.close();
  });

  async function subscribed(...groups: readonly string[]): Promise<Message> {
    subscriber.watch('red', groups);
    clock.pass(200);
    clock.pass(0);
    return partner.next('SUBSCRIBE');
  }

  async function up(...groups: readonly string[]): Promise<Message> {
    const subscribe = await subscribed(...groups);
    partner.answer(subscribe, '200 OK', 'Expires: 600\r\n');
    const documents = groups.map((group) => [group, '1'] as const);
    expect(await partner.notify(subscribe, 'active;expires=600', documents)).toBe('SIP/2.0 200 OK');
    await toldThat('red down', ...groups.map((group) => `red ${group} 1`), 'red up');
    // The answer to the SUBSCRIBE reaches the subscriber by way of the engine, too.
    await engine.counts();
    return subscribe;
  }

  test('RFC 5875 4.4: SUBSCRIBE names the groups and who asks; a NOTIFY tells their tags, later ones what changed', async () => {
    const subscribe = await up(a, b);
    expect(subscribe.startLine).toBe('SUBSCRIBE sip:gms@red.example SIP/2.0');
    expect(subscribe.header('P-Asserted-Identity')).toBe(`<${gms}>`);
    expect(subscribe.header('Event')).toBe('xcap-diff');
    expect(subscribe.header('Expires')).toBe('3600');
    expect(subscribe.header('Contact')).toMatch(/^<sip:gms@127\.0\.0\.1:\d+;gr>$/);
    expect([...subscribe.body.matchAll(/uri="([^"]*)"/g)].map(([, uri]) => uri)).toEqual([
      `${auid}/global/byGroupID/${a}`,
      `${auid}/global/byGroupID/${b}`,
    ]);
    await partner.notify(subscribe, 'active;expires=500', [
      [b, undefined],
      ['sip:unasked@red.example', '7'],
      [a, '2'],
    ]);
    await toldThat(`red ${b} gone`, `red ${a} 2`);
  });

  test('RFC 6665 4.4.1: a NOTIFY before the 2xx counts', async () => {
    const subscribe = await subscribed(a);
    expect(await partner.notify(subscribe, 'active;expires=600', [[a, '1']])).toBe('SIP/2.0 200 OK');
    await toldThat('red down', `red ${a} 1`, 'red up');
    partner.answer(subscribe, '200 OK', 'Expires: 600\r\n');
  });

  test('RFC 6665 8.2.1: an Event id that our SUBSCRIBE had not never matches: 481, and nothing is told', async () => {
    const subscribe = await subscribed(a);
    partner.answer(subscribe, '200 OK', 'Expires: 3600\r\n');
    for (const event of ['xcap-diff;id=7', 'xcap-diff;id=""', 'xcap-diff;diff-processing=aggregate;ID=x']) {
      expect(await partner.notify(subscribe, 'active', [[a, 't1']], { event })).toContain(' 481 ');
    }
    await toldThat('red down');
    // Other parameters do not count
    const event = 'xcap-diff;diff-processing=aggregate';
    expect(await partner.notify(subscribe, 'active', [[a, 't1']], { event })).toContain(' 200 ');
    await toldThat(`red ${a} t1`, 'red up');
  });

  test('RFC 5621 3: the xcap-diff is found in multiparts in each other', async () => {
    const subscribe = await subscribed(a);
    partner.answer(subscribe, '200 OK', 'Expires: 3600\r\n');
    const part = (type: string, text: string): string => `Content-Type: ${type}\r\n\r\n${text}`;
    const inner = (text: string): string =>
      `--in\r\n${part('text/plain', 'by the way')}\r\n--in\r\n${part('application/xcap-diff+xml', text)}\r\n--in--`;
    const outer = (type: string, text: string): string => `--out\r\n${part(type, text)}\r\n--out--\r\n`;
    const contentType = 'multipart/mixed;boundary=out';
    const wrapped = (text: string): string => outer('multipart/related;boundary="in"', inner(text));
    expect(await partner.notify(subscribe, 'active', [[a, 't1']], { contentType, wrapped })).toContain(' 200 ');
    await toldThat('red down', `red ${a} t1`, 'red up');
    const without = { contentType, wrapped: (text: string) => outer('text/plain', text) };
    expect(await partner.notify(subscribe, 'active', [[a, 't2']], without)).toContain(' 415 ');
    const twice = {
      contentType,
      wrapped: (text: string) =>
        outer(contentType.replace('out', 'in'), inner(text).replace('text/plain', 'application/xcap-diff+xml')),
    };
    expect(await partner.notify(subscribe, 'active', [[a, 't2']], twice)).toContain(' 400 ');
    const broken = { contentType, wrapped: (text: string) => outer('multipart/mixed', inner(text)) };
    expect(await partner.notify(subscribe, 'active', [[a, 't2']], broken)).toContain(' 400 ');
    expect(told).toEqual([]);
  });

  test('RFC 6665 4.1.3: a last NOTIFY whose body cannot be read ends the subscription all the same', async () => {
    const subscribe = await subscribed(a);
    partner.answer(subscribe, '200 OK', 'Expires: 3600\r\n');
    expect(await partner.notify(subscribe, 'active', [[a, 't1']])).toContain(' 200 ');
    await toldThat('red down', `red ${a} t1`, 'red up');
    clock.pass(11_000);
    expect(await partner.notify(subscribe, 'terminated;reason=timeout', '<broken')).toContain(' 400 ');
    await toldThat('red down');
    clock.pass(0);
    const again = await partner.next('SUBSCRIBE');
    expect(again.header('Call-ID')).not.toBe(subscribe.header('Call-ID'));
  });

  test('RFC 5875 4.9: a NOTIFY of another fork, and one of nobody known, is 481; another package is 489', async () => {
    const subscribe = await up(a);
    expect(await partner.notify(subscribe, 'active;expires=600', [[a, '9']], { tag: 'other' })).toContain(' 481 ');
    expect(await partner.notify(subscribe, 'active', undefined, { event: 'presence' })).toContain(' 489 ');
    const stranger = { ...subscribe, header: (name: string) => (name === 'Call-ID' ? 'who' : subscribe.header(name)) };
    expect(await partner.notify(stranger, 'active;expires=600', [[a, '9']])).toContain(' 481 ');
    expect(told).toEqual([]);
  });

  test('RFC 6665 4.1.2.2: it is refreshed before it expires; what the full state lacks is gone', async () => {
    await up(a, b);
    clock.pass(480_000);
    const refresh = await partner.next('SUBSCRIBE');
    expect(refresh.header('To')).toContain(';tag=red1');
    expect(refresh.header('CSeq')).toMatch(/^\d+ SUBSCRIBE$/);
    partner.answer(refresh, '200 OK', 'Expires: 600\r\n');
    await partner.notify(refresh, 'active;expires=600', [[a, '1']]);
    await toldThat(`red ${a} 1`);
    clock.pass(2_000);
    await toldThat(`red ${b} gone`);
  });

  test('RFC 5875 4.7: what the first full state lacks is gone, though this subscription never told of it', async () => {
    const subscribe = await subscribed(a, b);
    partner.answer(subscribe, '200 OK', 'Expires: 600\r\n');
    await partner.notify(subscribe, 'active;expires=600', [[a, '1']]);
    await toldThat('red down', `red ${a} 1`, 'red up');
    clock.pass(2_000);
    await toldThat(`red ${b} gone`);
  });

  test('RFC 5839 5.2: 204 to a refresh leaves everything as it is: no NOTIFY is waited for, nothing counts as gone', async () => {
    const subscribe = await up(a, b);
    clock.pass(480_000);
    const refresh = await partner.next('SUBSCRIBE');
    const { messages } = await engine.counts();
    partner.answer(refresh, '204 No Notification', 'Expires: 600\r\n');
    while ((await engine.counts()).messages === messages) await new Promise((resolve) => setImmediate(resolve));
    // What comes over the control connection comes in order.
    await port.notify('nobody', {}, '');
    clock.pass(33_000);
    expect(told).toEqual([]);
    // A change afterwards is no full state.
    await partner.notify(subscribe, 'active;expires=560', [[a, '2']]);
    await toldThat(`red ${a} 2`);
    clock.pass(2_000);
    expect(told).toEqual([]);
  });

  test('RFC 6665 4.1.3: pending lives as active does', async () => {
    const subscribe = await subscribed(a);
    partner.answer(subscribe, '200 OK', 'Expires: 600\r\n');
    expect(await partner.notify(subscribe, 'pending;expires=600', undefined)).toBe('SIP/2.0 200 OK');
    await toldThat('red down', 'red up');
    await partner.notify(subscribe, 'active;expires=600', [[a, '1']]);
    await toldThat(`red ${a} 1`);
  });

  test('RFC 5875 4.8: of the chain of changes of one group the last counts, with patches or without; 200 all the same', async () => {
    const subscribe = await up(a, b);
    const sel = (group: string): string => `sel="${auid}/global/byGroupID/${group}"`;
    const chain =
      `<d:xcap-diff xmlns:d="urn:ietf:params:xml:ns:xcap-diff" xcap-root="https://gms.red.example/">` +
      `<d:document ${sel(a)} previous-etag="1" new-etag="2"><d:remove sel="*/nowhere[9]"/></d:document>` +
      `<d:document ${sel(b)} previous-etag="1"/>` +
      `<d:document ${sel(a)} previous-etag="2" new-etag="3"><d:body-not-changed/></d:document>` +
      `<d:document ${sel(b)} new-etag="9"/></d:xcap-diff>`;
    expect(await partner.notify(subscribe, 'active;expires=600', chain)).toBe('SIP/2.0 200 OK');
    await toldThat(`red ${a} 3`, `red ${b} 9`);
  });

  test('a partner that grants nothing is not asked without end', async () => {
    const subscribe = await subscribed(a);
    partner.answer(subscribe, '200 OK', 'Expires: 0\r\n');
    await partner.notify(subscribe, 'active;expires=0', [[a, '1']]);
    await toldThat('red down', `red ${a} 1`, 'red up');
    await engine.counts();
    clock.pass(4_000);
    await engine.counts();
    expect(partner.inbox).toEqual([]);
  });

  test('RFC 5057 5.2, RFC 6665 4.4.1: a flood of NOTIFYs of nobody known is answered 481 each, and told to nobody', async () => {
    const subscribe = await up(a);
    const flood = Array.from({ length: 200 }, (_, number) => ({
      ...subscribe,
      header: (name: string) => (name === 'Call-ID' ? `who${number}` : subscribe.header(name)),
    }));
    const answers = await Promise.all(
      flood.map((stranger) => partner.notify(stranger, 'active;expires=600', [[a, 'evil']])),
    );
    for (const answer of answers) expect(answer).toMatch(/^SIP\/2\.0 481 /);
    expect(told).toEqual([]);
    expect((await engine.counts()).dialogs).toBe(1);
    await partner.notify(subscribe, 'active;expires=600', [[a, '2']]);
    await toldThat(`red ${a} 2`);
  });

  test('RFC 6665 4.2.2: a subscription that the partner dropped in silence is noticed within 300 s, however long it was granted', async () => {
    const subscribe = await subscribed(a);
    partner.answer(subscribe, '200 OK', 'Expires: 3600\r\n');
    await partner.notify(subscribe, 'active;expires=3600', [[a, '1']]);
    await toldThat('red down', `red ${a} 1`, 'red up');
    clock.pass(300_000);
    const refresh = await partner.next('SUBSCRIBE');
    expect(refresh.header('To')).toContain(';tag=red1');
    partner.answer(refresh, '481 Gone');
    await toldThat('red down');
    clock.pass(1);
    const again = await partner.next('SUBSCRIBE');
    expect(again.header('Call-ID')).not.toBe(subscribe.header('Call-ID'));
  });

  test('RFC 6665 4.1.2.4: without a NOTIFY in 64*T1 it is down, and made again after a pause', async () => {
    const subscribe = await subscribed(a);
    partner.answer(subscribe, '200 OK', 'Expires: 600\r\n');
    await toldThat('red down');
    clock.pass(32_000);
    await eventually(() => {
      clock.pass(1_000);
      return partner.inbox.length > 0;
    });
    const again = await partner.next('SUBSCRIBE');
    expect(again.header('Call-ID')).not.toBe(subscribe.header('Call-ID'));
  });

  test.each([
    ['deactivated', 11_000, 0],
    ['timeout', 11_000, 0],
    ['deactivated, moments after it began', 0, 5_000],
    ['probation;retry-after=60', 11_000, 60_000],
    ['giveup;retry-after=30', 11_000, 30_000],
    ['something else', 11_000, 0],
  ])('RFC 6665 4.1.3: terminated;reason=%s', async (reason, life, pause) => {
    const subscribe = await up(a);
    clock.pass(life);
    await partner.notify(subscribe, `terminated;reason=${reason.replace(/[, ].*/, '')}`, undefined);
    await toldThat('red down');
    if (pause > 0) {
      clock.pass(pause - 1);
      expect(partner.inbox).toEqual([]);
    }
    clock.pass(1);
    const again = await partner.next('SUBSCRIBE');
    expect(again.header('To')).not.toContain(';tag=');
  });

  test.each(['rejected', 'noresource', 'invariant'])(
    'RFC 6665 4.1.3: after terminated;reason=%s it is not made again before it is asked for again',
    async (reason) => {
      const subscribe = await up(a);
      await partner.notify(subscribe, `terminated;reason=${reason}`, undefined);
      await toldThat('red down');
      clock.pass(3_600_000);
      expect(partner.inbox).toEqual([]);
      const again = await subscribed(a);
      expect(again.header('Call-ID')).not.toBe(subscribe.header('Call-ID'));
    },
  );

  test('RFC 6665 4.1.2.1: 423 is followed by a SUBSCRIBE of Min-Expires', async () => {
    partner.answer(await subscribed(a), '423 Interval Too Brief', 'Min-Expires: 7200\r\n');
    await eventually(() => {
      clock.pass(1);
      return partner.inbox.length > 0;
    });
    expect((await partner.next('SUBSCRIBE')).header('Expires')).toBe('7200');
  });

  test('RFC 6665 4.1.2.2: 481 to a refresh is followed by a new subscription', async () => {
    const first = await up(a);
    clock.pass(480_000);
    partner.answer(await partner.next('SUBSCRIBE'), '481 Subscription does not exist');
    await toldThat('red down');
    clock.pass(1);
    const again = await partner.next('SUBSCRIBE');
    expect(again.header('Call-ID')).not.toBe(first.header('Call-ID'));
    expect(again.header('To')).not.toContain(';tag=');
  });

  test('a refusal is tried again, later and later, never before Retry-After', async () => {
    partner.answer(await subscribed(a), '503 Service Unavailable', 'Retry-After: 40\r\n');
    await toldThat('red down');
    await eventually(() => {
      clock.pass(1_000);
      return partner.inbox.length > 0;
    });
    expect(clock.now()).toBeGreaterThanOrEqual(40_000);
    partner.answer(await partner.next('SUBSCRIBE'), '403 Forbidden');
    const before = clock.now();
    await eventually(() => {
      clock.pass(1_000);
      return partner.inbox.length > 0;
    });
    expect(clock.now() - before).toBeGreaterThanOrEqual(10_000);
  });

  test('another set of groups is told in the dialog, and ends it when it is empty', async () => {
    await up(a);
    subscriber.watch('red', [a, b]);
    clock.pass(200);
    clock.pass(0);
    const wider = await partner.next('SUBSCRIBE');
    expect(wider.header('To')).toContain(';tag=red1');
    expect(wider.body).toContain(b);
    partner.answer(wider, '200 OK', 'Expires: 600\r\n');
    await partner.notify(wider, 'active;expires=600', [
      [a, '1'],
      [b, '5'],
    ]);
    await toldThat(`red ${a} 1`, `red ${b} 5`);
    subscriber.watch('red', []);
    clock.pass(200);
    const last = await partner.next('SUBSCRIBE');
    expect(last.header('Expires')).toBe('0');
    partner.answer(last, '200 OK', 'Expires: 0\r\n');
    expect(await partner.notify(last, 'terminated;reason=timeout', [])).toBe('SIP/2.0 200 OK');
    expect(told).toEqual([]);
  });

  test('many groups take several subscriptions, each small enough for a frame', async () => {
    const groups = Array.from({ length: 1_000 }, (_, number) => `sip:g${number}@red.example`);
    subscriber.watch('red', groups);
    clock.pass(200);
    clock.pass(0);
    const named = (): readonly string[] =>
      partner.inbox.flatMap(({ body }) => [...body.matchAll(/uri="([^"]*)"/g)].map(([, uri = '']) => uri));
    await eventually(() => named().length >= groups.length);
    expect([...named()].sort()).toEqual(groups.map((group) => `${auid}/global/byGroupID/${group}`).sort());
    for (const { body } of partner.inbox) expect(body.length).toBeLessThanOrEqual(30_000);
    expect(new Set(partner.inbox.map((message) => message.header('Call-ID'))).size).toBe(partner.inbox.length);
  });
});

test('a partner without SIP address is down', async () => {
  await start([]);
  subscriber.watch('green', [a]);
  clock.pass(200);
  await toldThat('green down');
  await stop();
});

describe('our own notifier as the partner', () => {
  const at = faceRoom();

  test('TS 24.481 6.3.13: creation, change and deletion of a group there are told here', async () => {
    await at.restart({ authenticate: async () => ({ role: 'server', identity: 'sip:mcptt@red.example' }) });
    await start([`sip:127.0.0.1:${at.running.port}`]);
    subscriber.watch('red', [alpha]);
    clock.pass(200);
    clock.pass(0);
    await toldThat('red down', 'red up');
    const first = await at.put(document('one'));
    await toldThat(`red ${alpha} ${first}`);
    const second = await at.put(document('two'));
    await toldThat(`red ${alpha} ${second}`);
    await at.room.documents.delete(administrator, key, {});
    await toldThat(`red ${alpha} gone`);
    await stop();
    await eventually(() => at.running.face.subscriptionCount === 0);
  });
});

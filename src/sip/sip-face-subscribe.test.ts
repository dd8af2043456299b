import { deflateSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { changesOf, groups, resourceList } from './face.testkit.ts';
import { faceRoom, sel } from './face-room.testkit.ts';
import type { SipFaceOptions } from './sip-face.ts';

const at = faceRoom();

describe('RFC 6665 4.2.1 and RFC 5875 4: refusals', () => {
  test.each<[string, number, Record<string, string | undefined>, Record<string, string>]>([
    ['another event package', 489, { Event: 'presence' }, { 'Allow-Events': 'xcap-diff' }],
    ['no event package', 489, { Event: undefined }, { 'Allow-Events': 'xcap-diff' }],
    ['Accept without xcap-diff', 406, { Accept: 'application/pidf+xml' }, {}],
    ['an empty Accept (RFC 3261 20.1: nothing is acceptable)', 406, { Accept: '' }, {}],
    ['a sips: Contact over UDP (RFC 3261 12.1.1)', 416, { Contact: '<sips:subscriber@127.0.0.1:5061>' }, {}],
    [
      'an assertion of two SIP URIs (RFC 3325 9.1)',
      403,
      { 'P-Asserted-Identity': '<sip:mcptt@red.example>, <sip:joe@red.example>' },
      {},
    ],
    [
      'another body type',
      415,
      { 'Content-Type': 'application/pidf+xml' },
      { Accept: expect.stringContaining('resource-lists') as never },
    ],
    [
      'a content coding',
      415,
      { 'Content-Encoding': 'gzip' },
      { 'Accept-Encoding': expect.stringContaining('identity') as never },
    ],
    ['a short duration', 423, { Expires: '30' }, { 'Min-Expires': '60' }],
    ['a broken duration', 400, { Expires: 'soon' }, {}],
    ['no Contact', 400, { Contact: undefined }, {}],
    ['a Contact that is no SIP URI', 400, { Contact: '<mailto:a@b.example>' }, {}],
    ['another Request-URI', 404, { 'Request-URI': 'sip:else@red.example' }, {}],
    ['an unknown extension', 420, { Require: 'eventlist' }, { Unsupported: 'eventlist' }],
    ['no credentials', 403, { 'P-Asserted-Identity': undefined }, {}],
    ['a dialog that is not there', 481, { To: '<sip:gms@red.example>;tag=gone' }, {}],
  ])('%s is %i', async (_, status, headers, expected) => {
    const subscriber = await at.open();
    const answer = await subscriber.subscribe([sel], headers);
    expect(answer.status).toBe(status);
    for (const [name, value] of Object.entries(expected)) expect(answer.header(name)).toEqual(value);
    expect(at.running.face.subscriptions()).toEqual([]);
    expect(await at.room.store.subscriptions()).toEqual([]);
  });

  test('RFC 5875 4.4: no body, no list, an empty list', async () => {
    const subscriber = await at.open();
    expect((await subscriber.subscribe(undefined)).status).toBe(400);
    expect((await subscriber.subscribe([])).status).toBe(400);
    expect((await subscriber.subscribe(undefined, { 'Content-Type': undefined }, '<a/>')).status).toBe(415);
    expect(
      (await subscriber.subscribe(undefined, { 'Content-Type': 'application/resource-lists+xml' }, '<a')).status,
    ).toBe(400);
  });

  test('none of the entries can ever be served: 403', async () => {
    const subscriber = await at.open();
    const answer = await subscriber.subscribe(['http://elsewhere.example/a/global/b', 'unknown-auid/global/index']);
    expect(answer.status).toBe(403);
    expect(answer.header('Warning')).toBe('399 red.example "forbidden: None of the resources can be served"');
  });

  test('TS 24.481 6.3.13.3: an access token that cannot be verified is 403 although an identity is asserted', async () => {
    const info =
      '<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><mcptt-access-token type="Normal"><mcpttString>e.y.J</mcpttString></mcptt-access-token></mcptt-Params></mcpttinfo>';
    const body = `--b\r\nContent-Type: application/vnd.3gpp.mcptt-info+xml\r\n\r\n${info}\r\n--b\r\nContent-Type: application/resource-lists+xml\r\n\r\n${resourceList([sel])}\r\n--b--\r\n`;
    const subscriber = await at.open();
    const answer = await subscriber.subscribe(undefined, { 'Content-Type': 'multipart/mixed;boundary=b' }, body);
    expect(answer.status).toBe(403);
  });

  test('RFC 6665 4.5.2: another Event id inside the dialog is refused, and the subscription goes on', async () => {
    const [subscriber] = await at.subscribed([sel]);
    expect((await subscriber.subscribe(undefined, { Event: 'xcap-diff;id=7' })).status).toBe(403);
    const { toTag } = subscriber;
    expect((await subscriber.subscribe(undefined, { To: `<sip:gms@red.example>;tag=${toTag}` })).status).toBe(200);
  });

  test('a refresh by somebody else is 403, a bare one from the same address is accepted', async () => {
    const [subscriber] = await at.subscribed([sel]);
    subscriber.identity = 'sip:joe@red.example';
    expect((await subscriber.subscribe(undefined)).status).toBe(403);
    subscriber.identity = undefined;
    expect((await subscriber.subscribe(undefined)).status).toBe(200);
  });

  test('RFC 3261 8.2.2.2: a second SUBSCRIBE of one Call-ID and From tag outside the dialog is 482', async () => {
    const [subscriber] = await at.subscribed([sel]);
    subscriber.toTag = '';
    expect((await subscriber.subscribe([sel])).status).toBe(482);
    expect(at.running.face.subscriptions()).toHaveLength(1);
  });
});

describe('RFC 6665: what is accepted', () => {
  test('RFC 3261 20.19: Expires beyond the maximum is shortened, absent it is an hour (RFC 5875 4.5)', async () => {
    const first = await at.open();
    expect((await first.subscribe([sel], { Expires: '4294967295' })).header('Expires')).toBe('86400');
    const second = await at.open();
    expect((await second.subscribe([sel], { Expires: undefined })).header('Expires')).toBe('3600');
  });

  test('compact header names, an Event id that NOTIFYs repeat, diff-processing as a hint', async () => {
    const subscriber = await at.open();
    const answer = await subscriber.subscribe([sel], {
      Event: undefined,
      o: 'xcap-diff;diff-processing=aggregate;id=n1',
      'Content-Type': undefined,
      c: 'application/resource-lists+xml',
    });
    expect(answer.status).toBe(200);
    expect((await subscriber.notify()).header('Event')).toBe('xcap-diff;id=n1');
  });

  test('the Request-URI may be our host', async () => {
    const subscriber = await at.open();
    const answer = await subscriber.subscribe([sel], { 'Request-URI': `sip:gms@127.0.0.1:${at.running.port}` });
    expect(answer.status).toBe(200);
  });

  test('RFC 3261 11.2: OPTIONS tells methods, types and event packages', async () => {
    const subscriber = await at.open();
    const answer = await subscriber.request('OPTIONS');
    expect(answer.status).toBe(200);
    expect(answer.header('Allow')).toBe('SUBSCRIBE, NOTIFY, OPTIONS');
    expect(answer.header('Allow-Events')).toBe('xcap-diff');
    expect(answer.header('Accept')).toContain('application/resource-lists+xml');
    expect((await subscriber.request('OPTIONS', { 'Request-URI': 'sip:else@red.example' })).status).toBe(404);
  });

  test('other methods are 405', async () => {
    const subscriber = await at.open();
    expect((await subscriber.request('MESSAGE')).status).toBe(405);
  });
});

describe('flow B', () => {
  test('TS 23.280 10.2.7: a foreign group that an own MC service server names is asked of its home', async () => {
    const asked: string[] = [];
    await at.restart({
      interconnect: {
        group: (principal, groupId) => {
          asked.push(`${principal.role} ${groupId}`);
          return Promise.reject(new Refusal('partner-unreachable'));
        },
      },
    });
    const foreign = `${groups}/global/byGroupID/sip:tg1@blue.example`;
    await at.subscribed([foreign, sel]);
    await at.subscribed([foreign], 'sip:joe@red.example');
    expect(asked).toEqual(['server sip:tg1@blue.example']);
  });
});

describe('RFC 5875 7: bounds', () => {
  const bounded = (bounds: Partial<SipFaceOptions['settings']>): Partial<SipFaceOptions> => {
    const minimumNotifyInterval = { servers: 0, partners: 0, clients: 0 };
    return { settings: { minimumExpires: 60, maximumExpires: 86_400, minimumNotifyInterval, ...bounds } };
  };

  test('a user has no more than so many subscriptions, and a place is free when one ends', async () => {
    await at.restart(bounded({ mostPerClient: 1 }));
    const [first] = await at.subscribed([sel], 'sip:joe@red.example');
    const second = await at.open('sip:joe@red.example');
    expect((await second.subscribe([sel])).status).toBe(403);
    await at.subscribed([sel], 'sip:mia@red.example');
    await first.subscribe(undefined, { Expires: '0' });
    await first.notify();
    await first.barrier();
    expect((await second.subscribe([sel])).status).toBe(200);
  });

  test('all subscriptions together are bounded: 503 with Retry-After', async () => {
    await at.restart(bounded({ mostSubscriptions: 1 }));
    await at.subscribed([sel]);
    const second = await at.open();
    const answer = await second.subscribe([sel]);
    expect(answer.status).toBe(503);
    expect(answer.header('Retry-After')).toBe('60');
  });

  test('lists of 5,000 and of 100,000 entries, small on the wire, are 413 at once, and others are served', async () => {
    const subscriber = await at.open();
    const started = performance.now();
    for (const count of [5_000, 100_000]) {
      const body = deflateSync(resourceList(Array.from({ length: count }, () => `${groups}/global/byGroupID/sip:g@x`)));
      expect((await subscriber.subscribe(undefined, { 'Content-Encoding': 'deflate' }, body)).status).toBe(413);
    }
    expect(performance.now() - started).toBeLessThan(3_000);
    expect((await subscriber.subscribe([sel])).status).toBe(200);
    await subscriber.notify();
  });

  test('a list with too many entries is 413', async () => {
    await at.restart(bounded({ mostEntries: 2 }));
    const subscriber = await at.open();
    expect((await subscriber.subscribe([sel, sel, sel])).status).toBe(413);
  });
});

describe('partner systems', () => {
  const tags = new Map([['sip:shared@red.example', 'p1']]);
  const facing: NonNullable<SipFaceOptions['partners']>['facing'] = {
    groupsForPartner: async () => [...tags.keys()],
    groupForPartner: async (_from, groupId) => {
      const tag = tags.get(groupId);
      if (tag === undefined) throw new Refusal('not-found');
      return { groupId, tag, bytes: new Uint8Array(), modified: '' };
    },
  };
  const partnerRoot = 'https://gms.red.example/xcap-root';
  const partner = { role: 'partner', partner: 'blue', identity: 'sip:gms@blue.example' } as const;
  const byId = (groupId: string): string => `${groups}/global/byGroupID/${groupId}`;

  test('TS 23.280 10.2.7: a partner is told the tags of its own view, with the root of the interconnect face', async () => {
    await at.restart({ partners: { facing, xcapRoot: partnerRoot }, authenticate: async () => partner });
    const collection = `${groups}/global/byGroupID/`;
    const entries = [byId('sip:shared@red.example'), byId('sip:secret@red.example'), collection];
    const [subscriber, first] = await at.subscribed(entries);
    expect(first.body).toContain(`xcap-root="${partnerRoot}/"`);
    expect(changesOf(first)).toEqual([`${entries[0]} - p1`]);

    tags.set('sip:other@red.example', 'p2');
    at.running.face.recheck();
    expect(changesOf(await subscriber.notify())).toEqual([`${collection}sip:other@red.example - p2`]);
    tags.delete('sip:other@red.example');
    at.running.face.recheck();
    expect(changesOf(await subscriber.notify())).toEqual([`${collection}sip:other@red.example p2 -`]);
  });

  test('places in the users tree are nothing for a partner', async () => {
    await at.restart({ partners: { facing, xcapRoot: partnerRoot }, authenticate: async () => partner });
    const subscriber = await at.open();
    expect((await subscriber.subscribe([`${groups}/users/sip:groups@red.example/alpha`])).status).toBe(403);
  });

  test('without an interconnect face a partner is 403', async () => {
    await at.restart({ authenticate: async () => partner });
    const subscriber = await at.open();
    expect((await subscriber.subscribe([byId('sip:shared@red.example')])).status).toBe(403);
  });
});

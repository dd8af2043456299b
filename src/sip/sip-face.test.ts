import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  administrator,
  client,
  closeSchemas,
  groupDocument,
  homeKey,
  membersSeeMembers,
  openRoom,
  type Room,
} from '../documents/documents.testkit.ts';
import type { Principal } from '../identity/principal.ts';
import { Refusal } from '../refusals.ts';
import {
  changesOf,
  eventually,
  groups,
  type Received,
  type RunningFace,
  resourceList,
  runFace,
  Subscriber,
  xcapRoot,
} from './face.testkit.ts';
import type { SipFaceOptions } from './sip-face.ts';

const alpha = 'sip:alpha@red.example';
const sel = `${groups}/global/byGroupID/${alpha}`;
const key = homeKey('alpha');
const document = (name: string, members = ['sip:joe@red.example']): Uint8Array =>
  groupDocument({ uri: alpha, name, members });

let room: Room;
let running: RunningFace;
const subscribers: Subscriber[] = [];

beforeEach(async () => {
  room = await openRoom();
  running = await runFace(room);
});

afterEach(async () => {
  for (const subscriber of subscribers.splice(0)) subscriber.close();
  await running.stop();
  await room.close();
  expect(running.logged.errors).toEqual([]);
});

afterAll(closeSchemas);

async function open(identity?: string): Promise<Subscriber> {
  const subscriber = await Subscriber.open(running.port, identity);
  subscribers.push(subscriber);
  return subscriber;
}

/** Starts the face again with other options, on the same port. */
async function restart(more: Partial<SipFaceOptions> = {}, at: Parameters<typeof runFace>[2] = {}): Promise<void> {
  const { port } = running;
  await running.stop();
  running = await runFace(room, more, { port, ...at });
}

async function put(bytes: Uint8Array): Promise<string> {
  return (await room.documents.put(administrator, key, bytes, {})).tag;
}

/** A subscriber whose first NOTIFY has come. */
async function subscribed(entries: readonly string[], identity?: string): Promise<[Subscriber, Received]> {
  const subscriber = await open(identity);
  expect((await subscriber.subscribe(entries)).status).toBe(200);
  return [subscriber, await subscriber.notify()];
}

const withInterval = (clients: number): Partial<SipFaceOptions> => ({
  settings: { minimumExpires: 60, maximumExpires: 86_400, minimumNotifyInterval: { servers: 0, partners: 0, clients } },
});

describe('RFC 5875 4.7: life of a subscription', () => {
  test('SUBSCRIBE, change, refresh, deletion, unsubscription', async () => {
    const tag1 = await put(document('one'));
    const subscriber = await open();
    const accepted = await subscriber.subscribe([sel]);
    expect(accepted.startLine).toBe('SIP/2.0 200 OK');
    expect(accepted.header('Expires')).toBe('600');
    expect(accepted.header('Contact')).toBe(`<sip:gms@127.0.0.1:${running.port};gr>`);
    expect(accepted.header('Allow-Events')).toBe('xcap-diff');

    const first = await subscriber.notify();
    expect(first.startLine).toBe(`NOTIFY sip:subscriber@127.0.0.1:${subscriber.port} SIP/2.0`);
    expect(first.header('Event')).toBe('xcap-diff');
    expect(first.header('Subscription-State')).toMatch(/^active;expires=(600|599)$/);
    expect(first.header('Contact')).toBe(`<sip:gms@127.0.0.1:${running.port};gr>`);
    expect(first.header('Content-Type')).toBe('application/xcap-diff+xml');
    expect(first.header('Call-ID')).toBe(subscriber.callId);
    expect(first.header('From')).toBe(accepted.header('To'));
    expect(first.header('To')).toBe('<sip:subscriber@red.example>;tag=from1');
    expect(first.body).toContain(`xcap-root="${xcapRoot}"`);
    expect(changesOf(first)).toEqual([`${sel} - ${tag1}`]);
    expect(running.face.subscriptions()).toMatchObject([
      { subscriber: 'sip:mcptt@red.example', role: 'server', resources: [sel] },
    ]);

    const tag2 = await put(document('two'));
    const second = await subscriber.notify();
    expect(changesOf(second)).toEqual([`${sel} ${tag1} ${tag2}`]);
    expect(second.cseq).toBe(first.cseq + 1);

    expect((await subscriber.subscribe(undefined, { Expires: '3600' })).header('Expires')).toBe('3600');
    const third = await subscriber.notify();
    expect(changesOf(third)).toEqual([`${sel} - ${tag2}`]);
    expect(third.header('Subscription-State')).toMatch(/^active;expires=(3600|3599)$/);

    await room.documents.delete(administrator, key, {});
    const fourth = await subscriber.notify();
    expect(changesOf(fourth)).toEqual([`${sel} ${tag2} -`]);

    expect((await subscriber.subscribe(undefined, { Expires: '0' })).header('Expires')).toBe('0');
    const last = await subscriber.notify();
    expect(last.header('Subscription-State')).toBe('terminated;reason=timeout');
    expect(last.cseq).toBe(first.cseq + 4);
    expect((await subscriber.subscribe(undefined)).status).toBe(481);
    expect(await room.store.subscriptions()).toEqual([]);
  });

  test('RFC 5875 A.2: a fetch is one NOTIFY with everything and terminated;reason=timeout', async () => {
    const tag = await put(document('one'));
    const subscriber = await open();
    expect((await subscriber.subscribe([sel], { Expires: '0' })).header('Expires')).toBe('0');
    const notify = await subscriber.notify();
    expect(notify.header('Subscription-State')).toBe('terminated;reason=timeout');
    expect(changesOf(notify)).toEqual([`${sel} - ${tag}`]);
    await subscriber.barrier();
    expect((await running.engine.counts()).dialogs).toBe(0);
  });

  test('RFC 5875 4.7: nothing there is an empty xcap-diff, and the entry waits', async () => {
    const [subscriber, first] = await subscribed([sel]);
    expect(first.body).toContain('<xcap-diff');
    expect(changesOf(first)).toEqual([]);
    const tag = await put(document('one'));
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} - ${tag}`]);
  });

  test('RFC 5875 4.7: one NOTIFY at a time; what changes meanwhile is told as one change', async () => {
    const tag1 = await put(document('one'));
    const subscriber = await open();
    subscriber.answer = '';
    await subscriber.subscribe([sel]);
    const first = await subscriber.notify();
    await put(document('two'));
    const tag3 = await put(document('three'));
    expect(subscriber.untaken).toBe(0);
    subscriber.answer = '200 OK';
    subscriber.respond(first, '200 OK');
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} ${tag1} ${tag3}`]);
  });

  test('RFC 5875 4.4: a refresh with a new list replaces the old one', async () => {
    await put(document('one'));
    const [subscriber] = await subscribed([sel]);
    const other = `${groups}/global/byGroupID/sip:beta@red.example`;
    expect((await subscriber.subscribe([other])).status).toBe(200);
    expect(changesOf(await subscriber.notify())).toEqual([]);
    await put(document('two'));
    const beta = homeKey('beta');
    const bytes = groupDocument({ uri: 'sip:beta@red.example', name: 'Beta' });
    const { tag } = await room.documents.put(administrator, beta, bytes, {});
    expect(changesOf(await subscriber.notify())).toEqual([`${other} - ${tag}`]);
  });

  test('an unchanged PUT causes no NOTIFY', async () => {
    await put(document('one'));
    const [subscriber] = await subscribed([sel]);
    await put(document('one'));
    const tag = await put(document('two'));
    expect(changesOf(await subscriber.notify())[0]).toMatch(new RegExp(`${tag}$`));
  });
});

describe('RFC 5875 4.6 and 4.1: resources', () => {
  test.each([
    `${groups}/global/byGroup/${alpha}`,
    `${groups}/global/byGroupID/sip%3Aalpha%40red.example`,
    `${groups}/users/sip:groups@red.example/alpha`,
    `${groups}/users/sip%3Agroups%40RED.example/alpha`,
  ])('sel repeats %s', async (entry) => {
    const tag1 = await put(document('one'));
    const [subscriber, first] = await subscribed([entry]);
    expect(changesOf(first)).toEqual([`${entry} - ${tag1}`]);
    const tag2 = await put(document('two'));
    expect(changesOf(await subscriber.notify())).toEqual([`${entry} ${tag1} ${tag2}`]);
  });

  test('RFC 5874 4: an absolute entry is told relative to the XCAP root', async () => {
    const tag = await put(document('one'));
    const [, first] = await subscribed([`${xcapRoot}${sel}`]);
    expect(changesOf(first)).toEqual([`${sel} - ${tag}`]);
  });

  test('both addresses of a home group are told with one tag', async () => {
    const tag = await put(document('one'));
    const place = `${groups}/users/sip:groups@red.example/alpha`;
    const [, first] = await subscribed([sel, place]);
    expect(changesOf(first)).toEqual([`${sel} - ${tag}`, `${place} - ${tag}`]);
  });

  test('RFC 5875 4.7: the collection byGroupID/ tells groups that are new, changed and gone, each once', async () => {
    const tag1 = await put(document('one'));
    const collection = `${groups}/global/byGroupID/`;
    const [subscriber, first] = await subscribed([collection, sel]);
    expect(changesOf(first)).toEqual([`${sel} - ${tag1}`]);

    const bytes = groupDocument({ uri: 'sip:beta gamma@red.example'.replace(' ', '%20'), name: 'Beta' });
    const { tag: beta } = await room.documents.put(administrator, homeKey('beta'), bytes, {});
    expect(changesOf(await subscriber.notify())).toEqual([`${collection}sip:beta%2520gamma@red.example - ${beta}`]);
    const tag2 = await put(document('two'));
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} ${tag1} ${tag2}`]);
    await room.documents.delete(administrator, homeKey('beta'), {});
    expect(changesOf(await subscriber.notify())).toEqual([`${collection}sip:beta%2520gamma@red.example ${beta} -`]);
  });

  test('a foreign group that arrives is told to whom waits for it', async () => {
    const foreign = 'sip:tg1@blue.example';
    const entry = `${groups}/global/byGroupID/${foreign}`;
    const [subscriber] = await subscribed([entry]);
    const source = groupDocument({ uri: foreign, name: 'Foreign' });
    const { servedTag } = await room.documents.putForeign(
      {
        groupId: foreign,
        partner: 'blue',
        source,
        served: source,
        policy: 'none',
        policyVersion: 1,
        appliedRules: [],
        actor: 'sip:gms@blue.example',
      },
      {},
    );
    expect(changesOf(await subscriber.notify())).toEqual([`${entry} - ${servedTag}`]);
    await room.documents.deleteForeign(foreign, 'sip:gms@blue.example', {});
    expect(changesOf(await subscriber.notify())).toEqual([`${entry} ${servedTag} -`]);
  });

  test('RFC 5875 4.4: entries of another root or grammar are left out of what is served', async () => {
    const tag = await put(document('one'));
    const [, first] = await subscribed(['http://elsewhere.example/a/global/b', 'no//entry', `${sel}/~~/group`, sel]);
    expect(changesOf(first)).toEqual([`${sel} - ${tag}`]);
  });
});

describe('RFC 5875 7: read rights', () => {
  test('a client is told of a group when it becomes a member and of its removal when it is one no more', async () => {
    await restart(withInterval(0));
    await put(document('one', ['sip:joe@red.example']));
    const [subscriber, first] = await subscribed([sel], 'sip:mia@red.example');
    expect(changesOf(first)).toEqual([]);

    await put(document('two', ['sip:joe@red.example', 'sip:mia@red.example']));
    const stored = await room.documents.findGroup(alpha);
    const view = (principal: Principal): string => (stored ? room.documents.view(principal, stored).tag : '');
    const seen = view(client('sip:mia@red.example'));
    expect(seen).not.toBe(view(administrator));
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} - ${seen}`]);

    await put(document('three', ['sip:joe@red.example']));
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} ${seen} -`]);
  });

  test('a client with the right to see members is told the tag of the whole document', async () => {
    const tag = await put(groupDocument({ uri: alpha, members: ['sip:joe@red.example'], rules: membersSeeMembers }));
    const [, first] = await subscribed([sel], 'sip:joe@red.example');
    expect(changesOf(first)).toEqual([`${sel} - ${tag}`]);
  });

  test('a change outside what the client sees causes no NOTIFY', async () => {
    await restart(withInterval(0));
    await put(document('one', ['sip:mia@red.example']));
    const [subscriber] = await subscribed([sel], 'sip:mia@red.example');
    await put(document('one', ['sip:mia@red.example', 'sip:joe@red.example']));
    await put(document('two', ['sip:mia@red.example']));
    const notify = await subscriber.notify();
    expect(subscriber.notifies).toHaveLength(2);
    expect(changesOf(notify)).toHaveLength(1);
  });

  test("another user's documents are 403", async () => {
    const subscriber = await open('sip:mia@red.example');
    expect((await subscriber.subscribe(['resource-lists/users/sip:joe@red.example/index'])).status).toBe(403);
  });
});

describe('RFC 6665 4.2.1 and RFC 5875 4: refusals', () => {
  test.each<[string, number, Record<string, string | undefined>, Record<string, string>]>([
    ['another event package', 489, { Event: 'presence' }, { 'Allow-Events': 'xcap-diff' }],
    ['no event package', 489, { Event: undefined }, { 'Allow-Events': 'xcap-diff' }],
    ['Accept without xcap-diff', 406, { Accept: 'application/pidf+xml' }, {}],
    [
      'another body type',
      415,
      { 'Content-Type': 'application/pidf+xml' },
      { Accept: expect.stringContaining('resource-lists') as never },
    ],
    ['a content coding', 415, { 'Content-Encoding': 'deflate' }, { 'Accept-Encoding': 'identity' }],
    ['a short duration', 423, { Expires: '30' }, { 'Min-Expires': '60' }],
    ['a broken duration', 400, { Expires: 'soon' }, {}],
    ['no Contact', 400, { Contact: undefined }, {}],
    ['a Contact that is no SIP URI', 400, { Contact: '<mailto:a@b.example>' }, {}],
    ['another Request-URI', 404, { 'Request-URI': 'sip:else@red.example' }, {}],
    ['an unknown extension', 420, { Require: 'eventlist' }, { Unsupported: 'eventlist' }],
    ['no credentials', 403, { 'P-Asserted-Identity': undefined }, {}],
    ['a dialog that is not there', 481, { To: '<sip:gms@red.example>;tag=gone' }, {}],
  ])('%s is %i', async (_, status, headers, expected) => {
    const subscriber = await open();
    const answer = await subscriber.subscribe([sel], headers);
    expect(answer.status).toBe(status);
    for (const [name, value] of Object.entries(expected)) expect(answer.header(name)).toEqual(value);
    expect(running.face.subscriptions()).toEqual([]);
    expect(await room.store.subscriptions()).toEqual([]);
  });

  test('RFC 5875 4.4: no body, no list, an empty list', async () => {
    const subscriber = await open();
    expect((await subscriber.subscribe(undefined)).status).toBe(400);
    expect((await subscriber.subscribe([])).status).toBe(400);
    expect((await subscriber.subscribe(undefined, { 'Content-Type': undefined }, '<a/>')).status).toBe(415);
    expect(
      (await subscriber.subscribe(undefined, { 'Content-Type': 'application/resource-lists+xml' }, '<a')).status,
    ).toBe(400);
  });

  test('none of the entries can ever be served: 403', async () => {
    const subscriber = await open();
    const answer = await subscriber.subscribe(['http://elsewhere.example/a/global/b', 'unknown-auid/global/index']);
    expect(answer.status).toBe(403);
    expect(answer.header('Warning')).toBe('399 red.example "forbidden: None of the resources can be served"');
  });

  test('TS 24.481 6.3.13.3: an access token that cannot be verified is 403 although an identity is asserted', async () => {
    const info =
      '<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><mcptt-access-token type="Normal"><mcpttString>e.y.J</mcpttString></mcptt-access-token></mcptt-Params></mcpttinfo>';
    const body = `--b\r\nContent-Type: application/vnd.3gpp.mcptt-info+xml\r\n\r\n${info}\r\n--b\r\nContent-Type: application/resource-lists+xml\r\n\r\n${resourceList([sel])}\r\n--b--\r\n`;
    const subscriber = await open();
    const answer = await subscriber.subscribe(undefined, { 'Content-Type': 'multipart/mixed;boundary=b' }, body);
    expect(answer.status).toBe(403);
  });

  test('RFC 6665 4.5.2: another Event id inside the dialog is refused, and the subscription goes on', async () => {
    const [subscriber] = await subscribed([sel]);
    expect((await subscriber.subscribe(undefined, { Event: 'xcap-diff;id=7' })).status).toBe(403);
    const { toTag } = subscriber;
    expect((await subscriber.subscribe(undefined, { To: `<sip:gms@red.example>;tag=${toTag}` })).status).toBe(200);
  });

  test('a refresh by somebody else is 403, a bare one from the same address is accepted', async () => {
    const [subscriber] = await subscribed([sel]);
    subscriber.identity = 'sip:joe@red.example';
    expect((await subscriber.subscribe(undefined)).status).toBe(403);
    subscriber.identity = undefined;
    expect((await subscriber.subscribe(undefined)).status).toBe(200);
  });

  test('RFC 3261 8.2.2.2: a second SUBSCRIBE of one Call-ID and From tag outside the dialog is 482', async () => {
    const [subscriber] = await subscribed([sel]);
    subscriber.toTag = '';
    expect((await subscriber.subscribe([sel])).status).toBe(482);
    expect(running.face.subscriptions()).toHaveLength(1);
  });
});

describe('RFC 6665: what is accepted', () => {
  test('RFC 3261 20.19: Expires beyond the maximum is shortened, absent it is an hour (RFC 5875 4.5)', async () => {
    const first = await open();
    expect((await first.subscribe([sel], { Expires: '4294967295' })).header('Expires')).toBe('86400');
    const second = await open();
    expect((await second.subscribe([sel], { Expires: undefined })).header('Expires')).toBe('3600');
  });

  test('compact header names, an Event id that NOTIFYs repeat, diff-processing as a hint', async () => {
    const subscriber = await open();
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
    const subscriber = await open();
    const answer = await subscriber.subscribe([sel], { 'Request-URI': `sip:gms@127.0.0.1:${running.port}` });
    expect(answer.status).toBe(200);
  });

  test('RFC 3261 11.2: OPTIONS tells methods, types and event packages', async () => {
    const subscriber = await open();
    const answer = await subscriber.request('OPTIONS');
    expect(answer.status).toBe(200);
    expect(answer.header('Allow')).toBe('SUBSCRIBE, OPTIONS');
    expect(answer.header('Allow-Events')).toBe('xcap-diff');
    expect(answer.header('Accept')).toContain('application/resource-lists+xml');
    expect((await subscriber.request('OPTIONS', { 'Request-URI': 'sip:else@red.example' })).status).toBe(404);
  });

  test('other methods are 405', async () => {
    const subscriber = await open();
    expect((await subscriber.request('MESSAGE')).status).toBe(405);
  });
});

describe('RFC 6665 4.2.2: answers to NOTIFY', () => {
  test('481 removes the subscription, and its row', async () => {
    const subscriber = await open();
    subscriber.answer = '481 Gone';
    await subscriber.subscribe([sel]);
    await subscriber.notify();
    await subscriber.barrier();
    expect((await subscriber.subscribe(undefined)).status).toBe(481);
    expect(running.face.subscriptions()).toEqual([]);
    expect(await room.store.subscriptions()).toEqual([]);
  });

  test('no answer until Timer F removes the subscription', async () => {
    await restart({}, { t1: 10 });
    const subscriber = await open();
    subscriber.answer = '';
    await subscriber.subscribe([sel]);
    await subscriber.notify();
    expect(running.face.subscriptions()).toHaveLength(1);
    await eventually(() => running.face.subscriptions().length === 0);
  });

  test('500 keeps the subscription; what was refused is told again', async () => {
    const tag = await put(document('one'));
    const subscriber = await open();
    subscriber.answer = '503 Busy\r\nRetry-After: 1';
    await subscriber.subscribe([sel]);
    await subscriber.notify();
    subscriber.answer = '200 OK';
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} - ${tag}`]);
  });
});

describe('flow B', () => {
  test('TS 23.280 10.2.7: a foreign group that an own MC service server names is asked of its home', async () => {
    const asked: string[] = [];
    await restart({
      interconnect: {
        group: (principal, groupId) => {
          asked.push(`${principal.role} ${groupId}`);
          return Promise.reject(new Refusal('partner-unreachable'));
        },
      },
    });
    const foreign = `${groups}/global/byGroupID/sip:tg1@blue.example`;
    await subscribed([foreign, sel]);
    await subscribed([foreign], 'sip:joe@red.example');
    expect(asked).toEqual(['server sip:tg1@blue.example']);
  });
});

describe('subscriptions survive a restart', () => {
  /** Stops without a word, lets `meanwhile` happen, starts again. */
  async function crash(meanwhile: () => Promise<unknown>, at: Parameters<typeof runFace>[2] = {}): Promise<void> {
    const { port } = running;
    await running.stop();
    await meanwhile();
    running = await runFace(room, {}, { port, ...at });
  }

  test('RFC 3261 12.2.1.1: dialog, tags and list go on, CSeq never goes back; what changed meanwhile is told once', async () => {
    const tag1 = await put(document('one'));
    const [subscriber, first] = await subscribed([sel]);
    await subscriber.barrier();
    await crash(() => put(document('two')));
    const second = await subscriber.notify();
    expect(changesOf(second)[0]).toMatch(new RegExp(`^${sel} ${tag1} `));
    expect(second.cseq).toBeGreaterThan(first.cseq);
    expect(second.header('From')).toBe(first.header('From'));
    expect(second.header('Call-ID')).toBe(first.header('Call-ID'));
    expect(second.header('Contact')).toBe(first.header('Contact'));

    expect((await subscriber.subscribe(undefined)).status).toBe(200);
    const third = await subscriber.notify();
    expect(third.cseq).toBe(second.cseq + 1);
    await subscriber.barrier();
    await crash(() => room.documents.delete(administrator, key, {}));
    const fourth = await subscriber.notify();
    expect(fourth.cseq).toBeGreaterThan(third.cseq);
    expect(changesOf(fourth)[0]).toMatch(/ -$/);
  });

  test('what did not change is not told again', async () => {
    await put(document('one'));
    const [subscriber] = await subscribed([sel]);
    await subscriber.barrier();
    await crash(() => Promise.resolve());
    const tag = await put(document('two'));
    expect(changesOf(await subscriber.notify())[0]).toMatch(new RegExp(`${tag}$`));
    expect(subscriber.notifies).toHaveLength(2);
  });

  test('a full state that was not acknowledged is told after the restart', async () => {
    const tag = await put(document('one'));
    const subscriber = await open();
    subscriber.answer = '';
    await subscriber.subscribe([sel]);
    await subscriber.notify();
    await crash(() => Promise.resolve());
    subscriber.answer = '200 OK';
    const again = await subscriber.next((message) => message.method === 'NOTIFY');
    expect(changesOf(again)).toEqual([`${sel} - ${tag}`]);
  });

  test('members of a collection that came and went while nobody listened', async () => {
    const tag = await put(document('one'));
    const collection = `${groups}/global/byGroupID/`;
    const [subscriber] = await subscribed([collection]);
    await subscriber.barrier();
    const beta = homeKey('beta');
    await crash(async () => {
      await room.documents.delete(administrator, key, {});
      await room.documents.put(administrator, beta, groupDocument({ uri: 'sip:beta@red.example' }), {});
    });
    const changes = changesOf(await subscriber.notify());
    expect(changes).toHaveLength(2);
    expect(changes).toContain(`${collection}${alpha} ${tag} -`);
    expect(changes.find((change) => change.startsWith(`${collection}sip:beta@red.example - `))).toBeDefined();
  });

  test('a subscription that expired meanwhile is forgotten', async () => {
    const [subscriber] = await subscribed([sel]);
    await subscriber.barrier();
    await crash(async () => {
      const [row] = await room.store.subscriptions();
      if (row === undefined) throw new Error('no row');
      await room.store.commit({ subscriptions: [{ write: 'put', subscription: { ...row, expires: 1 } }] });
    });
    expect(running.face.subscriptions()).toEqual([]);
    expect(await room.store.subscriptions()).toEqual([]);
    expect((await subscriber.subscribe(undefined)).status).toBe(481);
  });

  test('with an engine that cannot resume dialogs the rows are dropped', async () => {
    const [subscriber] = await subscribed([sel]);
    await subscriber.barrier();
    await crash(() => Promise.resolve(), { resumesDialogs: false });
    expect(running.face.subscriptions()).toEqual([]);
    expect(await room.store.subscriptions()).toEqual([]);
  });

  test('RFC 6665 4.1.3: a stop with deactivation ends them with reason=deactivated', async () => {
    const [subscriber] = await subscribed([sel]);
    await running.face.close({ deactivate: true });
    const last = await subscriber.notify();
    expect(last.header('Subscription-State')).toBe('terminated;reason=deactivated');
    expect(await room.store.subscriptions()).toEqual([]);
    await restart();
  });
});

describe('RFC 6665 4.2.1.4: expiry', () => {
  test('an expired subscription is ended with terminated;reason=timeout', async () => {
    await restart({
      settings: {
        minimumExpires: 0,
        maximumExpires: 86_400,
        minimumNotifyInterval: { servers: 0, partners: 0, clients: 5 },
      },
    });
    const subscriber = await open();
    await subscriber.subscribe([sel], { Expires: '1' });
    await subscriber.notify();
    expect((await subscriber.notify()).header('Subscription-State')).toBe('terminated;reason=timeout');
  });
});

describe('what does not fit one NOTIFY', () => {
  test('the initial state goes out as several NOTIFYs, each after the answer to the one before', async () => {
    const collection = `${groups}/global/byGroupID/`;
    const ids = Array.from({ length: 30 }, (_, number) => `sip:g${number}@red.example`);
    for (const uri of ids) await room.documents.put(administrator, homeKey(uri.slice(4)), groupDocument({ uri }), {});
    await restart({}, { largestFrame: 4_000 });
    const [subscriber, first] = await subscribed([collection]);
    const told = [...changesOf(first)];
    while (told.length < ids.length) {
      const more = await subscriber.notify();
      expect(more.body.length).toBeLessThan(2_000);
      told.push(...changesOf(more));
    }
    expect(subscriber.notifies.length).toBeGreaterThan(1);
    expect(told.map((change) => change.split(' ')[0]).sort()).toEqual(ids.map((id) => collection + id).sort());
  });
});

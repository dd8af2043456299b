import { describe, expect, test } from '@jest/globals';
import { administrator, client, groupDocument, homeKey, membersSeeMembers } from '../documents/documents.testkit.ts';
import type { Principal } from '../identity/principal.ts';
import { changesOf, groups, xcapRoot } from './face.testkit.ts';
import { alpha, document, faceRoom, key, sel, withInterval } from './face-room.testkit.ts';

const at = faceRoom();

describe('RFC 5875 4.7: life of a subscription', () => {
  test('SUBSCRIBE, change, refresh, deletion, unsubscription', async () => {
    const tag1 = await at.put(document('one'));
    const subscriber = await at.open();
    const accepted = await subscriber.subscribe([sel]);
    expect(accepted.startLine).toBe('SIP/2.0 200 OK');
    expect(accepted.header('Expires')).toBe('600');
    expect(accepted.header('Contact')).toBe(`<sip:gms@127.0.0.1:${at.running.port};gr>`);
    expect(accepted.header('Allow-Events')).toBe('xcap-diff');

    const first = await subscriber.notify();
    expect(first.startLine).toBe(`NOTIFY sip:subscriber@127.0.0.1:${subscriber.port} SIP/2.0`);
    expect(first.header('Event')).toBe('xcap-diff');
    expect(first.header('Subscription-State')).toMatch(/^active;expires=(600|599)$/);
    expect(first.header('Contact')).toBe(`<sip:gms@127.0.0.1:${at.running.port};gr>`);
    expect(first.header('Content-Type')).toBe('application/xcap-diff+xml');
    expect(first.header('Call-ID')).toBe(subscriber.callId);
    expect(first.header('From')).toBe(accepted.header('To'));
    expect(first.header('To')).toBe('<sip:subscriber@red.example>;tag=from1');
    expect(first.body).toContain(`xcap-root="${xcapRoot}"`);
    expect(changesOf(first)).toEqual([`${sel} - ${tag1}`]);
    expect(at.running.face.subscriptions()).toMatchObject([
      { subscriber: 'sip:mcptt@red.example', role: 'server', resources: [sel] },
    ]);

    const tag2 = await at.put(document('two'));
    const second = await subscriber.notify();
    expect(changesOf(second)).toEqual([`${sel} ${tag1} ${tag2}`]);
    expect(second.cseq).toBe(first.cseq + 1);

    expect((await subscriber.subscribe(undefined, { Expires: '3600' })).header('Expires')).toBe('3600');
    const third = await subscriber.notify();
    expect(changesOf(third)).toEqual([`${sel} - ${tag2}`]);
    expect(third.header('Subscription-State')).toMatch(/^active;expires=(3600|3599)$/);

    await at.room.documents.delete(administrator, key, {});
    const fourth = await subscriber.notify();
    expect(changesOf(fourth)).toEqual([`${sel} ${tag2} -`]);

    expect((await subscriber.subscribe(undefined, { Expires: '0' })).header('Expires')).toBe('0');
    const last = await subscriber.notify();
    expect(last.header('Subscription-State')).toBe('terminated;reason=timeout');
    expect(last.cseq).toBe(first.cseq + 4);
    expect((await subscriber.subscribe(undefined)).status).toBe(481);
    expect(await at.room.store.subscriptions()).toEqual([]);
  });

  test('RFC 5875 A.2: a fetch is one NOTIFY with everything and terminated;reason=timeout', async () => {
    const tag = await at.put(document('one'));
    const subscriber = await at.open();
    expect((await subscriber.subscribe([sel], { Expires: '0' })).header('Expires')).toBe('0');
    const notify = await subscriber.notify();
    expect(notify.header('Subscription-State')).toBe('terminated;reason=timeout');
    expect(changesOf(notify)).toEqual([`${sel} - ${tag}`]);
    await subscriber.barrier();
    if (at.running.engine !== undefined) expect((await at.running.engine.counts()).dialogs).toBe(0);
  });

  test('RFC 5875 4.7: nothing there is an empty xcap-diff, and the entry waits', async () => {
    const [subscriber, first] = await at.subscribed([sel]);
    expect(first.body).toContain('<xcap-diff');
    expect(changesOf(first)).toEqual([]);
    const tag = await at.put(document('one'));
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} - ${tag}`]);
  });

  test('RFC 5875 4.7: one NOTIFY at a time; what changes meanwhile is told as one change', async () => {
    const tag1 = await at.put(document('one'));
    const subscriber = await at.open();
    subscriber.answer = '';
    await subscriber.subscribe([sel]);
    const first = await subscriber.notify();
    await at.put(document('two'));
    const tag3 = await at.put(document('three'));
    expect(subscriber.untaken).toBe(0);
    subscriber.answer = '200 OK';
    subscriber.respond(first, '200 OK');
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} ${tag1} ${tag3}`]);
  });

  test('RFC 5875 4.4: a refresh with a new list replaces the old one', async () => {
    await at.put(document('one'));
    const [subscriber] = await at.subscribed([sel]);
    const other = `${groups}/global/byGroupID/sip:beta@red.example`;
    expect((await subscriber.subscribe([other])).status).toBe(200);
    expect(changesOf(await subscriber.notify())).toEqual([]);
    await at.put(document('two'));
    const beta = homeKey('beta');
    const bytes = groupDocument({ uri: 'sip:beta@red.example', name: 'Beta' });
    const { tag } = await at.room.documents.put(administrator, beta, bytes, {});
    expect(changesOf(await subscriber.notify())).toEqual([`${other} - ${tag}`]);
  });

  test('an unchanged PUT causes no NOTIFY', async () => {
    await at.put(document('one'));
    const [subscriber] = await at.subscribed([sel]);
    await at.put(document('one'));
    const tag = await at.put(document('two'));
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
    const tag1 = await at.put(document('one'));
    const [subscriber, first] = await at.subscribed([entry]);
    expect(changesOf(first)).toEqual([`${entry} - ${tag1}`]);
    const tag2 = await at.put(document('two'));
    expect(changesOf(await subscriber.notify())).toEqual([`${entry} ${tag1} ${tag2}`]);
  });

  test('RFC 5874 4: an absolute entry is told relative to the XCAP root', async () => {
    const tag = await at.put(document('one'));
    const [, first] = await at.subscribed([`${xcapRoot}${sel}`]);
    expect(changesOf(first)).toEqual([`${sel} - ${tag}`]);
  });

  test('both addresses of a home group are told with one tag', async () => {
    const tag = await at.put(document('one'));
    const place = `${groups}/users/sip:groups@red.example/alpha`;
    const [, first] = await at.subscribed([sel, place]);
    expect(changesOf(first)).toEqual([`${sel} - ${tag}`, `${place} - ${tag}`]);
  });

  test('RFC 5875 4.7: the collection byGroupID/ tells groups that are new, changed and gone, each once', async () => {
    const tag1 = await at.put(document('one'));
    const collection = `${groups}/global/byGroupID/`;
    const [subscriber, first] = await at.subscribed([collection, sel]);
    expect(changesOf(first)).toEqual([`${sel} - ${tag1}`]);

    const bytes = groupDocument({ uri: 'sip:beta gamma@red.example'.replace(' ', '%20'), name: 'Beta' });
    const { tag: beta } = await at.room.documents.put(administrator, homeKey('beta'), bytes, {});
    expect(changesOf(await subscriber.notify())).toEqual([`${collection}sip:beta%2520gamma@red.example - ${beta}`]);
    const tag2 = await at.put(document('two'));
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} ${tag1} ${tag2}`]);
    await at.room.documents.delete(administrator, homeKey('beta'), {});
    expect(changesOf(await subscriber.notify())).toEqual([`${collection}sip:beta%2520gamma@red.example ${beta} -`]);
  });

  test('a foreign group that arrives is told to whom waits for it', async () => {
    const foreign = 'sip:tg1@blue.example';
    const entry = `${groups}/global/byGroupID/${foreign}`;
    const [subscriber] = await at.subscribed([entry]);
    const source = groupDocument({ uri: foreign, name: 'Foreign' });
    const { servedTag } = await at.room.documents.putForeign(
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
    await at.room.documents.deleteForeign(foreign, 'sip:gms@blue.example', {});
    expect(changesOf(await subscriber.notify())).toEqual([`${entry} ${servedTag} -`]);
  });

  test('RFC 5875 4.4: entries of another root or grammar are left out of what is served', async () => {
    const tag = await at.put(document('one'));
    const [, first] = await at.subscribed(['http://elsewhere.example/a/global/b', 'no//entry', `${sel}/~~/group`, sel]);
    expect(changesOf(first)).toEqual([`${sel} - ${tag}`]);
  });
});

describe('RFC 5875 7: read rights', () => {
  test('a client is told of a group when it becomes a member and of its removal when it is one no more', async () => {
    await at.restart(withInterval(0));
    await at.put(document('one', ['sip:joe@red.example']));
    const [subscriber, first] = await at.subscribed([sel], 'sip:mia@red.example');
    expect(changesOf(first)).toEqual([]);

    await at.put(document('two', ['sip:joe@red.example', 'sip:mia@red.example']));
    const stored = await at.room.documents.findGroup(alpha);
    const view = (principal: Principal): string => (stored ? at.room.documents.view(principal, stored).tag : '');
    const seen = view(client('sip:mia@red.example'));
    expect(seen).not.toBe(view(administrator));
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} - ${seen}`]);

    await at.put(document('three', ['sip:joe@red.example']));
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} ${seen} -`]);
  });

  test('a client with the right to see members is told the tag of the whole document', async () => {
    const tag = await at.put(groupDocument({ uri: alpha, members: ['sip:joe@red.example'], rules: membersSeeMembers }));
    const [, first] = await at.subscribed([sel], 'sip:joe@red.example');
    expect(changesOf(first)).toEqual([`${sel} - ${tag}`]);
  });

  test('a change outside what the client sees causes no NOTIFY', async () => {
    await at.restart(withInterval(0));
    await at.put(document('one', ['sip:mia@red.example']));
    const [subscriber] = await at.subscribed([sel], 'sip:mia@red.example');
    await at.put(document('one', ['sip:mia@red.example', 'sip:joe@red.example']));
    await at.put(document('two', ['sip:mia@red.example']));
    const notify = await subscriber.notify();
    expect(subscriber.notifies).toHaveLength(2);
    expect(changesOf(notify)).toHaveLength(1);
  });

  test('rights are looked at for each entry: what may not be read is left out, and told when it may be', async () => {
    await at.restart(withInterval(0));
    const beta = 'sip:beta@red.example';
    const other = `${groups}/global/byGroupID/${beta}`;
    const put = (...members: readonly string[]): Promise<unknown> =>
      at.room.documents.put(administrator, homeKey('beta'), groupDocument({ uri: beta, members }), {});
    await at.put(document('one', ['sip:mia@red.example']));
    await put('sip:joe@red.example');
    const [subscriber, first] = await at.subscribed([other, sel], 'sip:mia@red.example');
    expect(changesOf(first)).toEqual([expect.stringMatching(new RegExp(`^${sel} - \\S{2,}$`))]);
    expect(first.body).not.toContain('beta');
    await put('sip:joe@red.example', 'sip:mia@red.example');
    expect(changesOf(await subscriber.notify())).toEqual([expect.stringMatching(new RegExp(`^${other} - \\S{2,}$`))]);
  });

  test("another user's documents are 403", async () => {
    const subscriber = await at.open('sip:mia@red.example');
    expect((await subscriber.subscribe(['resource-lists/users/sip:joe@red.example/index'])).status).toBe(403);
  });
});

describe('what does not fit one NOTIFY', () => {
  test('the initial state goes out as several NOTIFYs, each after the answer to the one before', async () => {
    const collection = `${groups}/global/byGroupID/`;
    const ids = Array.from({ length: 30 }, (_, number) => `sip:g${number}@red.example`);
    for (const uri of ids)
      await at.room.documents.put(administrator, homeKey(uri.slice(4)), groupDocument({ uri }), {});
    await at.restart({}, { largestFrame: 4_000 });
    const [subscriber, first] = await at.subscribed([collection]);
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

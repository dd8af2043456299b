// What subscribers may ask of their subscriptions: conditions (RFC 5839), rates (RFC 6446), compressed lists (RFC 3261 clause 20.12).
import { deflateRawSync, deflateSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { administrator, groupDocument, homeKey } from '../documents/documents.testkit.ts';
import { changesOf, eventually, groups, resourceList } from './face.testkit.ts';
import { document, faceRoom, sel, testOnOwnEngine, withInterval } from './face-room.testkit.ts';

const at = faceRoom();
const missing = sel.replace('alpha', 'missing');

describe('RFC 5839: conditional subscriptions', () => {
  test('6.3: a refresh with the tag of the last NOTIFY is 204, extends the subscription, and no NOTIFY follows', async () => {
    await at.put(document('one'));
    const [subscriber, first] = await at.subscribed([sel]);
    const tag = first.header('SIP-ETag') ?? '';
    expect(tag).toMatch(/^[0-9a-f]{24}$/);
    await subscriber.barrier();
    const refreshed = await subscriber.subscribe([sel], { 'Suppress-If-Match': tag, Expires: '1800' });
    expect(refreshed.startLine).toBe('SIP/2.0 204 No Notification');
    expect(refreshed.header('Expires')).toBe('1800');
    await subscriber.barrier();
    expect(subscriber.untaken).toBe(0);
    const [{ expires } = { expires: '' }] = at.running.face.subscriptions();
    expect(Date.parse(expires) - Date.now()).toBeGreaterThan(1_700_000);
    if (at.running.engine !== undefined) expect((await at.running.engine.counts()).dialogs).toBe(1);
    // A change afterwards is told against what was known, with a tag of its own.
    await at.put(document('two'));
    const second = await subscriber.notify();
    expect(changesOf(second)[0]).toMatch(/ \S{2,} \S{2,}$/);
    expect(second.header('SIP-ETag')).not.toBe(tag);
    expect((await subscriber.subscribe(undefined, { 'Suppress-If-Match': tag })).status).toBe(200);
    expect(changesOf(await subscriber.notify())).toHaveLength(1);
  });

  test('RFC 5875 4.7: the order of the URIs does not matter, another set is another state', async () => {
    await at.put(document('one'));
    const [subscriber, first] = await at.subscribed([sel, missing]);
    const condition = { 'Suppress-If-Match': first.header('SIP-ETag') };
    await subscriber.barrier();
    expect((await subscriber.subscribe([missing, sel], condition)).status).toBe(204);
    expect((await subscriber.subscribe([sel], condition)).status).toBe(200);
    expect(changesOf(await subscriber.notify())).toHaveLength(1);
  });

  test('6.3: * is always true; an end that it suppresses has no NOTIFY', async () => {
    await at.put(document('one'));
    const [subscriber] = await at.subscribed([sel]);
    await subscriber.barrier();
    const last = await subscriber.subscribe(undefined, { 'Suppress-If-Match': '*', Expires: '0' });
    expect([last.status, last.header('Expires')]).toEqual([204, '0']);
    await subscriber.barrier();
    expect(subscriber.untaken).toBe(0);
    expect(at.running.face.subscriptionCount).toBe(0);
    expect((await subscriber.subscribe(undefined)).status).toBe(481);
  });

  test('5.5: who comes back with the tag of the state gets a first NOTIFY without body', async () => {
    await at.put(document('one'));
    const [, before] = await at.subscribed([sel]);
    const tag = before.header('SIP-ETag');
    const subscriber = await at.open();
    expect((await subscriber.subscribe([sel], { 'Suppress-If-Match': tag })).status).toBe(200);
    const first = await subscriber.notify();
    expect([first.body, first.header('SIP-ETag'), first.header('Content-Type')]).toEqual(['', tag, undefined]);
    const second = await at.put(document('two'));
    expect(changesOf(await subscriber.notify())).toEqual([expect.stringMatching(new RegExp(` \\S{2,} ${second}$`))]);
    const other = await at.open();
    await other.subscribe([sel], { 'Suppress-If-Match': tag });
    expect(changesOf(await other.notify())).toHaveLength(1);
  });
});

describe('RFC 5839 5.2: a subscription that is quenched with *', () => {
  test('the first NOTIFY has no body but the tag; nothing follows until another SUBSCRIBE, which tells everything', async () => {
    await at.put(document('one'));
    const [, normal] = await at.subscribed([sel]);
    const subscriber = await at.open();
    expect((await subscriber.subscribe([sel], { 'Suppress-If-Match': '*' })).status).toBe(200);
    const first = await subscriber.notify();
    expect([first.body, first.header('Content-Type'), first.header('SIP-ETag')]).toEqual([
      '',
      undefined,
      normal.header('SIP-ETag'),
    ]);
    await at.put(document('two'));
    const tag = await at.put(document('three'));
    await subscriber.barrier();
    expect(subscriber.untaken).toBe(0);
    expect((await subscriber.subscribe(undefined)).status).toBe(200);
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} - ${tag}`]);
    const next = await at.put(document('four'));
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} ${tag} ${next}`]);
  });

  // An engine that runs on is asked by a NOTIFY whether it still has the dialog
  testOnOwnEngine('6.3: in a dialog it is 204 whatever the list says, and a restart does not wake it', async () => {
    await at.put(document('one'));
    const [subscriber, first] = await at.subscribed([sel]);
    await subscriber.barrier();
    expect((await subscriber.subscribe([missing, sel], { 'Suppress-If-Match': '*' })).status).toBe(204);
    await at.put(document('two'));
    await subscriber.barrier();
    await at.restart({}, {}, () => at.put(document('three')));
    await subscriber.barrier();
    expect(subscriber.untaken).toBe(0);
    // The tag of a state that is not the current one is no match any more: everything is told.
    const condition = { 'Suppress-If-Match': first.header('SIP-ETag') };
    expect((await subscriber.subscribe(undefined, condition)).status).toBe(200);
    expect(changesOf(await subscriber.notify())).toHaveLength(1);
  });

  test('6.2: its end is told without body', async () => {
    await at.put(document('one'));
    const subscriber = await at.open();
    await subscriber.subscribe([sel], { 'Suppress-If-Match': '*' });
    const first = await subscriber.notify();
    await subscriber.barrier();
    await at.running.face.close({ deactivate: true });
    const last = await subscriber.notify();
    expect(last.header('Subscription-State')).toBe('terminated;reason=deactivated');
    expect([last.body, last.header('SIP-ETag')]).toEqual(['', first.header('SIP-ETag')]);
    await at.restart();
  });
});

describe('RFC 5839: more of conditions', () => {
  test('5.4: polling: a fetch with the tag of the state has no body', async () => {
    await at.put(document('one'));
    const [, before] = await at.subscribed([sel]);
    const condition = { 'Suppress-If-Match': before.header('SIP-ETag'), Expires: '0' };
    const poll = await at.open();
    expect((await poll.subscribe([sel], condition)).status).toBe(200);
    const same = await poll.notify();
    expect([same.body, same.header('SIP-ETag')]).toEqual(['', before.header('SIP-ETag')]);
    expect(same.header('Subscription-State')).toBe('terminated;reason=timeout');
    await at.put(document('two'));
    const later = await at.open();
    await later.subscribe([sel], condition);
    expect(changesOf(await later.notify())).toHaveLength(1);
  });

  test('5.2: the tag of nothing known is a condition that does not hold: 200 and the whole state, never 412', async () => {
    await at.put(document('one'));
    const [subscriber] = await at.subscribed([sel]);
    await subscriber.barrier();
    expect((await subscriber.subscribe(undefined, { 'Suppress-If-Match': 'unknown' })).status).toBe(200);
    expect(changesOf(await subscriber.notify())).toHaveLength(1);
    const other = await at.open();
    expect((await other.subscribe([sel], { 'Suppress-If-Match': 'unknown' })).status).toBe(200);
    expect(changesOf(await other.notify())).toHaveLength(1);
  });

  test('5.7: an end with the tag of the state is 204 without NOTIFY', async () => {
    const [subscriber, first] = await at.subscribed([sel]);
    await subscriber.barrier();
    const condition = { 'Suppress-If-Match': first.header('SIP-ETag'), Expires: '0' };
    expect((await subscriber.subscribe(undefined, condition)).status).toBe(204);
    await eventually(() => at.running.face.subscriptionCount === 0);
    expect(subscriber.untaken).toBe(0);
  });

  test('6.1: a state of 2,500 resources has a tag, which follows each change and is known again', async () => {
    const collection = `${groups}/global/byGroupID/`;
    const put = (number: number, name: string): Promise<unknown> =>
      at.room.documents.put(
        administrator,
        homeKey(`g${number}`),
        groupDocument({ uri: `sip:g${number}@red.example`, name }),
        {},
      );
    for (let from = 0; from < 2_500; from += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, number) => put(from + number, 'one')));
    }
    const subscriber = await at.open();
    await subscriber.subscribe([collection]);
    let told = 0;
    let last = await subscriber.notify();
    for (told = changesOf(last).length; told < 2_500; told += changesOf(last).length) {
      expect(last.header('SIP-ETag')).toBeUndefined();
      last = await subscriber.notify();
    }
    const tag = last.header('SIP-ETag');
    expect(tag).toMatch(/^[0-9a-f]{24}$/);
    await subscriber.barrier();
    expect((await subscriber.subscribe(undefined, { 'Suppress-If-Match': tag })).status).toBe(204);
    await put(7, 'two');
    const changed = await subscriber.notify();
    expect(changed.header('SIP-ETag')).not.toBe(tag);
    await put(7, 'one');
    const back = await subscriber.notify();
    expect(back.header('SIP-ETag')).toBe(tag);
    // Another subscriber comes back with it: one NOTIFY without body, however many the state would take.
    const other = await at.open();
    await other.subscribe([collection], { 'Suppress-If-Match': tag });
    const first = await other.notify();
    expect([first.body, first.header('SIP-ETag')]).toEqual(['', tag]);
  }, 60_000);
});

describe('RFC 6446 4.1: rates in the 200 to a NOTIFY', () => {
  test('they replace those of the SUBSCRIBE, are told back, and are taken away by an Event without any', async () => {
    await at.restart(withInterval(0));
    await at.put(document('one'));
    const subscriber = await at.open();
    subscriber.answer = '';
    await subscriber.subscribe([sel], { Event: 'xcap-diff;max-rate=20' });
    const first = await subscriber.notify();
    expect(first.header('Subscription-State')).toMatch(/;max-rate=20$/);
    subscriber.respond(first, '200 OK', 'Event: xcap-diff;max-rate=5;id=ignored\r\n');
    await subscriber.barrier();
    await at.put(document('two'));
    const second = await subscriber.notify();
    expect(second.header('Subscription-State')).toMatch(/;max-rate=5$/);
    subscriber.respond(second, '200 OK', 'Event: xcap-diff\r\n');
    await subscriber.barrier();
    await at.put(document('three'));
    const third = await subscriber.notify();
    expect(third.header('Subscription-State')).toMatch(/^active;expires=\d+$/);
    // 4.1: the last SUBSCRIBE had rates, so that an answer may bring them back; without an Event nothing changes
    subscriber.respond(third, '200 OK', 'Event: xcap-diff;max-rate=10\r\n');
    await subscriber.barrier();
    await at.put(document('four'));
    const fourth = await subscriber.notify();
    expect(fourth.header('Subscription-State')).toMatch(/;max-rate=10$/);
    subscriber.respond(fourth, '200 OK');
    await subscriber.barrier();
    await at.put(document('five'));
    expect((await subscriber.notify()).header('Subscription-State')).toMatch(/;max-rate=10$/);
  });

  test('where the last SUBSCRIBE had none, or the type is another, they count for nothing', async () => {
    await at.restart(withInterval(0));
    const subscriber = await at.open();
    subscriber.answer = '';
    await subscriber.subscribe([sel]);
    subscriber.respond(await subscriber.notify(), '200 OK', 'Event: xcap-diff;max-rate=5\r\n');
    await subscriber.barrier();
    await at.put(document('one'));
    const second = await subscriber.notify();
    expect(second.header('Subscription-State')).toMatch(/^active;expires=\d+$/);
    subscriber.respond(second, '200 OK');
    await subscriber.subscribe(undefined, { Event: 'xcap-diff;max-rate=8' });
    subscriber.respond(await subscriber.notify(), '200 OK', 'Event: presence;max-rate=5\r\n');
    await subscriber.barrier();
    await at.put(document('two'));
    expect((await subscriber.notify()).header('Subscription-State')).toMatch(/;max-rate=8$/);
  });
});

describe('RFC 6446: rates', () => {
  test('5.2: max-rate is told back and keeps NOTIFYs apart', async () => {
    await at.restart(withInterval(0));
    await at.put(document('one'));
    const subscriber = await at.open();
    await subscriber.subscribe([sel], { Event: 'xcap-diff;max-rate=4' });
    const first = await subscriber.notify();
    const sent = Date.now();
    expect(first.header('Subscription-State')).toMatch(/^active;expires=\d+;max-rate=4$/);
    await at.put(document('two'));
    await at.put(document('three'));
    const second = await subscriber.notify();
    expect(Date.now() - sent).toBeGreaterThanOrEqual(200);
    expect(changesOf(second)).toHaveLength(1);
    // 4.1: a SUBSCRIBE without it takes it away
    await subscriber.subscribe(undefined);
    expect((await subscriber.notify()).header('Subscription-State')).toMatch(/^active;expires=\d+$/);
  });

  test('a rate above ours becomes ours, one that would tell nothing becomes one NOTIFY in the whole time', async () => {
    const subscriber = await at.open('sip:joe@red.example');
    await subscriber.subscribe([sel], { Event: 'xcap-diff;max-rate=50' });
    expect((await subscriber.notify()).header('Subscription-State')).toMatch(/;max-rate=0\.2$/);
    await subscriber.subscribe(undefined, { Event: 'xcap-diff;max-rate=0.0001' });
    expect((await subscriber.notify()).header('Subscription-State')).toMatch(/;max-rate=0\.00166/);
  });

  test('6.3, 7.3: min-rate and adaptive-min-rate are told back, never above one in five seconds', async () => {
    const subscriber = await at.open();
    await subscriber.subscribe([sel], { Event: 'xcap-diff;min-rate=0.01;adaptive-min-rate=2' });
    const state = (await subscriber.notify()).header('Subscription-State');
    expect(state).toMatch(/^active;expires=\d+;min-rate=0\.01;adaptive-min-rate=0\.2$/);
  });

  test.each(['max-rate=0', 'min-rate=fast', 'max-rate=100', 'adaptive-min-rate=1.'])('9.2: %s is 400', async (rate) => {
    const subscriber = await at.open();
    expect((await subscriber.subscribe([sel], { Event: `xcap-diff;${rate}` })).status).toBe(400);
  });
});

describe('RFC 3261 20.12: Content-Encoding', () => {
  test.each([
    ['zlib', deflateSync],
    ['bare deflate', deflateRawSync],
  ])('a list in %s is inflated', async (_what, deflate) => {
    await at.put(document('one'));
    const subscriber = await at.open();
    const body = deflate(resourceList([sel]));
    expect((await subscriber.subscribe(undefined, { 'Content-Encoding': 'deflate' }, body)).status).toBe(200);
    expect(changesOf(await subscriber.notify())).toHaveLength(1);
  });

  testOnOwnEngine(
    'what inflates without end is 413, what is no deflate 400, another coding 415 with Accept-Encoding',
    async () => {
      const subscriber = await at.open();
      const bomb = deflateSync(Buffer.alloc(20_000_000, 32));
      expect((await subscriber.subscribe(undefined, { 'Content-Encoding': 'deflate' }, bomb)).status).toBe(413);
      expect((await subscriber.subscribe(undefined, { 'Content-Encoding': 'deflate' }, 'no deflate')).status).toBe(400);
      const other = await subscriber.subscribe(undefined, { 'Content-Encoding': 'gzip' }, resourceList([sel]));
      expect([other.status, other.header('Accept-Encoding')]).toEqual([415, 'identity, deflate']);
      await eventually(() => at.running.face.subscriptionCount === 0);
    },
  );
});

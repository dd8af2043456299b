import { describe, expect, test } from '@jest/globals';
import { administrator, groupDocument, homeKey } from '../documents/documents.testkit.ts';
import { changesOf, eventually, groups } from './face.testkit.ts';
import { alpha, document, faceRoom, key, sel, withInterval } from './face-room.testkit.ts';

const at = faceRoom();

describe('RFC 6665 4.2.2: answers to NOTIFY', () => {
  test('481 removes the subscription, and its row', async () => {
    const subscriber = await at.open();
    subscriber.answer = '481 Gone';
    await subscriber.subscribe([sel]);
    await subscriber.notify();
    await subscriber.barrier();
    expect((await subscriber.subscribe(undefined)).status).toBe(481);
    expect(at.running.face.subscriptions()).toEqual([]);
    expect(await at.room.store.subscriptions()).toEqual([]);
  });

  test('no answer until Timer F removes the subscription', async () => {
    await at.restart({}, { t1: 10 });
    const subscriber = await at.open();
    subscriber.answer = '';
    await subscriber.subscribe([sel]);
    await subscriber.notify();
    expect(at.running.face.subscriptions()).toHaveLength(1);
    await eventually(() => at.running.face.subscriptions().length === 0);
  });

  test('500 keeps the subscription; what was refused is told again', async () => {
    const tag = await at.put(document('one'));
    const subscriber = await at.open();
    subscriber.answer = '503 Busy\r\nRetry-After: 1';
    await subscriber.subscribe([sel]);
    await subscriber.notify();
    subscriber.answer = '200 OK';
    expect(changesOf(await subscriber.notify())).toEqual([`${sel} - ${tag}`]);
  });
});

describe('subscriptions survive a restart', () => {
  test('RFC 3261 12.2.1.1: dialog, tags and list go on, CSeq never goes back; what changed meanwhile is told once', async () => {
    const tag1 = await at.put(document('one'));
    const [subscriber, first] = await at.subscribed([sel]);
    await subscriber.barrier();
    await at.restart({}, {}, () => at.put(document('two')));
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
    await at.restart({}, {}, () => at.room.documents.delete(administrator, key, {}));
    const fourth = await subscriber.notify();
    expect(fourth.cseq).toBeGreaterThan(third.cseq);
    expect(changesOf(fourth)[0]).toMatch(/ -$/);
  });

  test('what did not change is not told again', async () => {
    await at.put(document('one'));
    const [subscriber] = await at.subscribed([sel]);
    await subscriber.barrier();
    await at.restart();
    const tag = await at.put(document('two'));
    expect(changesOf(await subscriber.notify())[0]).toMatch(new RegExp(`${tag}$`));
    expect(subscriber.notifies).toHaveLength(2);
  });

  test('a full state that was not acknowledged is told after the restart', async () => {
    const tag = await at.put(document('one'));
    const subscriber = await at.open();
    subscriber.answer = '';
    await subscriber.subscribe([sel]);
    await subscriber.notify();
    await at.restart();
    subscriber.answer = '200 OK';
    const again = await subscriber.next((message) => message.method === 'NOTIFY');
    expect(changesOf(again)).toEqual([`${sel} - ${tag}`]);
  });

  test('members of a collection that came and went while nobody listened', async () => {
    const tag = await at.put(document('one'));
    const collection = `${groups}/global/byGroupID/`;
    const [subscriber] = await at.subscribed([collection]);
    await subscriber.barrier();
    const beta = homeKey('beta');
    await at.restart({}, {}, async () => {
      await at.room.documents.delete(administrator, key, {});
      await at.room.documents.put(administrator, beta, groupDocument({ uri: 'sip:beta@red.example' }), {});
    });
    const changes = changesOf(await subscriber.notify());
    expect(changes).toHaveLength(2);
    expect(changes).toContain(`${collection}${alpha} ${tag} -`);
    expect(changes.find((change) => change.startsWith(`${collection}sip:beta@red.example - `))).toBeDefined();
  });

  test('RFC 6665 4.2.1.4: a subscription that expired meanwhile gets its last NOTIFY, and is forgotten', async () => {
    const [subscriber] = await at.subscribed([sel]);
    await subscriber.barrier();
    await at.restart({}, {}, async () => {
      const [row] = await at.room.store.subscriptions();
      if (row === undefined) throw new Error('no row');
      await at.room.store.commit({ subscriptions: [{ write: 'put', subscription: { ...row, expires: 1 } }] });
    });
    const last = await subscriber.notify();
    expect(last.header('Subscription-State')).toBe('terminated;reason=timeout');
    await eventually(() => at.running.face.subscriptionCount === 0);
    expect((await subscriber.subscribe(undefined)).status).toBe(481);
    await at.restart();
    expect(await at.room.store.subscriptions()).toEqual([]);
  });

  test('an engine elsewhere that has kept its dialogs goes on with them: everything is told again', async () => {
    const [subscriber, first] = await at.subscribed([sel]);
    await subscriber.barrier();
    await at.restart({}, { resumesDialogs: false });
    const again = await subscriber.notify();
    expect(again.cseq).toBeGreaterThan(first.cseq);
    expect(changesOf(again)).toEqual(changesOf(first));
    expect((await subscriber.subscribe(undefined)).status).toBe(200);
  });

  test('an engine elsewhere that has lost its dialogs ends the subscriptions', async () => {
    const [subscriber] = await at.subscribed([sel]);
    await subscriber.barrier();
    await at.restart({}, { resumesDialogs: false, keepsDialogs: false });
    await eventually(() => at.running.face.subscriptionCount === 0);
    expect((await subscriber.subscribe(undefined)).status).toBe(481);
    await at.restart();
    expect(await at.room.store.subscriptions()).toEqual([]);
  });

  test('RFC 6665 4.1.3: a stop with deactivation ends them with reason=deactivated', async () => {
    const [subscriber] = await at.subscribed([sel]);
    await at.running.face.close({ deactivate: true });
    const last = await subscriber.notify();
    expect(last.header('Subscription-State')).toBe('terminated;reason=deactivated');
    expect(await at.room.store.subscriptions()).toEqual([]);
    await at.restart();
  });
});

describe('RFC 6665 4.2.1.4: expiry', () => {
  test('an expired subscription is ended with terminated;reason=timeout', async () => {
    await at.restart(withInterval(5, 0));
    const subscriber = await at.open();
    await subscriber.subscribe([sel], { Expires: '1' });
    await subscriber.notify();
    expect((await subscriber.notify()).header('Subscription-State')).toBe('terminated;reason=timeout');
  });
});

import { describe, expect, test } from '@jest/globals';
import { administrator, groupDocument, homeKey } from '../documents/documents.testkit.ts';
import type { Documents } from '../documents/documents.ts';
import { Refusal } from '../refusals.ts';
import { changesOf, componentsOf, eventually, groups } from './face.testkit.ts';
import { alpha, document, faceRoom, key, sel, testOnOwnEngine, withInterval } from './face-room.testkit.ts';

const at = faceRoom();

/** The documents of the room but for some methods. */
function documentsWith(others: Partial<Documents>): Documents {
  return new Proxy<Documents>(at.room.documents, {
    get(real, name) {
      const own: unknown = Reflect.get(others, name) ?? Reflect.get(real, name, real);
      return typeof own === 'function' ? own.bind(real) : own;
    },
  });
}

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

  testOnOwnEngine('no answer until Timer F removes the subscription', async () => {
    await at.restart({}, { t1: 10 });
    const subscriber = await at.open();
    subscriber.answer = '';
    await subscriber.subscribe([sel]);
    await subscriber.notify();
    expect(at.running.face.subscriptions()).toHaveLength(1);
    await eventually(() => at.running.face.subscriptions().length === 0);
  });

  test.each(['481 Gone\r\nRetry-After: 1', '404 Not Found\r\nRetry-After: 1', '489 Bad Event'])(
    'whatever Retry-After says, %j removes it, and nothing follows',
    async (status) => {
      await at.put(document('one'));
      const subscriber = await at.open();
      subscriber.answer = status;
      await subscriber.subscribe([sel]);
      await subscriber.notify();
      await eventually(() => at.running.face.subscriptionCount === 0);
      await at.put(document('two'));
      await subscriber.barrier();
      expect(subscriber.untaken).toBe(0);
    },
  );

  test.each([413, 513])('RFC 5875 4.7: after %i the same is told in less: the patch is left out', async (status) => {
    await at.put(document('one'));
    const subscriber = await at.open();
    await subscriber.subscribe([sel], { Event: 'xcap-diff;diff-processing=aggregate' });
    await subscriber.notify();
    subscriber.answer = `${status} Too Large\r\nRetry-After: 1`;
    await at.put(document('x'.repeat(700)));
    const refused = await subscriber.notify();
    expect(refused.body).toContain('x'.repeat(700));
    subscriber.answer = '200 OK';
    const again = await subscriber.notify();
    expect(again.body).not.toContain('xx');
    expect(changesOf(again)).toEqual(changesOf(refused));
  });

  test('RFC 5875 4.7: after 413 an element is named without its content, and told in whole to others', async () => {
    const element = `${sel}/~~/group/list-service/display-name`;
    await at.put(document('one'));
    const subscriber = await at.open();
    await subscriber.subscribe([element]);
    await subscriber.notify();
    subscriber.answer = '413 Too Large\r\nRetry-After: 1';
    await at.put(document('x'.repeat(700)));
    expect(componentsOf(await subscriber.notify())).toEqual([[element, expect.stringContaining('x'.repeat(700))]]);
    subscriber.answer = '200 OK';
    expect(componentsOf(await subscriber.notify())).toEqual([[element, 'exists']]);
    const [, whole] = await at.subscribed([element]);
    expect(componentsOf(whole)).toEqual([[element, expect.stringContaining('x'.repeat(700))]]);
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
  testOnOwnEngine(
    'RFC 3261 12.2.1.1: dialog, tags and list go on, CSeq never goes back; what changed meanwhile is told once',
    async () => {
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
    },
  );

  testOnOwnEngine('what did not change is not told again', async () => {
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

  testOnOwnEngine('members of a collection that came and went while nobody listened', async () => {
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

  testOnOwnEngine('an engine elsewhere that has lost its dialogs ends the subscriptions', async () => {
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

describe('RFC 6665 4.1.3: rights withdrawn', () => {
  const joe = 'sip:joe@red.example';
  const mia = 'sip:mia@red.example';
  const missing = sel.replace('alpha', 'missing');

  test('the last document is told as gone (RFC 5874 3: previous-etag alone), and the subscription ends rejected', async () => {
    await at.restart(withInterval(0));
    await at.put(document('one', [joe, mia]));
    const [subscriber, first] = await at.subscribed([sel], mia);
    const tag = changesOf(first)[0]?.split(' ')[2];
    await at.put(document('two', [joe]));
    const last = await subscriber.notify();
    expect(changesOf(last)).toEqual([`${sel} ${tag} -`]);
    expect(last.header('Subscription-State')).toBe('terminated;reason=rejected');
    await eventually(() => at.running.face.subscriptionCount === 0);
    expect((await subscriber.subscribe(undefined)).status).toBe(481);
    await at.restart();
    expect(await at.room.store.subscriptions()).toEqual([]);
  });

  test('in every mode, and when only an element of it was watched', async () => {
    await at.restart(withInterval(0));
    for (const [entry, mode] of [
      [sel, 'aggregate'],
      [sel, 'xcap-patching'],
      [`${sel}/~~/group/list-service/display-name`, 'no-patching'],
    ] as const) {
      await at.put(document('one', [joe, mia]));
      const subscriber = await at.open(mia);
      await subscriber.subscribe([entry], { Event: `xcap-diff;diff-processing=${mode}` });
      await subscriber.notify();
      await at.put(document('two', [joe]));
      expect((await subscriber.notify()).header('Subscription-State')).toBe('terminated;reason=rejected');
    }
  });

  test('what is left keeps it: another document, one that may still come, a collection', async () => {
    await at.restart(withInterval(0));
    const beta = 'sip:beta@red.example';
    const other = groupDocument({ uri: beta, members: [mia] });
    await at.room.documents.put(administrator, homeKey('beta'), other, {});
    for (const more of [`${groups}/global/byGroupID/${beta}`, missing, `${groups}/global/byGroupID/`]) {
      await at.put(document('one', [joe, mia]));
      const [subscriber] = await at.subscribed([sel, more], mia);
      await at.put(document('two', [joe]));
      const notify = await subscriber.notify();
      expect(changesOf(notify)).toEqual([expect.stringMatching(new RegExp(`^${sel} \\S{2,} -$`))]);
      expect(notify.header('Subscription-State')).toMatch(/^active/);
    }
  });

  test('RFC 5875 4.7: a document that is deleted ends nothing, its entry waits', async () => {
    await at.restart(withInterval(0));
    await at.put(document('one', [mia]));
    const [subscriber] = await at.subscribed([sel], mia);
    await at.room.documents.delete(administrator, key, {});
    expect((await subscriber.notify()).header('Subscription-State')).toMatch(/^active/);
    await at.put(document('again', [mia]));
    expect(changesOf(await subscriber.notify())).toEqual([expect.stringMatching(/ - \S{2,}$/)]);
  });

  testOnOwnEngine('rights withdrawn while nobody listened', async () => {
    await at.put(document('one', [joe, mia]));
    const [subscriber] = await at.subscribed([sel], mia);
    await subscriber.barrier();
    await at.restart({}, {}, () => at.put(document('two', [joe])));
    const last = await subscriber.notify();
    expect(changesOf(last)).toEqual([expect.stringMatching(/ -$/)]);
    expect(last.header('Subscription-State')).toBe('terminated;reason=rejected');
  });

  test('settings that withdraw rights are told without any change of a document', async () => {
    await at.put(document('one', [joe]));
    const withheld = new Set<string>();
    const { documents: real } = at.room;
    const documents = documentsWith({
      view: (principal, found) => {
        if (principal.role === 'client' && withheld.has(principal.identities[0] ?? '')) throw new Refusal('forbidden');
        return real.view(principal, found);
      },
    });
    await at.restart({ ...withInterval(0), documents });
    const [subscriber] = await at.subscribed([sel], joe);
    withheld.add(joe);
    at.running.face.recheck();
    expect((await subscriber.notify()).header('Subscription-State')).toBe('terminated;reason=rejected');
  });
});

describe('RFC 6665 4.1.3: a subscriber that is nobody here any more', () => {
  test('is ended rejected after a restart, and told nothing of what it may not read now', async () => {
    await at.put(document('one'));
    const [subscriber] = await at.subscribed([sel]);
    await subscriber.barrier();
    await at.restart({ principalNow: () => undefined }, {}, () => at.put(document('two')));
    const last = await subscriber.notify();
    expect(last.header('Subscription-State')).toBe('terminated;reason=rejected');
    expect(changesOf(last)).toEqual([]);
    await eventually(() => at.running.face.subscriptionCount === 0);
  });
});

describe('RFC 6665 4.1.3: noresource', () => {
  test('nothing that the entries name is served here any more after a restart', async () => {
    const [subscriber] = await at.subscribed([sel]);
    await subscriber.barrier();
    const documents = documentsWith({ usage: () => undefined });
    await at.restart({ documents });
    expect((await subscriber.notify()).header('Subscription-State')).toBe('terminated;reason=noresource');
    await eventually(() => at.running.face.subscriptionCount === 0);
  });
});

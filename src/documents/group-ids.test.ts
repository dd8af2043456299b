// Group IDs: unique, at home, one document under two addresses.
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  administrator,
  alpha,
  byGroup,
  closeSchemas,
  codeOf,
  groupDocument,
  homeKey,
  openRoom,
  type Room,
  refusalOf,
  tracesIn,
} from './documents.testkit.ts';

let room: Room;

beforeEach(async () => {
  room = await openRoom();
});

afterEach(async () => {
  await room.close();
});

afterAll(async () => {
  await closeSchemas();
});

const key = homeKey('alpha');
const put = (body: Uint8Array, preconditions = {}, at = key, principal = administrator) =>
  room.documents.put(principal, at, body, preconditions);

describe('group IDs', () => {
  test('TS 24.481 6.3.2.3: an ID that another document has is refused, with alternatives that are free', async () => {
    await put(groupDocument({}));
    await put(groupDocument({ uri: 'sip:alpha-2@red.example' }), {}, homeKey('second'));
    const refusal = await refusalOf(put(groupDocument({ uri: 'sip:alpha@RED.example' }), {}, homeKey('third')));
    expect(refusal.code).toBe('uniqueness-failure');
    expect(refusal.detail.exists).toEqual([
      { field: 'group/list-service/@uri', altValues: ['sip:alpha-3@red.example', 'sip:alpha-4@red.example'] },
    ]);
    expect(await room.documents.find(homeKey('third'))).toBeUndefined();
    expect(room.events).toHaveLength(2);
  });

  test('of two documents racing for one ID exactly one is stored', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, number) => put(groupDocument({}), {}, homeKey(`doc${number}`))),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await room.store.documents({})).toHaveLength(1);
  });

  test('an administrator with patterns creates, replaces and deletes only what they cover', async () => {
    const limited = { ...administrator, groups: ['sip:fire-*@red.example'] };
    expect(await codeOf(put(groupDocument({}), {}, key, limited))).toBe('forbidden');
    await put(groupDocument({ uri: 'sip:fire-1@red.example' }), {}, homeKey('fire'), limited);
    await put(groupDocument({}));
    const taking = groupDocument({ uri: 'sip:fire-2@red.example' });
    expect(await codeOf(put(taking, {}, key, limited))).toBe('forbidden');
    expect(await codeOf(room.documents.delete(limited, key, {}))).toBe('forbidden');
    await room.documents.delete(limited, homeKey('fire'), {});
    const offered = await refusalOf(
      put(
        groupDocument({ uri: 'sip:fire-9@red.example' }, { uri: 'sip:police@red.example' }),
        {},
        homeKey('two'),
        limited,
      ),
    );
    expect(offered.code).toBe('forbidden');
  });

  test('a document with several groups is stored but has no group ID', async () => {
    await put(groupDocument({ uri: 'sip:a@red.example' }, { uri: 'sip:b@red.example' }));
    const found = await room.documents.find(key);
    expect(found?.groupId).toBeUndefined();
    expect(found?.group?.listServices).toHaveLength(2);
    expect(await room.documents.findGroup('sip:a@red.example')).toBeUndefined();
  });

  describe('TS 24.481 6.3.2.3: an ID is unique in the system also where a document has several groups', () => {
    const several = groupDocument({ uri: 'sip:a@red.example' }, { uri: 'sip:b@red.example' });
    const field = 'group/list-service%5B2%5D/@uri';

    test('of a group with a document of its own', async () => {
      await put(groupDocument({ uri: 'sip:b@red.example' }), {}, homeKey('single'));
      const refusal = await refusalOf(put(several));
      expect(refusal.code).toBe('uniqueness-failure');
      expect(refusal.detail.exists).toEqual([{ field, altValues: ['sip:b-2@red.example', 'sip:b-3@red.example'] }]);
      expect(await room.documents.find(key)).toBeUndefined();
    });

    test('of a group that shares its document, until that gives it up', async () => {
      await put(several, {}, homeKey('several'));
      const single = groupDocument({ uri: 'sip:B@red.example' }, { uri: 'sip:b@red.example' });
      expect((await refusalOf(put(single))).detail.exists?.[0]?.field).toBe(field);
      const own = groupDocument({ uri: 'sip:b@red.example' });
      expect((await refusalOf(put(own))).detail.exists).toEqual([
        { field: 'group/list-service/@uri', altValues: ['sip:b-2@red.example', 'sip:b-3@red.example'] },
      ]);
      // the document itself may be written again, and by and by have one group only
      await put(groupDocument({ uri: 'sip:b@red.example' }, { uri: 'sip:a@red.example' }), {}, homeKey('several'));
      await put(groupDocument({ uri: 'sip:a@red.example' }), {}, homeKey('several'));
      expect(await put(own)).toMatchObject({ created: true });
      expect(await codeOf(put(several, {}, homeKey('several')))).toBe('uniqueness-failure');
    });

    test('of documents that were stored before this start', async () => {
      await put(several, {}, homeKey('several'));
      const again = await openRoom({ store: room.store });
      const first = Array.from({ length: 3 }, (_, number) =>
        again.documents.put(administrator, homeKey(`${number}`), groupDocument({ uri: 'sip:b@red.example' }), {}),
      );
      for (const one of first) expect(await codeOf(one)).toBe('uniqueness-failure');
      await again.documents.delete(administrator, homeKey('several'), {});
      expect(await again.documents.put(administrator, key, several, {})).toMatchObject({ created: true });
      await again.close();
    });

    test('an ID outside our domains is told by its place', async () => {
      const strange = groupDocument({ uri: 'sip:a@red.example' }, { uri: 'sip:b@nowhere.example' });
      expect((await refusalOf(put(strange))).detail.exists?.[0]?.field).toBe(field);
    });
  });

  test('TS 24.481 7.2.10: the document in the users tree and the one by group ID are one, with one tag', async () => {
    await put(groupDocument({}));
    const home = await room.documents.find(key);
    expect(await room.documents.find(byGroup(alpha))).toBe(home);
    expect(await room.documents.find(byGroup('sip:%61lpha@Red.Example'))).toBe(home);
    expect(await room.documents.findGroup('SIP:alpha@red.example')).toBe(home);
    expect(await room.documents.find(byGroup('nonsense'))).toBeUndefined();
    await put(groupDocument({ name: 'Changed' }));
    expect((await room.documents.find(byGroup(alpha)))?.tag).toBe((await room.documents.find(key))?.tag);
    expect((await room.documents.find(byGroup(alpha)))?.tag).not.toBe(home?.tag);
  });

  test('a document that takes another group ID gives up the former, in store, cache and event', async () => {
    room.documents.causeDeliveries(async ({ groupId, before, after }) => [
      {
        partner: `${before ? 'was' : 'new'}-${after ? 'stays' : 'goes'}`,
        groupId,
        action: after ? 'provide' : 'withdraw',
      },
    ]);
    await put(groupDocument({}));
    await put(groupDocument({ uri: 'sip:beta@red.example' }));
    expect(await room.documents.findGroup(alpha)).toBeUndefined();
    expect((await room.documents.findGroup('sip:beta@red.example'))?.key).toEqual(key);
    expect(room.events.at(-1)?.changes).toMatchObject([{ groupId: 'sip:beta@red.example', previousGroupId: alpha }]);
    expect((await room.store.deliveries()).map(({ partner, groupId }) => [partner, groupId])).toEqual([
      ['new-stays', alpha],
      ['new-stays', 'sip:beta@red.example'],
      ['was-goes', alpha],
    ]);
  });

  test('checkGroup judges like a PUT and stores nothing', async () => {
    const body = groupDocument({ uri: 'SIP:Alpha@Blue.Example', members: ['sip:bob@red.example'] });
    const facts = await room.documents.checkGroup('sip:Alpha@blue.example', body);
    expect(facts.listServices[0]?.members.entries).toHaveLength(1);
    const wrong = await refusalOf(room.documents.checkGroup('sip:beta@blue.example', body));
    expect([wrong.code, wrong.detail.exists]).toEqual([
      'uniqueness-failure',
      [{ field: 'group/list-service/@uri', altValues: ['sip:beta@blue.example'] }],
    ]);
    const several = groupDocument({ uri: 'sip:a@blue.example' }, { uri: 'sip:b@blue.example' });
    expect(await codeOf(room.documents.checkGroup('sip:a@blue.example', several))).toBe('constraint-failure');
    expect(await codeOf(room.documents.checkGroup('sip:a@blue.example', Buffer.from('<group/>')))).toBe(
      'schema-validation-error',
    );
    expect(await tracesIn(room)).toEqual([]);
  });
});

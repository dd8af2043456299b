// Writing and deleting through the document service, and what a change causes.
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { groupsAuid } from './application-usage.ts';
import {
  administrator,
  alice,
  alpha,
  closeSchemas,
  codeOf,
  groupDocument,
  homeKey,
  lists,
  listsKey,
  openRoom,
  type Room,
  tracesIn,
} from './documents.testkit.ts';
import { entityTag } from './entity-tag.ts';

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

describe('writing a document', () => {
  test('RFC 4825 8.2.3: a PUT creates, then replaces; bytes and tag are those of the body', async () => {
    const body = groupDocument({ members: ['sip:bob@red.example'] });
    expect(await put(body)).toEqual({ created: true, changed: true, tag: entityTag(body) });
    const found = await room.documents.find(key);
    expect(Buffer.compare(found?.bytes ?? new Uint8Array(), body)).toBe(0);
    expect(found).toMatchObject({ key, tag: entityTag(body), groupId: alpha, modified: '2026-01-02T03:04:05.000Z' });

    room.clock.set('2026-01-02T04:00:00.000Z');
    const next = groupDocument({ name: 'Renamed' });
    expect(await put(next)).toEqual({ created: false, changed: true, tag: entityTag(next) });
    expect(await room.documents.find(key)).toMatchObject({
      tag: entityTag(next),
      modified: '2026-01-02T04:00:00.000Z',
    });
    expect(room.events).toMatchObject([
      { sequence: 1, changes: [{ key, groupId: alpha, previousTag: undefined, tag: entityTag(body) }] },
      { sequence: 2, changes: [{ key, groupId: alpha, previousTag: entityTag(body), tag: entityTag(next) }] },
    ]);
  });

  test('each change is journalled in its own commit', async () => {
    await put(groupDocument({}));
    await room.documents.delete(administrator, key, {});
    expect((await room.store.journal()).map(({ actor, action, subject }) => [actor, action, subject])).toEqual([
      ['sip:admin@red.example', 'document-put', alpha],
      ['sip:admin@red.example', 'document-delete', alpha],
    ]);
  });

  test('the body may be changed by its owner after the PUT', async () => {
    const body = Buffer.from(groupDocument({}));
    const { tag } = await put(body);
    body.fill(0);
    expect(entityTag((await room.documents.find(key))?.bytes ?? body)).toBe(tag);
  });

  test('RFC 4825 8.2: a PUT of what is there keeps the tag and causes no event, no delivery, no journal entry', async () => {
    const body = groupDocument({});
    room.documents.causeDeliveries(async ({ groupId }) => [{ partner: 'blue', groupId, action: 'provide' }]);
    const { tag } = await put(body);
    expect(await put(body)).toEqual({ created: false, changed: false, tag });
    expect(await put(body, { ifMatch: [tag] })).toEqual({ created: false, changed: false, tag });
    expect(room.events).toHaveLength(1);
    expect(await room.store.journal()).toHaveLength(1);
    expect((await room.store.deliveries()).map(({ sequence }) => sequence)).toEqual([1]);
  });

  test('RFC 4825 8.2.6: preconditions come before the content, also when the content is what is there', async () => {
    const body = groupDocument({});
    await put(body, { ifNoneMatch: '*' });
    expect(await codeOf(put(body, { ifNoneMatch: '*' }))).toBe('precondition-failed');
    expect(await codeOf(put(body, { ifMatch: ['other'] }))).toBe('precondition-failed');
    expect(await codeOf(put(Buffer.from('no xml'), { ifMatch: ['other'] }))).toBe('precondition-failed');
    expect(await codeOf(put(Buffer.from('no xml'), { ifMatch: '*' }, homeKey('absent')))).toBe('precondition-failed');
  });

  test('RFC 4825 5.10: XUIs are canonical before they are stored', async () => {
    await put(groupDocument({}), {}, homeKey('alpha', 'SIP:gr%6Fups@RED.example'));
    expect((await room.store.documents({}))[0]?.key).toEqual(key);
    expect((await room.documents.find(homeKey('alpha', 'sip:groups@Red.Example')))?.groupId).toBe(alpha);
  });
});

describe('deleting a document', () => {
  test('RFC 4825 8.4: it is gone under both addresses, and gone again is not found', async () => {
    const { tag } = await put(groupDocument({}));
    await room.documents.delete(administrator, key, { ifMatch: [tag] });
    expect(await room.documents.find(key)).toBeUndefined();
    expect(await room.documents.findGroup(alpha)).toBeUndefined();
    expect(room.events.at(-1)).toEqual({
      sequence: 2,
      changes: [{ key, groupId: alpha, previousTag: tag, tag: undefined }],
    });
    expect(await codeOf(room.documents.delete(administrator, key, {}))).toBe('not-found');
    expect(room.events).toHaveLength(2);
  });

  test('RFC 9110 13: preconditions guard it', async () => {
    const { tag } = await put(groupDocument({}));
    expect(await codeOf(room.documents.delete(administrator, key, { ifMatch: ['other'] }))).toBe('precondition-failed');
    expect(await codeOf(room.documents.delete(administrator, key, { ifNoneMatch: [tag] }))).toBe('precondition-failed');
    expect(await room.documents.find(key)).toBeDefined();
  });

  test('the group ID is free again', async () => {
    await put(groupDocument({}));
    await room.documents.delete(administrator, key, {});
    expect(await put(groupDocument({}), {}, homeKey('elsewhere'))).toMatchObject({ created: true });
  });
});

describe('TS 23.280 10.2.7: deliveries that a change of a home group causes', () => {
  test('they are queued with the change, knowing the facts before and after', async () => {
    const seen: string[] = [];
    room.documents.causeDeliveries(async ({ groupId, before, after }) => {
      seen.push(`${before?.listServices[0]?.displayName} -> ${after?.listServices[0]?.displayName}`);
      return [{ partner: 'blue', groupId, action: after === undefined ? 'withdraw' : 'provide' }];
    });
    await put(groupDocument({ name: 'One' }));
    expect(await room.store.delivery('blue', alpha)).toMatchObject({ action: 'provide', state: 'queued', sequence: 1 });
    await put(groupDocument({ name: 'Two' }));
    await room.documents.delete(administrator, key, {});
    expect(await room.store.delivery('blue', alpha)).toMatchObject({
      action: 'withdraw',
      state: 'queued',
      sequence: 3,
    });
    expect(seen).toEqual(['undefined -> One', 'One -> Two', 'Two -> undefined']);
  });

  test('other documents cause none', async () => {
    room.documents.causeDeliveries(() => Promise.reject(new Error('not asked')));
    await room.documents.put(alice, listsKey, lists, {});
    await put(groupDocument({ uri: 'sip:a@red.example' }, { uri: 'sip:b@red.example' }));
    expect(await room.store.deliveries()).toEqual([]);
  });

  test('when they cannot be named, the change is not made', async () => {
    room.documents.causeDeliveries(() => Promise.reject(new Error('no agreement readable')));
    await expect(put(groupDocument({}))).rejects.toThrow('no agreement readable');
    expect(await tracesIn(room)).toEqual([]);
  });

  test('only one room causes them', () => {
    room.documents.causeDeliveries(async () => []);
    expect(() => room.documents.causeDeliveries(async () => [])).toThrow();
  });
});

test('usages are found by AUID', () => {
  expect(room.documents.usage(groupsAuid)?.mimeType).toBe('application/vnd.oma.poc.groups+xml');
  expect(room.documents.usage('nothing')).toBeUndefined();
  expect(room.documents.usages).toHaveLength(4);
});

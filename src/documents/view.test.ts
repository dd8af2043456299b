// What readers see of documents, TS 24.481 7.2.12.1 and RFC 4825 5.7.
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { defaultXmlLimits } from '../xml/limits.ts';
import { readXml } from '../xml/xml-document.ts';
import {
  administrator,
  alice,
  alpha,
  client,
  closeSchemas,
  codeOf,
  groupDocument,
  homeKey,
  lists,
  listsKey,
  membersSeeMembers,
  openRoom,
  type Room,
  server,
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

describe('views', () => {
  const members = ['sip:bob@red.example', 'sip:lena@blue.example'];
  const bob = client('sip:bob@red.example');

  test('TS 24.481 7.2.12.1: a member without the right gets everything but the list, under another tag', async () => {
    const body = Buffer.from(groupDocument({ members }));
    await put(body);
    const stored = await room.documents.findGroup(alpha);
    if (stored === undefined) throw new Error('not stored');
    const view = room.documents.view(bob, stored);
    const expected = body.toString().replace(/<list>.*<\/list>/s, '');
    expect(Buffer.from(view.bytes).toString()).toBe(expected);
    expect(view.tag).toBe(entityTag(Buffer.from(expected)));
    expect(view.tag).not.toBe(stored.tag);
    expect(view).toMatchObject({ key, groupId: alpha, modified: stored.modified });
    expect(view.group?.listServices[0]?.members.entries).toEqual([]);
    expect(() => readXml(view.bytes, defaultXmlLimits)).not.toThrow();
    expect(room.documents.view(bob, stored)).toBe(view);
    expect(room.documents.view(server, stored)).toBe(stored);
    expect(room.documents.view(administrator, stored)).toBe(stored);
  });

  test("7.2.12.1: the group's own rules grant the list to whom they apply", async () => {
    await put(groupDocument({ members, rules: membersSeeMembers }));
    const stored = await room.documents.findGroup(alpha);
    if (stored === undefined) throw new Error('not stored');
    expect(room.documents.view(bob, stored)).toBe(stored);
    expect(await codeOf(() => room.documents.view(client('sip:eve@red.example'), stored))).toBe('forbidden');
    expect(await codeOf(() => room.documents.view(client('sip:lena@blue.example'), stored))).toBe('forbidden');
  });

  test('a view without members keeps its tag while only members change', async () => {
    const viewTag = async (): Promise<string | undefined> => {
      const stored = await room.documents.findGroup(alpha);
      return stored === undefined ? undefined : room.documents.view(bob, stored).tag;
    };
    await put(groupDocument({ members }));
    const before = await viewTag();
    await put(groupDocument({ members: [...members, 'sip:new@red.example'] }));
    expect(await viewTag()).toBe(before);
  });

  test('RFC 4825 5.7: a users tree is its owner’s alone', async () => {
    await room.documents.put(alice, listsKey, lists, {});
    const stored = await room.documents.find(listsKey);
    if (stored === undefined) throw new Error('not stored');
    expect(room.documents.view(alice, stored)).toBe(stored);
    for (const principal of [bob, server, administrator]) {
      expect(await codeOf(() => room.documents.view(principal, stored))).toBe('forbidden');
    }
    expect(await codeOf(room.documents.put(bob, listsKey, lists, {}))).toBe('forbidden');
  });
});

// Documents that the server composes: capabilities and directory.
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DocumentKey } from '../store/store.ts';
import { capabilitiesAuid, directoryAuid, groupsAuid, resourceListsAuid } from './application-usage.ts';
import { alice, client, closeSchemas, codeOf, lists, listsKey, openRoom, type Room } from './documents.testkit.ts';
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

describe('documents that the server composes', () => {
  test('RFC 4825 12: xcap-caps lists usages and namespaces, in the global tree only', async () => {
    const caps = await room.documents.find({ auid: capabilitiesAuid, tree: 'global', xui: '', name: 'index' });
    const text = Buffer.from(caps?.bytes ?? []).toString();
    for (const auid of [capabilitiesAuid, groupsAuid, resourceListsAuid, directoryAuid]) {
      expect(text).toContain(`<auid>${auid}</auid>`);
    }
    expect(text).toContain('<namespace>urn:ietf:params:xml:ns:xcap-caps</namespace>');
    expect(caps?.tag).toBe(entityTag(caps?.bytes ?? new Uint8Array()));
    expect(
      await room.documents.find({ auid: capabilitiesAuid, tree: 'users', xui: 'sip:a@red.example', name: 'index' }),
    ).toBeUndefined();
    expect(
      await room.documents.find({ auid: capabilitiesAuid, tree: 'global', xui: '', name: 'other' }),
    ).toBeUndefined();
  });

  test('OMA XDM: the directory lists the documents of a user with their tags', async () => {
    await room.documents.put(alice, { ...listsKey, name: 'my list & more' }, lists, {});
    const found = await room.documents.find({
      auid: directoryAuid,
      tree: 'users',
      xui: 'sip:Alice@red.example',
      name: 'directory.xml',
    });
    expect(Buffer.from(found?.bytes ?? []).toString()).not.toContain('entry');
    const own = await room.documents.find({
      auid: directoryAuid,
      tree: 'users',
      xui: 'sip:alice@RED.example',
      name: 'directory.xml',
    });
    const text = Buffer.from(own?.bytes ?? []).toString();
    expect(text).toContain('uri="resource-lists/users/sip:alice@red.example/my%20list%20&amp;%20more"');
    expect(text).toContain(`etag="${entityTag(lists)}"`);
    expect(text).toContain('last-modified="2026-01-02T03:04:05.000Z"');
    expect(text).toContain(`size="${lists.byteLength}"`);
    if (own === undefined) throw new Error('not composed');
    expect(room.documents.view(alice, own)).toBe(own);
    expect(await codeOf(() => room.documents.view(client('sip:bob@red.example'), own))).toBe('forbidden');
  });

  test('there is no directory of an unknown user, nor another document beside it', async () => {
    const at = (xui: string, name: string): DocumentKey => ({ auid: directoryAuid, tree: 'users', xui, name });
    expect(await room.documents.find(at('sip:alice@blue.example', 'directory.xml'))).toBeUndefined();
    expect(await room.documents.find(at('sip:alice@red.example', 'index'))).toBeUndefined();
  });
});

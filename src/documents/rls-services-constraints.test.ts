import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DocumentKey } from '../store/store.ts';
import { configuredUsages } from './application-usage.ts';
import { client, closeSchemas, codeOf, openRoom, type Room, refusalOf } from './documents.testkit.ts';

const usages = configuredUsages([
  {
    auid: 'rls-services',
    mimeType: 'application/rls-services+xml',
    defaultDocumentNamespace: 'urn:ietf:params:xml:ns:rls-services',
  },
]);
const user = (name: string): string => `sip:${name}@red.example`;
const key = (name: string): DocumentKey => ({ auid: 'rls-services', tree: 'users', xui: user(name), name: 'index' });
const list = (name: string): string =>
  `http://x.example/root/resource-lists/users/${user(name)}/index/~~/resource-lists/list`;
const services = (uris: readonly string[], at = list('alice')): Uint8Array =>
  Buffer.from(
    `<rls-services xmlns="urn:ietf:params:xml:ns:rls-services">${uris
      .map((uri) => `<service uri="${uri}"><resource-list>${at}</resource-list></service>`)
      .join('')}</rls-services>`,
  );

let room: Room;
beforeEach(async () => {
  room = await openRoom({ usages });
});
afterEach(() => room.close());
afterAll(() => closeSchemas());
const put = (name: string, uris: readonly string[], at = list(name)) =>
  room.documents.put(client(user(name)), key(name), services(uris, at), {});

describe('RFC 4826 4.4.5', () => {
  test('a service URI belongs to one document of the server, whatever its spelling; free ones are offered', async () => {
    await put('alice', ['sip:friends@red.example']);
    await put('alice', ['sip:friends@red.example', 'sip:more@red.example']);
    const refusal = await refusalOf(put('bob', ['sip:b@red.example', 'SIP:friends@RED.example']));
    expect([refusal.code, refusal.detail.exists]).toEqual([
      'uniqueness-failure',
      [
        {
          field: 'rls-services/service%5B2%5D/@uri',
          altValues: ['sip:friends-2@red.example', 'sip:friends-3@red.example'],
        },
      ],
    ]);
  });

  test('what a deleted or changed document gives up is free again', async () => {
    await put('alice', ['sip:one@red.example', 'sip:two@red.example']);
    await put('alice', ['sip:two@red.example']);
    await put('bob', ['sip:one@red.example']);
    await room.documents.delete(client(user('alice')), key('alice'), {});
    await put('bob', ['sip:one@red.example', 'sip:two@red.example']);
    expect(await codeOf(put('alice', ['sip:two@red.example']))).toBe('uniqueness-failure');
  });

  test('of users who ask for one URI at the same moment one gets it', async () => {
    const names = Array.from({ length: 20 }, (_, number) => `user${number}`);
    const outcomes = await Promise.allSettled(names.map((name) => put(name, ['sip:wanted@red.example'])));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('a URI stands once in a document', async () => {
    expect(await codeOf(put('alice', ['sip:a@red.example', 'sip:a@red.example']))).toBe('uniqueness-failure');
  });

  test.each([
    ['another user', list('bob')],
    ['another usage', list('alice').replace('resource-lists/users', 'rota/users')],
    ['a relative reference', 'resource-lists/users/sip:alice@red.example/index'],
    ['no URI', 'x'],
  ])('the list of %s is refused', async (_what, at) => {
    expect(await codeOf(put('alice', ['sip:a@red.example'], at))).toBe('constraint-failure');
  });
});

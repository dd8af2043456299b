// Refused writes: each with its name, and nothing left behind.
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DocumentKey } from '../store/store.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { capabilitiesAuid, directoryAuid } from './application-usage.ts';
import {
  administrator,
  alice,
  alpha,
  byGroup,
  client,
  closeSchemas,
  codeOf,
  groupDocument,
  homeKey,
  lists,
  listsKey,
  openRoom,
  type Room,
  refusalOf,
  server,
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

describe('refusals leave nothing behind', () => {
  afterEach(async () => {
    expect(await tracesIn(room)).toEqual([]);
  });

  test('RFC 4825 8: an AUID that is not served', async () => {
    expect(await codeOf(put(groupDocument({}), {}, { ...key, auid: 'pidf-manipulation' }))).toBe(
      'unknown-application-usage',
    );
    expect(await codeOf(room.documents.delete(administrator, { ...key, auid: 'x' }, {}))).toBe(
      'unknown-application-usage',
    );
  });

  test.each(['sip:groups@blue.example', 'sip:groups@sub.red.example', 'tel:+1555', 'groups', ''])(
    'RFC 4825 8: an XUI that is not of our domains: %j',
    async (xui) => {
      expect(await codeOf(put(groupDocument({}), {}, homeKey('alpha', xui)))).toBe('unknown-xui');
      expect(await room.documents.find(homeKey('alpha', xui))).toBeUndefined();
    },
  );

  test('a document larger than the limit, before anybody looks at rights of its content', async () => {
    const body = Buffer.alloc(defaultXmlLimits.documentBytes + 1, 0x20);
    expect(await codeOf(put(body))).toBe('document-too-large');
  });

  test('TS 24.481 6.3.2: who is no administrator, whether the body is good or not', async () => {
    for (const principal of [client('sip:groups@red.example'), server]) {
      expect(await codeOf(room.documents.put(principal, key, groupDocument({}), {}))).toBe('forbidden');
      expect(await codeOf(room.documents.put(principal, key, Buffer.from('<'), { ifMatch: ['x'] }))).toBe('forbidden');
      expect(await codeOf(room.documents.delete(principal, key, {}))).toBe('forbidden');
    }
  });

  test('RFC 4825 8.2.1: a sub-directory that does not exist', async () => {
    const refusal = await refusalOf(put(groupDocument({}), {}, homeKey('nodir/alpha')));
    expect(refusal.code).toBe('no-parent');
    expect(refusal.detail.ancestor).toBe('org.openmobilealliance.groups/users/sip:groups@red.example');
  });

  test('a document without usable name', async () => {
    for (const name of ['', 'a\u0000b', 'a\nb', 'x'.repeat(2000)]) {
      expect(await codeOf(put(groupDocument({}), {}, homeKey(name)))).toBe('bad-request');
    }
  });

  test('TS 24.481 7.2.10: a group is not written at its address by ID', async () => {
    const refusal = await refusalOf(put(groupDocument({}), {}, byGroup(alpha)));
    expect(refusal.code).toBe('method-not-allowed');
    expect(refusal.detail.allow).toEqual(['GET', 'HEAD', 'POST']);
    expect(await codeOf(room.documents.delete(administrator, byGroup(alpha), {}))).toBe('method-not-allowed');
  });

  test('RFC 4825 12: nobody writes what the server composes', async () => {
    const caps: DocumentKey = { auid: capabilitiesAuid, tree: 'global', xui: '', name: 'index' };
    expect(await codeOf(put(lists, {}, caps))).toBe('method-not-allowed');
    const directory: DocumentKey = {
      auid: directoryAuid,
      tree: 'users',
      xui: administrator.identity,
      name: 'directory.xml',
    };
    expect(await codeOf(room.documents.delete(administrator, directory, {}))).toBe('method-not-allowed');
  });

  const text = Buffer.from(groupDocument({})).toString();
  test.each([
    ['bad UTF-8', 'not-utf-8', Buffer.from([0x3c, 0x61, 0xff, 0x2f, 0x3e])],
    ['UTF-16', 'not-utf-8', Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['another declared encoding', 'not-utf-8', Buffer.from(text.replace('UTF-8', 'ISO-8859-1'))],
    ['a cut document', 'not-well-formed', Buffer.from(text.slice(0, -4))],
    ['an empty body', 'not-well-formed', Buffer.alloc(0)],
    ['an undeclared entity', 'not-well-formed', Buffer.from(text.replace('Alpha', '&alpha;'))],
    [
      'a document type declaration',
      'constraint-failure',
      Buffer.from(text.replace('<group', '<!DOCTYPE group [<!ENTITY a "b">]><group')),
    ],
    [
      'a wrong root',
      'schema-validation-error',
      Buffer.from('<list-service xmlns="urn:oma:xml:poc:list-service" uri="sip:alpha@red.example"/>'),
    ],
    ['a root in no namespace', 'schema-validation-error', Buffer.from('<group/>')],
    ['resource-lists in place of a group', 'schema-validation-error', lists],
    [
      'an element the schema does not know',
      'schema-validation-error',
      Buffer.from(text.replace('<list>', '<listing/><list>')),
    ],
    [
      'a priority above 255',
      'schema-validation-error',
      Buffer.from(
        text.replace(
          '</list-service>',
          '<mcpttgi:on-network-group-priority>256</mcpttgi:on-network-group-priority></list-service>',
        ),
      ),
    ],
    [
      'a duration that is none',
      'schema-validation-error',
      Buffer.from(
        text.replace(
          '</list-service>',
          '<mcpttgi:on-network-hang-timer>30</mcpttgi:on-network-hang-timer></list-service>',
        ),
      ),
    ],
    ['a rule id that is no NCName', 'schema-validation-error', groupDocument({ rules: '<cp:rule id="1 2"/>' })],
    ['two rules of one id', 'schema-validation-error', groupDocument({ rules: '<cp:rule id="a"/><cp:rule id="a"/>' })],
    ['no supported services', 'constraint-failure', groupDocument({ supported: '' })],
    ['a member twice', 'uniqueness-failure', groupDocument({ members: ['sip:a@red.example', 'sip:a@RED.example'] })],
  ])('%s is %s', async (_name, code, body) => {
    expect(await codeOf(put(body))).toBe(code);
  });

  test('deep nesting is refused within the limit on depth', async () => {
    const deep = text.replace(
      '</list-service>',
      `${'<x:a xmlns:x="urn:x">'.repeat(100)}${'</x:a>'.repeat(100)}</list-service>`,
    );
    expect(await codeOf(put(Buffer.from(deep)))).toBe('constraint-failure');
  });

  test('TS 24.481 6.3.2.3: a group ID outside our domains, with free alternatives inside', async () => {
    const refusal = await refusalOf(put(groupDocument({ uri: 'sip:alpha@blue.example' })));
    expect(refusal.code).toBe('uniqueness-failure');
    expect(refusal.detail.exists).toEqual([
      { field: 'group/list-service/@uri', altValues: ['sip:alpha@red.example', 'sip:alpha-2@red.example'] },
    ]);
    expect(await codeOf(put(groupDocument({ uri: 'tel:+1555' })))).toBe('uniqueness-failure');
  });

  test('RFC 4826 3.4.5: resource-lists with an entry twice', async () => {
    const body = Buffer.from(
      lists.toString().replace('<list name="a"/>', '<list><entry uri="sip:a@x"/><entry uri="sip:a@x"/></list>'),
    );
    const refusal = await refusalOf(room.documents.put(alice, listsKey, body, {}));
    expect(refusal.detail.exists?.[0]?.field).toBe('resource-lists/list/entry%5B2%5D/@uri');
  });
});

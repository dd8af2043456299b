import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DocumentKey } from '../store/store.ts';
import { defaultXmlLimits } from '../xml/limits.ts';
import { readXml } from '../xml/xml-document.ts';
import { capabilitiesAuid, directoryAuid, groupsAuid, resourceListsAuid } from './application-usage.ts';
import {
  administrator,
  client,
  closeSchemas,
  codeOf,
  groupDocument,
  homeKey,
  membersSeeMembers,
  openRoom,
  type Room,
  refusalOf,
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
const alpha = 'sip:alpha@red.example';
const byGroup = (groupId: string): DocumentKey => ({
  auid: groupsAuid,
  tree: 'global',
  xui: '',
  name: `byGroupID/${groupId}`,
});
const listsKey: DocumentKey = { auid: resourceListsAuid, tree: 'users', xui: 'sip:alice@red.example', name: 'index' };
const alice = client('sip:alice@red.example');
const lists = Buffer.from(
  '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="a"/></resource-lists>',
);
const put = (body: Uint8Array, preconditions = {}, at = key, principal = administrator) =>
  room.documents.put(principal, at, body, preconditions);

/** Nothing of a refused write may be left. */
async function expectNothingStored(): Promise<void> {
  expect(await room.store.documents({})).toEqual([]);
  expect(await room.store.journal()).toEqual([]);
  expect(await room.store.deliveries()).toEqual([]);
  expect(room.events).toEqual([]);
}

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
    expect(room.events).toEqual([
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

describe('refusals leave nothing behind', () => {
  afterEach(expectNothingStored);

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
    expect(facts.listServices[0]?.entries).toHaveLength(1);
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
    await expectNothingStored();
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
    await expectNothingStored();
  });

  test('only one room causes them', () => {
    room.documents.causeDeliveries(async () => []);
    expect(() => room.documents.causeDeliveries(async () => [])).toThrow();
  });
});

describe('concurrent writers and readers', () => {
  test('of 50 PUTs that expect the same tag exactly one wins', async () => {
    const { tag } = await put(groupDocument({ name: 'start' }));
    const bodies = Array.from({ length: 50 }, (_, number) => groupDocument({ name: `writer ${number}` }));
    const outcomes = await Promise.allSettled(bodies.map((body) => put(body, { ifMatch: [tag] })));
    const winners = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.tag] : []));
    expect(winners).toHaveLength(1);
    expect((await room.documents.find(key))?.tag).toBe(winners[0]);
    expect(room.events.map(({ changes }) => changes[0]?.tag)).toEqual([tag, winners[0]]);
  });

  test('of 50 PUTs that create exactly one wins', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, number) => put(groupDocument({ name: `writer ${number}` }), { ifNoneMatch: '*' })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('50 PUTs without precondition all succeed, each seen in one chain of events', async () => {
    await Promise.all(Array.from({ length: 50 }, (_, number) => put(groupDocument({ name: `writer ${number}` }))));
    expect(room.events).toHaveLength(50);
    let last: string | undefined;
    for (const { changes } of room.events) {
      expect(changes[0]?.previousTag).toBe(last);
      last = changes[0]?.tag;
    }
    expect((await room.documents.find(key))?.tag).toBe(last);
  });

  test('a writer that goes on from what it read never loses the work of another', async () => {
    await put(groupDocument({ members: [] }));
    const join = async (member: string): Promise<void> => {
      for (;;) {
        const current = await room.documents.find(key);
        const members = (current?.group?.listServices[0]?.entries ?? []).map(({ uri }) => uri);
        const body = groupDocument({ members: [...members, member] });
        const outcome = await put(body, { ifMatch: [current?.tag ?? ''] }).catch(
          (error: { code?: string }) => error.code,
        );
        if (outcome !== 'precondition-failed') return;
      }
    };
    const members = Array.from({ length: 20 }, (_, number) => `sip:user${number}@red.example`);
    await Promise.all(members.map(join));
    const stored = (await room.documents.find(key))?.group?.listServices[0]?.entries.map(({ uri }) => uri);
    expect(stored?.toSorted()).toEqual(members.toSorted());
  });

  test('readers never see a state that is torn or older than what they saw', async () => {
    const order = new Map<string | undefined, number>();
    room.documents.onChange(({ changes, sequence }) => order.set(changes[0]?.tag, sequence));
    await put(groupDocument({ name: 'start' }));
    let writing = true;
    let reads = 0;
    const read = async (at: DocumentKey): Promise<void> => {
      let newest = 0;
      while (writing) {
        const document = await room.documents.find(at);
        expect(document?.tag).toBe(entityTag(document?.bytes ?? new Uint8Array()));
        const seen = order.get(document?.tag) ?? -1;
        expect(seen).toBeGreaterThanOrEqual(newest);
        newest = seen;
        reads++;
        await new Promise(setImmediate);
      }
    };
    const readers = [read(key), read(byGroup(alpha)), read(key)];
    for (let number = 0; number < 30; number++) await put(groupDocument({ name: `version ${number}` }));
    writing = false;
    await Promise.all(readers);
    expect(reads).toBeGreaterThan(30);
  });

  test('what a writer was told is what the next reader sees, with and without cache', async () => {
    const uncached = await openRoom({ cacheBytes: 0 });
    for (const { documents } of [room, uncached]) {
      for (let number = 0; number < 5; number++) {
        const { tag } = await documents.put(administrator, key, groupDocument({ name: `v${number}` }), {});
        expect((await documents.find(key))?.tag).toBe(tag);
        expect((await documents.findGroup(alpha))?.tag).toBe(tag);
      }
    }
    await uncached.close();
  });

  test('another process that is faster: the write is judged again and then goes through', async () => {
    const { tag } = await put(groupDocument({ name: 'start' }));
    const other = groupDocument({ name: 'by another process' });
    let once = true;
    room.documents.causeDeliveries(async () => {
      if (once) {
        once = false;
        const document = { key, tag: entityTag(other), bytes: other, groupId: alpha };
        await room.store.commit({ documents: [{ write: 'put', document }] });
      }
      return [];
    });
    const outcome = await put(groupDocument({ name: 'ours' }));
    expect(room.events.at(-1)?.changes[0]).toMatchObject({ previousTag: entityTag(other), tag: outcome.tag });
    once = true;
    expect(await codeOf(put(groupDocument({ name: 'guarded' }), { ifMatch: [outcome.tag, tag] }))).toBe(
      'precondition-failed',
    );
  });

  test('another process that is faster each time ends in unavailable', async () => {
    await put(groupDocument({ name: 'start' }));
    let number = 0;
    room.documents.causeDeliveries(async () => {
      const bytes = groupDocument({ name: `other ${number++}` });
      await room.store.commit({
        documents: [{ write: 'put', document: { key, tag: entityTag(bytes), bytes, groupId: alpha } }],
      });
      return [];
    });
    expect(await codeOf(put(groupDocument({ name: 'ours' })))).toBe('unavailable');
    expect(await codeOf(room.documents.delete(administrator, key, {}))).toBe('unavailable');
    expect(number).toBeLessThan(20);
  });
});

describe('change events', () => {
  test('they come in commit order, after readers can see the change, also for different documents', async () => {
    const sequences: number[] = [];
    const seen: boolean[] = [];
    room.documents.onChange(({ sequence, changes }) => {
      sequences.push(sequence);
      const [change] = changes;
      if (change !== undefined)
        void room.documents.find(change.key).then((document) => seen.push(document?.tag === change.tag));
    });
    await Promise.all(
      Array.from({ length: 40 }, (_, number) =>
        put(groupDocument({ uri: `sip:g${number}@red.example` }), {}, homeKey(`g${number}`)),
      ),
    );
    expect(sequences).toHaveLength(40);
    expect(sequences).toEqual(sequences.toSorted((one, other) => one - other));
    await new Promise(setImmediate);
    expect(seen).toEqual(Array.from({ length: 40 }, () => true));
  });

  test('a listener that throws disturbs neither the write nor the others', async () => {
    const reported: unknown[] = [];
    const own = await openRoom({ report: (error) => reported.push(error) });
    const later: number[] = [];
    own.documents.onChange(() => {
      throw new Error('listener broke');
    });
    const stop = own.documents.onChange(({ sequence }) => later.push(sequence));
    await own.documents.put(administrator, key, groupDocument({}), {});
    stop();
    await own.documents.delete(administrator, key, {});
    expect(later).toEqual([1]);
    expect(reported).toHaveLength(2);
    await own.close();
  });
});

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
    expect(view.group?.listServices[0]?.entries).toEqual([]);
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

test('usages are found by AUID', () => {
  expect(room.documents.usage(groupsAuid)?.mimeType).toBe('application/vnd.oma.poc.groups+xml');
  expect(room.documents.usage('nothing')).toBeUndefined();
  expect(room.documents.usages).toHaveLength(4);
});

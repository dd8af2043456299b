// Local edits of foreign groups: kept as RFC 5261 operations, replayed on every new source, never lost.
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseNodeSelector } from '../xml/node-selector.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import {
  administrator,
  byGroup,
  closeSchemas,
  codeOf,
  type GroupSketch,
  groupDocument,
  openRoom,
  type Room,
  refusalOf,
  server,
} from './documents.testkit.ts';
import type { NodeAddress, PutOutcome } from './documents.ts';
import { entityTag } from './entity-tag.ts';

const groupId = 'sip:flood@blue.example';
const key = byGroup(groupId);
const members = ['sip:ana@blue.example', 'sip:ben@blue.example'];
const member = (name: string): string => `group/list-service/list/entry[@uri="sip:${name}@blue.example"]`;
const selector = (text: string): NodeAddress => ({
  selector: parseNodeSelector(text.split('/')),
  bindings: [{ prefix: 'rl', namespace: 'urn:ietf:params:xml:ns:resource-lists' }],
});

let room: Room;
const binds = { part: undefined as string | undefined };
beforeEach(async () => {
  binds.part = undefined;
  room = await openRoom({ bindsBothSystems: (_before: OffsetIndex, _after: OffsetIndex) => binds.part });
});
afterEach(() => room.close());
afterAll(closeSchemas);

async function provide(sketch: GroupSketch = {}): Promise<void> {
  const source = groupDocument({ uri: groupId, members, ...sketch });
  await room.documents.putForeign(
    {
      groupId,
      partner: 'blue',
      source,
      served: source,
      policy: 'none',
      policyVersion: 0,
      appliedRules: [],
      actor: 'sip:gms@blue.example',
    },
    {},
  );
}

const put = (node: string, body: string, preconditions = {}, who = administrator): Promise<PutOutcome> =>
  room.documents.putNode(who, key, selector(node), async () => Buffer.from(body), preconditions);
const remove = (node: string): Promise<string> => room.documents.deleteNode(administrator, key, selector(node), {});
const served = async (): Promise<string> =>
  Buffer.from((await room.documents.findGroup(groupId))?.bytes ?? new Uint8Array()).toString();
const states = async (): Promise<readonly string[]> =>
  (await room.documents.overlay(groupId)).edits.map(
    ({ number, conflict }) => `${number}${conflict === undefined ? '' : ' conflict'}`,
  );

const nora = '<entry uri="sip:nora@red.example"/>';

describe('a local administrator edits the served copy', () => {
  beforeEach(() => provide());

  test('by element and attribute PUT and DELETE, each with the new tag of the document; the source stays', async () => {
    const before = await room.documents.findSource(groupId);
    const added = await put(member('nora').replace('blue', 'red'), nora);
    expect(added).toMatchObject({ created: true, changed: true });
    expect(await served()).toContain(nora);
    expect(added.tag).toBe(entityTag(Buffer.from(await served())));
    const changed = await put(`${member('ana')}/rl:display-name`, '<rl:display-name>Ana</rl:display-name>');
    expect(changed).toMatchObject({ created: false, changed: true });
    const tag = await remove(member('ben'));
    expect(tag).toBe((await room.documents.findGroup(groupId))?.tag);
    expect(await served()).not.toContain('sip:ben@blue.example');
    expect(await states()).toEqual(['1', '2', '3']);
    expect(await room.documents.findSource(groupId)).toEqual(before);
    expect(room.events.slice(1).flatMap(({ changes }) => changes)).toMatchObject([
      { groupId },
      { groupId },
      { groupId },
    ]);
  });

  test('which is journalled with the acting person, the node and the number of the edit', async () => {
    await put(member('nora').replace('blue', 'red'), nora);
    expect((await room.store.journal()).at(-1)).toMatchObject({
      actor: 'sip:admin@red.example',
      action: 'node-put',
      subject: groupId,
      detail: { overlay: 1, node: member('nora').replace('blue', 'red') },
    });
  });

  test('RFC 4825 8.2.5: If-Match compares the tag of the served document', async () => {
    expect(await codeOf(put(member('ana'), nora, { ifMatch: ['other'] }))).toBe('precondition-failed');
    const tag = (await room.documents.findGroup(groupId))?.tag ?? '';
    const node = `${member('ana')}/rl:display-name`;
    const body = '<rl:display-name>A</rl:display-name>';
    expect(await put(node, body, { ifMatch: [tag] })).toMatchObject({ changed: true });
    expect(await codeOf(put(node, body, { ifMatch: [tag] }))).toBe('precondition-failed');
  });

  test('a PUT of what is there already keeps nothing and tells nobody', async () => {
    const events = room.events.length;
    await put(`${member('ana')}/@uri`, '"sip:ana@blue.example"');
    expect(await states()).toEqual([]);
    expect(room.events).toHaveLength(events);
  });

  test('edits of one node one after the other leave the last one', async () => {
    for (const name of ['A', 'B', 'C']) {
      await put(`${member('ana')}/rl:display-name`, `<rl:display-name>${name}</rl:display-name>`);
    }
    expect(await states()).toEqual(['3']);
    await provide({ name: 'Flood' });
    expect(await served()).toContain('<rl:display-name>C</rl:display-name>');
  });

  test.each([
    ['another group ID', 'group/list-service/@uri', '"sip:x@blue.example"', 'uniqueness-failure'],
    ['what the schema does not allow', 'group/list-service/list', '<list wrong="1"/>', 'schema-validation-error'],
    ['what is no XML', member('ana'), '<entry', 'not-xml-frag'],
    ['a parent that is missing', 'group/list-service/none/entry', nora, 'no-parent'],
  ])('%s is refused and keeps nothing', async (_, node, body, code) => {
    const before = await served();
    expect(await codeOf(put(node, body))).toBe(code);
    expect(await served()).toBe(before);
    expect(await states()).toEqual([]);
  });

  test('what binds both systems is refused', async () => {
    binds.part = 'protect-media';
    const refusal = await refusalOf(put(member('nora').replace('blue', 'red'), nora));
    expect([refusal.code, refusal.phrase]).toEqual([
      'constraint-failure',
      "protect-media binds both systems and is changed at the group's home only",
    ]);
    expect(await states()).toEqual([]);
  });

  test('servers and clients are 405, an administrator of other groups is forbidden, a missing group is no parent', async () => {
    const node = member('ana');
    const body = async (): Promise<Uint8Array> => Buffer.from(nora);
    expect(await codeOf(room.documents.putNode(server, key, selector(node), body, {}))).toBe('method-not-allowed');
    const limited = { ...administrator, groups: ['sip:*@red.example'] };
    expect(await codeOf(put(node, nora, {}, limited))).toBe('forbidden');
    const missing = byGroup('sip:none@blue.example');
    expect(await codeOf(room.documents.putNode(administrator, missing, selector(node), body, {}))).toBe('no-parent');
    expect(await codeOf(room.documents.deleteNode(administrator, missing, selector(node), {}))).toBe('not-found');
  });

  test('a home group is not edited by its ID', async () => {
    const home = byGroup('sip:alpha@red.example');
    const body = async (): Promise<Uint8Array> => Buffer.from(nora);
    expect(await codeOf(room.documents.putNode(administrator, home, selector(member('ana')), body, {}))).toBe(
      'method-not-allowed',
    );
  });

  test('an overlay is bounded: what is beyond is refused and changes nothing', async () => {
    const names = ['A', 'B'];
    for (let edit = 0; edit < 200; edit++) {
      const name = names[edit % 2] ?? '';
      await put(
        `${member(name === 'A' ? 'ana' : 'ben')}/rl:display-name`,
        `<rl:display-name>${edit}</rl:display-name>`,
      );
    }
    expect((await room.documents.overlay(groupId)).edits).toHaveLength(200);
    const before = await served();
    expect(await codeOf(put(member('nora').replace('blue', 'red'), nora))).toBe('constraint-failure');
    expect(await served()).toBe(before);
  });
});

describe('a new source', () => {
  beforeEach(async () => {
    await provide();
    await put(member('nora').replace('blue', 'red'), nora);
    await remove(member('ben'));
  });

  test('is served with the edits', async () => {
    await provide({ members: ['sip:ben@blue.example', 'sip:cleo@blue.example', 'sip:ana@blue.example'] });
    const text = await served();
    expect(text).toContain('sip:cleo@blue.example');
    expect(text).toContain(nora);
    expect(text).not.toContain('sip:ben@blue.example');
    expect(await states()).toEqual(['1', '2']);
  });

  test('to which an edit does not apply is served without that edit, which is shown as conflicting and comes back', async () => {
    await provide({ members: ['sip:ana@blue.example'] });
    expect(await states()).toEqual(['1', '2 conflict']);
    expect(await served()).toContain(nora);
    expect((await room.documents.overlay(groupId)).edits[1]?.conflict).toEqual({
      since: '2026-01-02T03:04:05.000Z',
      why: expect.stringContaining('unlocated-node'),
    });
    expect((await room.store.journal()).at(-1)).toMatchObject({ action: 'overlay-conflict', detail: { overlay: 2 } });
    const entries = (await room.store.journal()).length;
    await provide({ members: ['sip:ana@blue.example'], name: 'once more' });
    expect(await room.store.journal()).toHaveLength(entries + 1);
    await provide();
    expect(await states()).toEqual(['1', '2']);
    expect(await served()).not.toContain('sip:ben@blue.example');
  });

  test('with which an edit would not be valid is served without that edit alone', async () => {
    // The primary has added the same member: an entry stands in a list once.
    await provide({ members: [...members, 'sip:nora@red.example'] });
    expect(await states()).toEqual(['1 conflict', '2']);
    expect((await served()).match(/sip:nora@red\.example/g)).toHaveLength(1);
    expect(await served()).not.toContain('sip:ben@blue.example');
  });

  test('that ends in the same document tells nobody', async () => {
    const events = room.events.length;
    await provide();
    expect(room.events).toHaveLength(events);
  });

  test('that comes at the same time as an edit loses neither', async () => {
    await Promise.all([
      provide({ name: 'Flood 2' }),
      put(`${member('ana')}/rl:display-name`, '<rl:display-name>Ana</rl:display-name>'),
      provide({ name: 'Flood 3' }),
      put(`group/list-service/list/entry[@uri="sip:olaf@red.example"]`, '<entry uri="sip:olaf@red.example"/>'),
    ]);
    const text = await served();
    expect(text).toContain('<rl:display-name>Ana</rl:display-name>');
    expect(text).toContain('sip:olaf@red.example');
    expect(text).toContain(nora);
    expect(text).toMatch(/Flood [23]/);
    expect(await states()).toEqual(['1', '2', '3', '4']);
  });

  test('a group that its home takes away and gives again has its edits again', async () => {
    await room.documents.deleteForeign(groupId, 'sip:gms@blue.example', {});
    expect(await room.documents.findGroup(groupId)).toBeUndefined();
    expect(await states()).toEqual(['1', '2']);
    await provide();
    expect(await served()).toContain(nora);
  });
});

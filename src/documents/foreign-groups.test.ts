import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Store } from '../store/store.ts';
import {
  administrator,
  closeSchemas,
  codeOf,
  groupDocument,
  homeKey,
  openRoom,
  type Room,
} from './documents.testkit.ts';
import type { ForeignGroup } from './documents.ts';
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

const groupId = 'sip:flood@blue.example';
const members = ['sip:bob@red.example', 'sip:lena@blue.example'];
const source = groupDocument({ uri: groupId, members });
const served = groupDocument({ uri: groupId, members: ['sip:bob@red.example'] });
const key = { auid: 'org.openmobilealliance.groups', tree: 'global', xui: '', name: `byGroupID/${groupId}` } as const;

const group = (more: Partial<ForeignGroup> = {}): ForeignGroup => ({
  groupId,
  partner: 'blue',
  source,
  served,
  policy: 'from-blue',
  policyVersion: 1,
  appliedRules: ['our members'],
  actor: 'sip:gms@blue.example',
  ...more,
});

describe('TS 23.280 10.2.7: a group of a partner system', () => {
  test('source and served document are stored together, each with its tag', async () => {
    const outcome = await room.documents.putForeign(group({ primaryTag: 'theirs' }), {});
    expect(outcome).toEqual({ created: true, changed: true, tag: entityTag(source), servedTag: entityTag(served) });
    expect(await room.documents.findGroup(groupId)).toMatchObject({ key, groupId, tag: entityTag(served) });
    const kept = await room.documents.findSource('SIP:flood@Blue.example');
    expect(kept).toMatchObject({
      groupId,
      partner: 'blue',
      tag: entityTag(source),
      primaryTag: 'theirs',
      policy: 'from-blue',
      policyVersion: 1,
      appliedRules: ['our members'],
      received: '2026-01-02T03:04:05.000Z',
    });
    expect(Buffer.compare(kept?.bytes ?? new Uint8Array(), source)).toBe(0);
    expect(room.events).toMatchObject([
      { sequence: 1, changes: [{ key, groupId, previousTag: undefined, tag: entityTag(served) }] },
    ]);
    expect(await room.store.journal()).toMatchObject([{ actor: 'sip:gms@blue.example', subject: groupId }]);
    expect((await room.documents.list({ groups: true })).map((document) => document.key)).toEqual([key]);
  });

  test('the ID is canonical in the store, whatever its spelling in address and document', async () => {
    const spelled = groupDocument({ uri: 'SIP:flood@BLUE.example', members });
    await room.documents.putForeign(
      group({ groupId: 'sip:fl%6Fod@Blue.example', source: spelled, served: spelled }),
      {},
    );
    expect((await room.store.documents({}))[0]?.key).toEqual(key);
  });

  test('the same again changes nothing and makes no event', async () => {
    await room.documents.putForeign(group(), {});
    const again = await room.documents.putForeign(group({ appliedRules: ['our members'] }), {});
    expect(again).toEqual({ created: false, changed: false, tag: entityTag(source), servedTag: entityTag(served) });
    expect(room.events).toHaveLength(1);
    expect(await room.store.journal()).toHaveLength(1);
  });

  test('the same again still writes the journal entries it brings', async () => {
    const entry = { at: '2026-01-02T03:04:05.000Z', actor: 'x', action: 'provision-accepted', subject: groupId };
    await room.documents.putForeign(group({ journal: [entry] }), {});
    await room.documents.putForeign(group({ journal: [entry] }), {});
    expect((await room.store.journal()).map(({ action }) => action)).toEqual([
      'provision-accepted',
      'provision-accepted',
    ]);
    expect(room.events).toHaveLength(1);
  });

  test('a new source with an unchanged served result is kept without event', async () => {
    await room.documents.putForeign(group(), {});
    const newer = groupDocument({ uri: groupId, members: [...members, 'sip:third@blue.example'] });
    const outcome = await room.documents.putForeign(group({ source: newer }), {});
    expect(outcome).toEqual({ created: false, changed: false, tag: entityTag(newer), servedTag: entityTag(served) });
    expect((await room.documents.findSource(groupId))?.tag).toBe(entityTag(newer));
    expect((await room.documents.findGroup(groupId))?.group?.listServices[0]?.members.entries).toHaveLength(1);
    expect(room.events).toHaveLength(1);
  });

  test('another policy over the same source changes the served document alone', async () => {
    await room.documents.putForeign(group(), {});
    const outcome = await room.documents.putForeign(group({ served: source, policyVersion: 2, appliedRules: [] }), {});
    expect(outcome).toMatchObject({
      created: false,
      changed: true,
      tag: entityTag(source),
      servedTag: entityTag(source),
    });
    expect(room.events.at(-1)?.changes).toMatchObject([{ previousTag: entityTag(served), tag: entityTag(source) }]);
  });

  test('a source that is derived anew did not arrive anew', async () => {
    const sent = '2026-01-02T03:04:05.000Z';
    await room.documents.putForeign(group({ sent }), {});
    const arrived = (await room.documents.findSource(groupId))?.received;
    room.clock.set('2026-01-02T03:05:05.000Z');
    await room.documents.putForeign(group({ sent, served: source, policyVersion: 2 }), {});
    expect(await room.documents.findSource(groupId)).toMatchObject({ policyVersion: 2, received: arrived });
    await room.documents.putForeign(group({ sent: '2026-01-02T03:05:05.000Z' }), {});
    expect((await room.documents.findSource(groupId))?.received).toBe('2026-01-02T03:05:05.000Z');
  });

  test('If-Match and If-None-Match compare the tag of the source, before anything is judged', async () => {
    await room.documents.putForeign(group(), { ifNoneMatch: '*' });
    const broken = group({ served: Buffer.from('no xml') });
    expect(await codeOf(room.documents.putForeign(broken, { ifNoneMatch: '*' }))).toBe('precondition-failed');
    expect(await codeOf(room.documents.putForeign(broken, { ifMatch: [entityTag(served)] }))).toBe(
      'precondition-failed',
    );
    expect(await codeOf(room.documents.putForeign(broken, { ifMatch: [entityTag(source)] }))).toBe('not-well-formed');
    expect(await codeOf(room.documents.deleteForeign(groupId, 'x', { ifMatch: [entityTag(served)] }))).toBe(
      'precondition-failed',
    );
    await room.documents.deleteForeign(groupId, 'x', { ifMatch: [entityTag(source)] });
  });

  test.each([
    ['another group', groupDocument({ uri: 'sip:other@blue.example' }), 'uniqueness-failure'],
    ['two groups', groupDocument({ uri: groupId }, { uri: 'sip:other@blue.example' }), 'constraint-failure'],
    ['no group', Buffer.from('<group/>'), 'schema-validation-error'],
  ])('a served document with %s is refused and nothing stored', async (_name, bytes, code) => {
    expect(await codeOf(room.documents.putForeign(group({ served: bytes }), {}))).toBe(code);
    expect(await room.store.sources()).toEqual([]);
    expect(await room.store.documents({})).toEqual([]);
    expect(room.events).toEqual([]);
  });

  test('a group of our own domains is never foreign', async () => {
    const ours = 'sip:alpha@red.example';
    const bytes = groupDocument({ uri: ours });
    expect(await codeOf(room.documents.putForeign(group({ groupId: ours, source: bytes, served: bytes }), {}))).toBe(
      'partner-not-authoritative',
    );
  });

  test('a foreign ID that a document here has kept from former domains is refused', async () => {
    const document = { key: homeKey('old'), tag: 'old', bytes: served, groupId };
    await room.store.commit({ documents: [{ write: 'put', document }] });
    expect(await codeOf(room.documents.putForeign(group(), {}))).toBe('uniqueness-failure');
    expect(await room.store.sources()).toEqual([]);
  });

  test('foreign groups cause no deliveries: what one system gave is not given to another', async () => {
    room.documents.causeDeliveries(() => Promise.reject(new Error('not asked')));
    await room.documents.putForeign(group(), {});
    await room.documents.deleteForeign(groupId, 'sip:gms@blue.example', {});
    expect(await room.store.deliveries()).toEqual([]);
  });

  test('deletion removes both and makes one event; then it is not found', async () => {
    await room.documents.putForeign(group(), {});
    await room.documents.deleteForeign('sip:flood@BLUE.example', 'sip:gms@blue.example', {});
    expect(await room.documents.findGroup(groupId)).toBeUndefined();
    expect(await room.documents.findSource(groupId)).toBeUndefined();
    expect(room.events.at(-1)?.changes).toEqual([{ key, groupId, previousTag: entityTag(served), tag: undefined }]);
    expect(await codeOf(room.documents.deleteForeign(groupId, 'x', {}))).toBe('not-found');
    expect(await codeOf(room.documents.deleteForeign('nonsense', 'x', {}))).toBe('not-found');
  });

  test('of 20 concurrent provisions that create exactly one does', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, number) => {
        const bytes = groupDocument({ uri: groupId, name: `version ${number}` });
        return room.documents.putForeign(group({ source: bytes, served: bytes }), { ifNoneMatch: '*' });
      }),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const kept = await room.documents.findSource(groupId);
    expect((await room.documents.findGroup(groupId))?.tag).toBe(kept?.tag);
  });

  test('an administrator does not write it at its address', async () => {
    await room.documents.putForeign(group(), {});
    expect(await codeOf(room.documents.put(administrator, key, served, {}))).toBe('method-not-allowed');
    expect(await codeOf(room.documents.delete(administrator, key, {}))).toBe('method-not-allowed');
  });
});

describe('another process that is faster with the same group', () => {
  /** A room whose store slips in `competitor` right before the second commit. */
  async function racing(competitor: Uint8Array, servedByIt: Uint8Array): Promise<Room> {
    let commits = 0;
    const commit: Store['commit'] = async (own) => {
      if (++commits === 2) {
        const kept = await room.store.source(groupId);
        if (kept === undefined) throw new Error('nothing is kept yet');
        const document = { key, tag: entityTag(servedByIt), bytes: servedByIt, groupId };
        const newer = { ...kept, bytes: competitor, tag: entityTag(competitor) };
        await room.store.commit({
          documents: [{ write: 'put', document }],
          sources: [{ write: 'put', source: newer }],
        });
      }
      return room.store.commit(own);
    };
    const store = new Proxy<Store>(room.store, {
      get: (target, name) => {
        if (name === 'commit') return commit;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    return openRoom({ store });
  }

  const competitor = groupDocument({ uri: groupId, name: 'by another process' });
  const newer = groupDocument({ uri: groupId, name: 'newer' });

  test.each([
    ['changed what is served', competitor],
    ['left what is served as it was', served],
  ])('one that %s makes the precondition fail', async (_name, servedByIt) => {
    const slower = await racing(competitor, servedByIt);
    await slower.documents.putForeign(group(), {});
    const update = group({ source: newer, served: newer });
    expect(await codeOf(slower.documents.putForeign(update, { ifMatch: [entityTag(source)] }))).toBe(
      'precondition-failed',
    );
    expect((await room.store.source(groupId))?.tag).toBe(entityTag(competitor));
    expect((await slower.documents.findGroup(groupId))?.tag).toBe(entityTag(servedByIt));
    await slower.close();
  });

  test('without precondition the later one goes on from what is there now', async () => {
    const slower = await racing(competitor, competitor);
    await slower.documents.putForeign(group(), {});
    await slower.documents.putForeign(group({ source: newer, served: newer }), {});
    expect(slower.events.at(-1)?.changes).toMatchObject([
      { previousTag: entityTag(competitor), tag: entityTag(newer) },
    ]);
    expect((await room.store.source(groupId))?.tag).toBe(entityTag(newer));
    await slower.close();
  });
});

describe('a kept copy that cannot be checked', () => {
  test('is marked stale from the first failure on, until it is current again', async () => {
    await room.documents.putForeign(group(), {});
    const staleSince = async (): Promise<string | undefined> => (await room.documents.findSource(groupId))?.staleSince;
    await room.documents.markStale(groupId, '2026-01-02T04:00:00.000Z');
    await room.documents.markStale(groupId, '2026-01-02T05:00:00.000Z');
    expect(await staleSince()).toBe('2026-01-02T04:00:00.000Z');
    await room.documents.markStale(groupId, undefined);
    await room.documents.markStale(groupId, undefined);
    expect(await staleSince()).toBeUndefined();
    expect((await room.store.journal()).map(({ action }) => action)).toEqual([
      'document-put',
      'source-stale',
      'source-current',
    ]);
    expect(room.events).toHaveLength(1);
  });

  test('a provision makes it current, even with the same content', async () => {
    await room.documents.putForeign(group(), {});
    await room.documents.markStale(groupId, '2026-01-02T04:00:00.000Z');
    await room.documents.putForeign(group(), {});
    expect((await room.documents.findSource(groupId))?.staleSince).toBeUndefined();
    expect(room.events).toHaveLength(1);
  });

  test('marking a group that is not here does nothing', async () => {
    await room.documents.markStale(groupId, '2026-01-02T04:00:00.000Z');
    await room.documents.markStale('nonsense', undefined);
    expect(await room.store.journal()).toEqual([]);
  });
});

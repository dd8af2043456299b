// Concurrent writers, readers and listeners of the document service.
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DocumentKey } from '../store/store.ts';
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
        const members = (current?.group?.listServices[0]?.members.entries ?? []).map(({ uri }) => uri);
        const body = groupDocument({ members: [...members, member] });
        const outcome = await put(body, { ifMatch: [current?.tag ?? ''] }).catch(
          (error: { code?: string }) => error.code,
        );
        if (outcome !== 'precondition-failed') return;
      }
    };
    const members = Array.from({ length: 20 }, (_, number) => `sip:user${number}@red.example`);
    await Promise.all(members.map(join));
    const stored = (await room.documents.find(key))?.group?.listServices[0]?.members.entries.map(({ uri }) => uri);
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

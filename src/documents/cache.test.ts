import { describe, expect, test } from '@jest/globals';
import type { StoredDocument } from '../store/store.ts';
import { DocumentCache } from './cache.ts';
import { groupDocument, homeKey } from './documents.testkit.ts';

function stored(
  name: string,
  tag: string,
  groupId = `sip:${name}@red.example`,
  bytes = groupDocument({}),
): StoredDocument {
  return { key: homeKey(name), tag, bytes, groupId, modified: '2026-01-02T03:04:05.000Z' };
}

const nothing = async (): Promise<undefined> => undefined;

describe('the document cache', () => {
  test('a document is read from the store once and then found by key and by group ID', async () => {
    const cache = new DocumentCache(1_000_000);
    let reads = 0;
    const read = async (): Promise<StoredDocument> => {
      reads++;
      return stored('alpha', 'one');
    };
    const both = await Promise.all([cache.document(homeKey('alpha'), read), cache.document(homeKey('alpha'), read)]);
    expect(both[0]).toBe(both[1]);
    expect(cache.heldGroup('sip:alpha@red.example')).toBe(both[0]);
    expect(reads).toBe(1);
  });

  test('a read that a commit overtakes is neither kept nor joined', async () => {
    const cache = new DocumentCache(1_000_000);
    const slow = Promise.withResolvers<StoredDocument | undefined>();
    const early = cache.document(homeKey('alpha'), () => slow.promise);
    const earlyGroup = cache.group('sip:alpha@red.example', () => slow.promise);
    await Promise.resolve();
    cache.replace(stored('alpha', 'two'), {}, { groupId: 'sip:alpha@red.example' });
    expect((await cache.document(homeKey('alpha'), nothing))?.tag).toBe('two');
    slow.resolve(stored('alpha', 'one'));
    expect((await early)?.tag).toBe('one');
    await earlyGroup;
    expect(cache.held(homeKey('alpha'))?.tag).toBe('two');
    expect(cache.heldGroup('sip:alpha@red.example')?.tag).toBe('two');
  });

  test('a read overtaken by a deletion leaves nothing behind', async () => {
    const cache = new DocumentCache(1_000_000);
    const slow = Promise.withResolvers<StoredDocument | undefined>();
    const early = cache.group('sip:alpha@red.example', () => slow.promise);
    await Promise.resolve();
    cache.forget(homeKey('alpha'), 'sip:alpha@red.example');
    slow.resolve(stored('alpha', 'one'));
    await early;
    expect(cache.held(homeKey('alpha'))).toBeUndefined();
    expect(cache.heldGroup('sip:alpha@red.example')).toBeUndefined();
  });

  test('a document that takes another group ID is no longer found under the former', () => {
    const cache = new DocumentCache(1_000_000);
    cache.replace(stored('alpha', 'one'), {});
    cache.replace(stored('alpha', 'two', 'sip:beta@red.example'), {}, { groupId: 'sip:alpha@red.example' });
    expect(cache.heldGroup('sip:alpha@red.example')).toBeUndefined();
    expect(cache.heldGroup('sip:beta@red.example')?.tag).toBe('two');
  });

  test('a failed read is not remembered', async () => {
    const cache = new DocumentCache(1_000_000);
    await expect(cache.document(homeKey('a'), () => Promise.reject(new Error('disk')))).rejects.toThrow('disk');
    expect((await cache.document(homeKey('a'), async () => stored('a', 'one')))?.tag).toBe('one');
  });

  test('memory stays below the bound, indexes and facts included, and the oldest go first', () => {
    const cache = new DocumentCache(200_000);
    const members = Array.from({ length: 100 }, (_, number) => `sip:user${number}@red.example`);
    for (let number = 0; number < 20; number++) {
      cache.replace(stored(`g${number}`, 'one', undefined, groupDocument({ members })), {});
      const before = cache.size;
      expect(cache.held(homeKey(`g${number}`))?.group?.listServices[0]?.members.entries).toHaveLength(100);
      expect(number > 0 || cache.size > before + 50_000).toBe(true);
      expect(cache.size).toBeLessThanOrEqual(200_000);
    }
    expect(cache.held(homeKey('g0'))).toBeUndefined();
    expect(cache.heldGroup('sip:g0@red.example')).toBeUndefined();
    expect(cache.held(homeKey('g19'))).toBeDefined();
  });

  test('a document larger than the bound is served without being kept', async () => {
    const cache = new DocumentCache(100);
    expect((await cache.document(homeKey('a'), async () => stored('a', 'one')))?.tag).toBe('one');
    expect(cache.held(homeKey('a'))).toBeUndefined();
    expect(cache.heldGroup('sip:a@red.example')).toBeUndefined();
  });

  test('with a bound of 0 nothing is kept and everything is served', async () => {
    const cache = new DocumentCache(0);
    const document = await cache.document(homeKey('a'), async () => stored('a', 'one'));
    expect(document?.group?.listServices).toHaveLength(1);
    expect(cache.held(homeKey('a'))).toBeUndefined();
    expect(cache.size).toBe(0);
  });
});

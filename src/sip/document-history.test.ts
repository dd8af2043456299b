import { describe, expect, test } from '@jest/globals';
import type { ServedDocument } from '../documents/documents.ts';
import { DocumentHistory } from './document-history.ts';

const version = (octets: number): ServedDocument => ({ bytes: new Uint8Array(octets) }) as ServedDocument;
const sequences = (history: DocumentHistory, since: number): readonly number[] | undefined =>
  history.since('a', since)?.map(({ sequence }) => sequence);

describe('RFC 5875 4.3: the history of a document', () => {
  test('from a commit on, in order, deletions too, each commit once', () => {
    const history = new DocumentHistory();
    history.note('a', { sequence: 3, document: version(10) });
    history.note('a', { sequence: 3, document: version(10) });
    history.note('b', { sequence: 4, document: version(10) });
    history.note('a', { sequence: 7, document: undefined });
    expect(sequences(history, 3)).toEqual([3, 7]);
    expect(sequences(history, 7)).toEqual([7]);
  });

  test('what was not noted from the beginning is not known', () => {
    const history = new DocumentHistory();
    history.note('a', { sequence: 3, document: version(10) });
    expect(sequences(history, 2)).toBeUndefined();
    expect(sequences(history, 4)).toBeUndefined();
    expect(history.since('other', 3)).toBeUndefined();
  });

  test('a document too large to be patched is a gap', () => {
    const history = new DocumentHistory();
    history.note('a', { sequence: 1, document: version(10) });
    history.note('a', { sequence: 2, document: version(300_000) });
    history.note('a', { sequence: 3, document: version(10) });
    expect(sequences(history, 1)).toBeUndefined();
    expect(sequences(history, 2)).toBeUndefined();
    expect(sequences(history, 3)).toEqual([3]);
  });

  test('64 steps of one document, 8 MB of all, and no step of an incomplete history is taken for the whole', () => {
    const history = new DocumentHistory();
    for (let sequence = 1; sequence <= 100; sequence++) history.note('a', { sequence, document: version(10) });
    expect(sequences(history, 36)).toBeUndefined();
    expect(sequences(history, 37)).toHaveLength(64);
    for (let number = 0; number < 200; number++) {
      history.note(`d${number}`, { sequence: 1_000 + number, document: version(200_000) });
      expect(history.size).toBeLessThanOrEqual(8 * 1024 * 1024);
    }
    expect(sequences(history, 37)).toBeUndefined();
    history.note('a', { sequence: 2_000, document: version(10) });
    expect(sequences(history, 100)).toBeUndefined();
    expect(sequences(history, 2_000)).toEqual([2_000]);
  });
});

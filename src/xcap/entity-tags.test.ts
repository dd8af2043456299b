// Entity tags of header fields: lists in which tags may contain commas, with and without quotes.
import { describe, expect, test } from '@jest/globals';
import { parseEntityTag, parseEntityTagList, preconditionsOf } from './entity-tags.ts';

describe('RFC 9110 13.1: If-Match and If-None-Match', () => {
  test.each([
    ['*', '*'],
    [' * ', '*'],
    ['"a"', ['a']],
    ['"a", "b"', ['a', 'b']],
    ['"a,b" ,"c"', ['a,b', 'c']],
    ['"a"\t,, "b",', ['a', 'b']],
    ['a-41', ['a-41']],
    ['a, "b"', ['a', 'b']],
    ['""', ['']],
    ['"W/x"', ['W/x']],
    ['"*"', ['*']],
    ['"a", "*"', ['a', '*']],
  ])('%j', (value, tags) => {
    expect(parseEntityTagList(value, 'strong')).toEqual(tags);
  });

  test('RFC 9110 8.8.3.2: a weak tag counts in the weak comparison only', () => {
    expect(parseEntityTagList('W/"a", "b", W/c', 'weak')).toEqual(['a', 'b', 'c']);
    expect(parseEntityTagList('W/"a", "b"', 'strong')).toEqual(['b']);
    expect(parseEntityTagList('W/"a"', 'strong')).toEqual([]);
  });

  test.each(['', ',', '"a', 'a"', '"a" "b"', '*, "a"', '"a", *', 'W/*', '"a\u0000"', 'a b'])(
    '%j is malformed',
    (value) => {
      expect(() => parseEntityTagList(value, 'weak')).toThrow('malformed');
    },
  );

  test('a field that is absent is no empty list', () => {
    expect(preconditionsOf({})).toEqual({});
    expect(preconditionsOf({ 'if-match': 'W/"a"' })).toEqual({ ifMatch: [], ifNoneMatch: undefined });
    expect(preconditionsOf({ 'if-none-match': '*' })).toEqual({ ifMatch: undefined, ifNoneMatch: '*' });
  });
});

test.each([
  ['"a"', 'a'],
  ['W/"a"', 'a'],
  ['a', undefined],
  ['""', undefined],
  ['"a", "b"', undefined],
  [undefined, undefined],
])('the ETag field %j of a partner gives %j', (value, tag) => {
  expect(parseEntityTag(value)).toBe(tag);
});

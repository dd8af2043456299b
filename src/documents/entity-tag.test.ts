import { describe, expect, test } from '@jest/globals';
import { entityTag, matchesStrongly, matchesWeakly, preconditionsHold } from './entity-tag.ts';

describe('entity tags', () => {
  test('the tag is the first half of SHA-256 in base64url', () => {
    // SHA-256 of "abc", FIPS 180-2 appendix B.1
    expect(entityTag(Buffer.from('abc'))).toBe(
      Buffer.from('ba7816bf8f01cfea414140de5dae2223', 'hex').toString('base64url'),
    );
  });

  test('equal bytes have equal tags, one changed byte another', () => {
    expect(entityTag(Buffer.from('<a/>'))).toBe(entityTag(new Uint8Array(Buffer.from('<a/>'))));
    expect(entityTag(Buffer.from('<a/>'))).not.toBe(entityTag(Buffer.from('<a />')));
  });
});

describe('RFC 9110 13: preconditions of a write', () => {
  test('8.8.3.2: If-Match compares strongly, If-None-Match weakly', () => {
    expect(matchesStrongly(['W/a'], 'a')).toBe(false);
    expect(matchesStrongly(['b', 'a'], 'a')).toBe(true);
    expect(matchesWeakly(['W/a'], 'a')).toBe(true);
    expect(matchesWeakly(['b'], 'a')).toBe(false);
  });

  test.each([
    ['no precondition', {}, undefined, true],
    ['no precondition', {}, 'a', true],
    ['13.1.1: If-Match * on nothing', { ifMatch: '*' }, undefined, false],
    ['13.1.1: If-Match * on something', { ifMatch: '*' }, 'a', true],
    ['13.1.1: If-Match with the current tag', { ifMatch: ['a'] }, 'a', true],
    ['13.1.1: If-Match with another tag', { ifMatch: ['b'] }, 'a', false],
    ['13.1.1: If-Match with a tag on nothing', { ifMatch: ['a'] }, undefined, false],
    ['13.1.1: If-Match that names nothing', { ifMatch: [] }, 'a', false],
    ['13.1.2: If-None-Match * on nothing', { ifNoneMatch: '*' }, undefined, true],
    ['13.1.2: If-None-Match * on something', { ifNoneMatch: '*' }, 'a', false],
    ['13.1.2: If-None-Match with the current tag', { ifNoneMatch: ['b', 'a'] }, 'a', false],
    ['13.1.2: If-None-Match with another tag', { ifNoneMatch: ['b'] }, 'a', true],
    ['both must hold', { ifMatch: ['a'], ifNoneMatch: ['a'] }, 'a', false],
  ] as const)('%s %j against %s', (_name, preconditions, current, expected) => {
    expect(preconditionsHold(preconditions, current)).toBe(expected);
  });
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { matchesPattern } from '../identity/uri.ts';
import { canMatchDomain, patternsMeet } from './group-pattern.ts';

describe('canMatchDomain', () => {
  test.each([
    ['sip:*@red.example', true],
    ['sip:harbour-*@red.example', true],
    ['sip:tg1@red.example', true],
    ['sips:*@red.example', true],
    ['*', true],
    ['*red*', true],
    ['sip:*@*.example', true],
    ['sip:+49*@red.example;user=phone', true],
    ['*;user=phone', true],
    ['tel:+4912*', true],
    ['sip:*@blue.example', false],
    ['sip:*@RED.example', false],
    ['sip:*@sub.red.example', false],
    ['sip:*', true],
    ['http:*', false],
  ])('%s: %s', (pattern, expected) => {
    expect(canMatchDomain(pattern, ['red.example'])).toBe(expected);
  });
});

test('two patterns meet when some text is covered by both', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 6 });
  const texts = ['', ...enumerate(6)];
  fc.assert(
    fc.property(letters, letters, (one, other) => {
      const common = texts.some((text) => covers(one, text) && covers(other, text));
      // texts up to 6 letters do not show every meeting, but each one they show must be seen
      return !common || patternsMeet(one, other);
    }),
  );
  fc.assert(
    fc.property(letters, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 6 }), (pattern, text) => {
      return patternsMeet(pattern, text) === covers(pattern, text);
    }),
  );
});

function covers(pattern: string, text: string): boolean {
  return pattern.includes('*') ? matchesPattern(pattern, text) : pattern === text;
}

function enumerate(length: number): readonly string[] {
  if (length === 0) return [];
  const shorter = enumerate(length - 1);
  const longest = shorter.filter((text) => text.length === length - 1);
  return [...shorter, ...(length === 1 ? ['a', 'b'] : longest.flatMap((text) => [`${text}a`, `${text}b`]))];
}

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { boundedPattern, checkReplacement, PatternError, replaceFirst } from './bounded-pattern.ts';

describe('patterns match as in JavaScript', () => {
  const cases: readonly (readonly [pattern: string, text: string])[] = [
    ['^sip:(.*)@old\\.example$', 'sip:ines@old.example'],
    ['^sip:(.*)@old\\.example$', 'sip:ines@oldxexample'],
    ['(a+)(a*)', 'xaaay'],
    ['(a+?)(a*)', 'xaaay'],
    ['(?:ab|a)(bc)?', 'abc'],
    ['[^@:]+@', 'sip:user@host'],
    ['\\bten\\b|[\\d-]{2,3}', 'often 1-2'],
    ['(x)?y', 'y'],
    ['[\\w.]+$', 'sip:a.b@c'],
    ['(a|b)*c', 'abac'],
    ['a{0}b', 'ab'],
    ['^$', ''],
    ['\\u0041\\x42', 'AB'],
    ['[^\\D]', 'a5'],
    ['.', '\u{1F692}'],
  ];
  test.each(cases)('%s on %s', (pattern, text) => {
    const theirs = new RegExp(pattern, 'u'.repeat(Number(/^\.$/.test(pattern)))).exec(text);
    const ours = boundedPattern(pattern).match(text);
    const groups = ours?.reduce<(string | undefined)[]>((found, from, slot) => {
      if (slot % 2 === 0) found.push(from < 0 ? undefined : text.slice(from, ours[slot + 1]));
      return found;
    }, []);
    expect(groups).toEqual(theirs === null ? undefined : [...theirs]);
  });

  test('random patterns on random texts', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '(a|b)', '(?:ab)', '\\d', '\\w');
    const piece = fc
      .tuple(atom, fc.constantFrom('', '*', '+', '?', '*?', '+?', '{2}', '{1,2}'))
      .map((pair) => pair.join(''));
    const pattern = fc.tuple(fc.constantFrom('', '^'), fc.array(piece, { maxLength: 5 }), fc.constantFrom('', '$'));
    const text = fc.array(fc.constantFrom('a', 'b', '1', '@'), { maxLength: 12 }).map((letters) => letters.join(''));
    fc.assert(
      fc.property(pattern, text, ([start, pieces, end], subject) => {
        const source = start + pieces.join('') + end;
        const theirs = new RegExp(source).exec(subject);
        const ours = boundedPattern(source).match(subject);
        expect(ours?.slice(0, 2)).toEqual(
          theirs === null ? undefined : [theirs.index, theirs.index + theirs[0].length],
        );
      }),
      { numRuns: 500 },
    );
  });
});

describe('no pattern hangs', () => {
  const bombs = [
    '^(a+)+$',
    '(a|a)*b',
    '(a|aa)+$',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
    '(.*)(.*)(.*)(.*)(.*)x',
    '(a?){50}a{50}',
  ];
  test.each(bombs)('%s ends soon on 4,000 characters', (pattern) => {
    const started = performance.now();
    boundedPattern(pattern).match(`${'a'.repeat(4000)}!`);
    expect(performance.now() - started).toBeLessThan(1500);
  });

  test('a program is bounded: counted repetitions may not multiply', () => {
    expect(() => boundedPattern('((a{50}){50}){50}')).toThrow('the expression is too large');
    expect(() => boundedPattern('('.repeat(5000))).toThrow(PatternError);
  });
});

describe('what cannot be matched in bounded time or not at all is refused with its place', () => {
  const faults: readonly (readonly [string, number])[] = [
    ['a\\1', 1],
    ['a(?=b)', 1],
    ['(?<name>a)', 0],
    ['a**', 3],
    ['*a', 0],
    ['(a', 0],
    ['a)', 1],
    ['[a', 0],
    ['a{2', 1],
    ['[z-a]', 0],
    ['a\\', 1],
    ['\\p{L}', 0],
    ['a{3,2}', 1],
  ];
  test.each(faults)('%s', (pattern, position) => {
    expect(() => boundedPattern(pattern)).toThrow(PatternError);
    try {
      boundedPattern(pattern);
    } catch (error) {
      expect((error as PatternError).position).toBe(position);
    }
  });
});

test('a replacement puts groups, the match and dollar signs', () => {
  const pattern = boundedPattern('^sip:(.*)@(.*)$');
  expect(replaceFirst(pattern, 'sip:a@b', 'sip:$2@$1;$$$&')).toBe('sip:b@a;$sip:a@b');
  expect(replaceFirst(pattern, 'tel:1', 'x')).toBeUndefined();
  expect(() => checkReplacement('$3', 2)).toThrow('$3 names a group');
  expect(() => checkReplacement('$$3 $1', 2)).not.toThrow();
});

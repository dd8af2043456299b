// Children found by the value of an attribute: what the search tells must hold every child that reading all start tags would find.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { findingStartTags } from './attribute-search.ts';
import { OffsetIndex } from './offset-index.ts';
import { atOnce } from './turns.ts';

const indexOf = (text: string): OffsetIndex => OffsetIndex.of(Buffer.from(text));
const found = (index: OffsetIndex, value: string): readonly number[] | undefined =>
  atOnce(findingStartTags(index, 0, value));

describe('RFC 4825 6.3: children by the value of an attribute', () => {
  test.each<[string, string, readonly number[] | undefined]>([
    ['in either quotes', `<r><a u="v"/><b u='v'/><a u="w"/></r>`, [1, 2]],
    ['with a reference, which may stand for anything', '<r><a u="&#x76;"/><a u="w"/></r>', [1]],
    ['of children alone', '<r u="v"><a><b u="v"/></a><a u="v"/></r>', [3]],
    ['not in text, comments and sections', '<r>"v"<!-- "v" --><a>"v"</a><![CDATA["v"]]><?p "v"?></r>', []],
    ['as a part of a value in other quotes', `<r><a u='say "v"'/></r>`, [1]],
    ['of an empty element', '<r/>', []],
  ])('are found %s', (_, text, elements) => {
    expect(found(indexOf(text), 'v')).toEqual(elements);
  });

  test('a value with white space can be written in several ways (XML 1.0 3.3.3)', () => {
    expect(found(indexOf('<r><a u="x\ty"/></r>'), 'x y')).toBeUndefined();
  });

  test('more hits than are worth looking at are not told', () => {
    expect(found(indexOf(`<r>${'<a u="v"/>'.repeat(1024)}</r>`), 'v')).toHaveLength(1024);
    expect(found(indexOf(`<r>${'<a u="v"/>'.repeat(1025)}</r>`), 'v')).toBeUndefined();
    expect(found(indexOf(`<r><a u="v"/>${'&amp;'.repeat(1024)}</r>`), 'v')).toBeUndefined();
  });

  test('every child with the value is among them, however it is written', () => {
    const character = fc.constantFrom('a', 'b', 'ü', '𝄞', '"', "'", ':', '@', '/', '>');
    const value = fc.array(character, { maxLength: 4 }).map((characters) => characters.join(''));
    const written = fc.tuple(value, fc.constantFrom('"', "'"), fc.boolean()).map(([text, quote, escaped]) => {
      const reference = (one: string): string => `&#${one.codePointAt(0)};`;
      const inside = escaped
        ? text.replace(/./gu, reference)
        : text.replaceAll(quote, quote === '"' ? '&quot;' : '&apos;');
      return `${quote}${inside}${quote}`;
    });
    const child = fc
      .tuple(fc.constantFrom('a', 'b'), written, written, fc.constantFrom('/>', '><c u="a"/></', '>"a"</'))
      .map(([name, u, w, end]) => `<${name} u=${u} w=${w}${end}${end === '/>' ? '' : `${name}>`}`);
    fc.assert(
      fc.property(fc.array(child, { maxLength: 8 }), value, (children, sought) => {
        const index = indexOf(`<r u="a">${children.join('"a"')}</r>`);
        const all = index.children(0).filter((element) => index.attribute(element, 'u') === sought);
        expect(found(index, sought)).toEqual(expect.arrayContaining([...all]));
      }),
      { numRuns: 500, seed: 20_261_122 },
    );
  });
});

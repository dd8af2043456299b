import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeAttributeValue, decodeText } from './character-data.ts';
import { defaultXmlLimits } from './limits.ts';
import type { OffsetIndex } from './offset-index.ts';
import {
  appendEdit,
  attributeRemovalEdit,
  attributeValueEdit,
  escapeAttributeValue,
  escapeText,
  inOrder,
  splice,
  withoutElement,
} from './splice.ts';
import { readXml } from './xml-document.ts';

const indexOf = (text: string): OffsetIndex => readXml(Buffer.from(text), defaultXmlLimits);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const viewOf = (index: OffsetIndex, name: string) => {
  const view = index.attributeView(0, name);
  if (view === undefined) throw new Error(`no attribute ${name}`);
  return view;
};

describe('splice', () => {
  test('replaces, inserts and removes; other bytes and the source stay', () => {
    const source = Buffer.from('abcdef');
    const edits = [
      { start: 0, end: 0, replacement: '>' },
      { start: 1, end: 2, replacement: Buffer.from('ü') },
      { start: 2, end: 2, replacement: '+' },
      { start: 4, end: 6, replacement: '' },
    ];
    expect(text(splice(source, edits))).toBe('>aü+cd');
    expect(text(source)).toBe('abcdef');
    expect(text(splice(source, inOrder([...edits].reverse())))).toBe('>aü+cd');
  });

  test.each([
    [
      'overlap',
      [
        { start: 0, end: 2, replacement: '' },
        { start: 1, end: 3, replacement: '' },
      ],
    ],
    [
      'out of order',
      [
        { start: 3, end: 3, replacement: '' },
        { start: 1, end: 1, replacement: '' },
      ],
    ],
    ['backwards', [{ start: 2, end: 1, replacement: '' }]],
    ['outside', [{ start: 2, end: 9, replacement: '' }]],
  ])('refuses edits that %s', (_, edits) => {
    expect(() => splice(Buffer.from('abcdef'), edits)).toThrow(RangeError);
  });

  test('withoutElement leaves everything around as it is', () => {
    const index = indexOf('<a> <b x="1">t</b>\n<!-- c --><b/></a>');
    expect(text(withoutElement(index, 1))).toBe('<a> \n<!-- c --><b/></a>');
    expect(text(withoutElement(index, 2))).toBe('<a> <b x="1">t</b>\n<!-- c --></a>');
  });

  test.each([
    ['<a>x</a>', '<a>x<n/></a>'],
    ['<a/>', '<a><n/></a>'],
    ['<p:a  xmlns:p="u" b="/" />', '<p:a  xmlns:p="u" b="/" ><n/></p:a>'],
    ['<a></a>', '<a><n/></a>'],
  ])('appends to %s', (before, after) => {
    const index = indexOf(before);
    expect(text(splice(index.bytes, [appendEdit(index, 0, '<n/>')]))).toBe(after);
  });

  test('attribute edits keep quotes and neighbours', () => {
    const index = indexOf(`<a  b='1'\n c = "2" d="3"/>`);
    const set = attributeValueEdit(viewOf(index, 'b'), `it's "<&>"`);
    expect(text(splice(index.bytes, [set]))).toBe(`<a  b='it&apos;s &quot;&lt;&amp;&gt;&quot;'\n c = "2" d="3"/>`);
    expect(text(splice(index.bytes, [attributeRemovalEdit(index, viewOf(index, 'c'))]))).toBe(`<a  b='1' d="3"/>`);
  });

  test('what is escaped is read back the same, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        expect(decodeText(escapeText(value))).toBe(value);
        expect(decodeAttributeValue(escapeAttributeValue(value))).toBe(value);
      }),
      { seed: 4825, numRuns: 500 },
    );
    expect(decodeText(escapeText('a\r\nb\r]]>'))).toBe('a\r\nb\r]]>');
    expect(decodeAttributeValue(escapeAttributeValue('a\r\n\tb'))).toBe('a\r\n\tb');
  });
});

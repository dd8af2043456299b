import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { UndefinedReference } from './character-data.ts';
import { defaultXmlLimits } from './limits.ts';
import { OffsetIndex } from './offset-index.ts';
import { NotScannable, XmlLimitExceeded } from './offset-scan.ts';
import { readWithIndex, readWithSaxes, trickyDocuments } from './tricky.testkit.ts';
import { readXml } from './xml-document.ts';

const bytesOf = (text: string): Uint8Array => Buffer.from(text);
const indexOf = (text: string): OffsetIndex => readXml(bytesOf(text), defaultXmlLimits);

function expectOffsetsToFit(index: OffsetIndex): void {
  for (let e = 0; e < index.count; e++) {
    const name = index.prefix(e) === '' ? index.localName(e) : `${index.prefix(e)}:${index.localName(e)}`;
    const open = index.source(index.outerStart(e), index.openEnd(e));
    const close = index.source(index.closeStart(e), index.outerEnd(e));
    expect(open.startsWith(`<${name}`) && open.endsWith('>')).toBe(true);
    expect(index.source(index.outerStart(e), index.tagNameEnd(e))).toBe(`<${name}`);
    if (index.isEmptyTag(e)) expect([open.endsWith('/>'), close]).toEqual([true, '']);
    else expect(close.startsWith(`</${name}`) && close.endsWith('>')).toBe(true);
    for (const a of index.attributes(e)) {
      const qualified = a.prefix === '' ? a.localName : `${a.prefix}:${a.localName}`;
      expect(index.source(a.start, a.end).startsWith(qualified)).toBe(true);
      expect(index.source(a.valueStart - 1, a.valueStart) + index.source(a.valueEnd, a.end)).toBe(a.quote + a.quote);
    }
  }
}

describe('offset index', () => {
  test.each(Object.entries(trickyDocuments))('reads what saxes reads: %s', (_, document) => {
    const index = indexOf(document);
    expect(readWithIndex(index)).toEqual(readWithSaxes(document));
    expectOffsetsToFit(index);
  });

  test('walks children, siblings and descendants in document order', () => {
    const index = indexOf('<a><b><c/><d/></b><e/><b/></a>');
    expect(index.children(0)).toEqual([1, 4, 5]);
    expect([index.firstChild(1), index.nextSibling(1), index.nextSibling(5), index.firstChild(4)]).toEqual([
      2, 4, -1, -1,
    ]);
    expect([...index.descendants(1)]).toEqual([2, 3]);
    expect([...index.descendants(0)]).toEqual([1, 2, 3, 4, 5]);
    expect(index.childrenNamed(0, '', 'b')).toEqual([1, 5]);
    expect([index.firstNamed(0, '', 'b'), index.firstNamed(0, 'urn:x', 'b')]).toEqual([1, undefined]);
  });

  test('Namespaces in XML 6.2: xmlns="" removes the default namespace from scope', () => {
    const index = indexOf('<a xmlns="urn:1" xmlns:p="urn:2"><b xmlns="" xmlns:p="urn:3"><c/></b><d/></a>');
    expect([...index.namespacesInScope(0)]).toEqual([
      ['', 'urn:1'],
      ['p', 'urn:2'],
    ]);
    expect([...index.namespacesInScope(2)]).toEqual([['p', 'urn:3']]);
    expect(index.namespacesInScope(3)).toEqual(index.namespacesInScope(0));
    expect([index.namespaceOf(2, 'p'), index.namespaceOf(2, ''), index.namespaceOf(2, 'q')]).toEqual([
      'urn:3',
      '',
      undefined,
    ]);
  });

  test('attribute() finds an attribute by expanded name and never a namespace declaration', () => {
    const index = indexOf('<a xmlns="urn:1" xmlns:p="urn:2" p:x="1" x="2" ä="3"/>');
    expect(index.attribute(0, 'x')).toBe('2');
    expect(index.attribute(0, 'x', 'urn:2')).toBe('1');
    expect(index.attribute(0, 'ä')).toBe('3');
    expect(index.attribute(0, 'xmlns')).toBeUndefined();
    expect(index.attribute(0, 'p')).toBeUndefined();
    expect(index.attribute(0, 'p:x')).toBeUndefined();
    expect(index.attribute(0, 'x', 'urn:1')).toBeUndefined();
  });

  test('a mutated document that libxml2 accepts is read as saxes reads it', () => {
    const sources = Object.values(trickyDocuments).filter((d) => d.length < 400);
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...sources),
        fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'<>/="\'&; \n!-?[]abx:p')), { minLength: 1, maxLength: 3 }),
        (source, edits) => {
          const mutated = edits.reduce((text, [at, c]) => {
            const place = at % text.length;
            return text.slice(0, place) + c + text.slice(place + (at % 2));
          }, source);
          let index: OffsetIndex;
          try {
            index = indexOf(mutated);
          } catch {
            return;
          }
          accepted++;
          expectOffsetsToFit(index);
          // A split surrogate pair becomes U+FFFD in the bytes.
          expect(readWithIndex(index)).toEqual(readWithSaxes(Buffer.from(mutated).toString()));
        },
      ),
      { seed: 4825, numRuns: 3000 },
    );
    expect(accepted).toBeGreaterThan(300);
  });

  test('garbage ends in an error or an index, never in a loop', () => {
    const bytes = fc.array(fc.constantFrom(...Buffer.from('<>/="\'&; !-?[]ax:p')), { maxLength: 60 });
    fc.assert(
      fc.property(bytes, (garbage) => {
        try {
          OffsetIndex.of(Uint8Array.from(garbage));
        } catch (error) {
          expect([NotScannable, XmlLimitExceeded, UndefinedReference].some((kind) => error instanceof kind)).toBe(true);
        }
      }),
      { seed: 4825, numRuns: 5000 },
    );
  });

  test('namespace scopes are linked: 60 levels of declarations do not multiply', () => {
    const levels = 60;
    const open = Array.from({ length: levels }, (_, i) => `<a xmlns:p${i}="urn:${i}">`).join('');
    const index = indexOf(`${open}${'<b xmlns:q="urn:q"/>'.repeat(20_000)}${'</a>'.repeat(levels)}`);
    expect(index.namespaceOf(index.count - 1, 'p0')).toBe('urn:0');
    expect(index.byteSize).toBeLessThan(8_000_000);
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { groupWithMembers, serviceOf } from './group-samples.testkit.ts';
import { defaultXmlLimits } from './limits.ts';
import type { OffsetIndex } from './offset-index.ts';
import { trickyDocuments } from './tricky.testkit.ts';
import { readXml } from './xml-document.ts';
import { compileXPath, test as holds, select, withXPath, XPathError } from './xpath.ts';

const indexOf = (document: string | Uint8Array): OffsetIndex =>
  readXml(typeof document === 'string' ? Buffer.from(document) : document, defaultXmlLimits);
const example = indexOf(readFileSync(new URL('../../test/examples/example-group-2.xml', import.meta.url)));

function show(index: OffsetIndex, expression: string): readonly string[] {
  const compiled = compileXPath(expression);
  try {
    return select(compiled, index).map((node) => {
      const name = index.localName(node.element);
      if (node.kind === 'element') return name;
      return node.kind === 'text' ? `${name}/text()` : `${name}/@${node.namespace}${node.localName}`;
    });
  } finally {
    compiled.dispose();
  }
}

function fault(expression: string): { position: number; message: string } {
  try {
    compileXPath(expression).dispose();
  } catch (error) {
    if (error instanceof XPathError) return { position: error.position, message: error.message };
    throw error;
  }
  return { position: -1, message: 'accepted' };
}

describe('XPath', () => {
  test('the prefixes of group documents are bound whatever the document uses', () => {
    const index = indexOf(readFileSync(new URL('../../test/examples/example-group-3.xml', import.meta.url)));
    expect(show(index, '//mcpttgi:*[contains(local-name(),"off-network-")]')).toEqual([
      'off-network-hang-timer',
      'off-network-ProSe-layer-2-group-id',
    ]);
    expect(show(index, '/g:group/g:list-service/cp:ruleset/cp:rule[@id="talk"]//g:is-list-member')).toEqual([
      'is-list-member',
    ]);
    expect(show(index, '//oxe:service/@enabler | //rl:display-name[1]/text()')).toEqual([
      'display-name/text()',
      'display-name/text()',
      'service/@enabler',
    ]);
  });

  test('elements, attributes and text are answered in elements of the index, in document order, each once', () => {
    const index = indexOf('<a xmlns:p="u" p:x="1" x="2">t<!-- c -->u<b/><![CDATA[v]]><?pi?><b y="3"/></a>');
    expect(select(compileXPath('//@* | //b | //text()'), index)).toEqual([
      { kind: 'attribute', element: 0, namespace: 'u', localName: 'x' },
      { kind: 'attribute', element: 0, namespace: '', localName: 'x' },
      { kind: 'text', element: 0 },
      { kind: 'element', element: 1 },
      { kind: 'element', element: 2 },
      { kind: 'attribute', element: 2, namespace: '', localName: 'y' },
    ]);
  });

  test.each(Object.entries(trickyDocuments))('libxml2 and the index count elements alike: %s', (_, document) => {
    const index = indexOf(document);
    const every = select(compileXPath('//*'), index);
    expect(every).toEqual(Array.from({ length: index.count }, (_, element) => ({ kind: 'element', element })));
    withXPath(index, (opened) => {
      for (let element = 0; element < Math.min(index.count, 20); element++) {
        const name = compileXPath(`local-name() = '${index.localName(element)}'`);
        expect(opened.test(name, element)).toBe(true);
        name.dispose();
      }
    });
  });

  test('a processing instruction between siblings hides nothing', () => {
    expect(show(indexOf('<a><?x?><b/><?y?><c/><?z?></a>'), '/a/*')).toEqual(['b', 'c']);
  });

  test('select with a context element, and test as when-conditions need it', () => {
    withXPath(example, (opened) => {
      const entries = opened.select(compileXPath('//g:entry'));
      const second = entries[1]?.element;
      expect(opened.select(compileXPath('mcpttgi:user-priority'), second).map((n) => example.text(n.element))).toEqual([
        '120',
      ]);
      expect(opened.test(compileXPath('mcpttgi:user-priority > 150'), second)).toBe(false);
      expect(opened.test(compileXPath('mcpttgi:user-priority > 150'), entries[0]?.element)).toBe(true);
      expect(() => opened.test(compileXPath('1'), 9999)).toThrow(RangeError);
    });
    expect(holds(compileXPath('count(//g:entry) = 3'), example)).toBe(true);
    expect(holds(compileXPath('//g:external'), example)).toBe(false);
    expect(holds(compileXPath('string(//g:external)'), example)).toBe(false);
    expect(holds(compileXPath('number("x")'), example)).toBe(false);
  });

  test.each<[string, number, string]>([
    ['', 0, 'step is missing'],
    ['//', 2, 'step is missing'],
    ['//g:entry[', 10, 'step is missing'],
    ['//g:entry[1', 11, '"]" is missing'],
    ['1 +', 3, 'step is missing'],
    ['//g:entry]', 9, 'unexpected "]"'],
    ['//x:entry', 2, 'prefix x is not bound'],
    ['//g:entry[@q:a]', 11, 'prefix q is not bound'],
    ['$v', 0, 'no variables'],
    ['document("file:///etc/passwd")', 0, 'no function document()'],
    ['//a[matches(., "x")]', 4, 'no function matches()'],
    ['last() = 1', 0, 'inside a predicate'],
    ['contains("a")', 0, 'number of arguments'],
    ['count("a")', 6, 'takes a node-set'],
    ['("a" | //b)', 1, 'only node-sets'],
    ['"a"/b', 0, 'only a node-set'],
    ['//a/namespace::*', 4, 'axis namespace'],
    ['upward::a', 0, 'axis upward'],
    ['"abc', 0, 'literal does not end'],
    ['//a#b', 3, 'unexpected "#"'],
    [`${'('.repeat(200)}1${')'.repeat(200)}`, 100, 'nested too deeply'],
  ])('a fault is named with its place: %s', (expression, position, message) => {
    expect(fault(expression)).toEqual({ position, message: expect.stringContaining(message) });
  });

  test.each([
    '/',
    '/*',
    '.',
    '..',
    '//g:entry[@uri="sip:a@b"][position() < last()]/mcpttgi:user-priority[. > 3 and not(. = 5)]',
    'child::g:list/descendant-or-self::node()[self::g:entry]',
    '* * * div * mod *',
    'div div div',
    'and/or or mod',
    '-(1 - -2) * 3 >= .5',
    '(//a | //b)[2]/c',
    'id("x")/a',
    '//processing-instruction("x") | //comment()',
    'concat(substring("abc", 2), translate(name(//a), "x", "y"), string-length())',
    '@xml:lang',
    'a-b.c',
  ])('XPath 1.0 is accepted: %s', (expression) => {
    expect(fault(expression).message).toBe('accepted');
    const compiled = compileXPath(expression);
    expect(() => holds(compiled, example)).not.toThrow();
    compiled.dispose();
  });

  test('what the grammar accepts, libxml2 compiles and evaluates without error', () => {
    const words = [
      'g:entry',
      '*',
      '@',
      '@uri',
      '/',
      '//',
      '.',
      '..',
      '[',
      ']',
      '(',
      ')',
      '|',
      '+',
      '-',
      '=',
      '<',
      'and',
      'or',
      'div',
      '1',
      '.5',
      '"x"',
      'count(',
      'name(',
      'contains(',
      'not(',
      ',',
      'last()',
      'text()',
      'child::',
      'ancestor::',
      'node()',
      'id("a")',
    ];
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 7 }), (parts) => {
        const expression = parts.join(' ');
        if (fault(expression).position !== -1) return;
        accepted++;
        const compiled = compileXPath(expression);
        expect(typeof holds(compiled, example)).toBe('boolean');
        compiled.dispose();
      }),
      { seed: 5261, numRuns: 4000 },
    );
    expect(accepted).toBeGreaterThan(200);
  });

  test('only nodes that an edit can address are answered', () => {
    const index = indexOf('<?x?><a><!-- c --></a>');
    for (const expression of ['//comment()', '//processing-instruction()', '/', 'count(//a)', '"text"']) {
      expect(() => select(compileXPath(expression), index)).toThrow(XPathError);
    }
  });

  test('10,000 members are selected', () => {
    const index = indexOf(groupWithMembers(10_000));
    expect(select(compileXPath('//g:entry[mcpttgi:user-priority > 254]/@uri'), index)).toHaveLength(39);
    expect(select(compileXPath('//g:entry'), indexOf(serviceOf('')))).toEqual([]);
  });
});

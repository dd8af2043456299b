import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { groupWithMembers } from './group-samples.testkit.ts';
import { defaultXmlLimits } from './limits.ts';
import type { OffsetIndex } from './offset-index.ts';
import { trickyDocuments } from './tricky.testkit.ts';
import { readXml } from './xml-document.ts';
import {
  applyPatch,
  defaultPatchLimits,
  type PatchOperation,
  type PatchOutcome,
  readPatchOperations,
} from './xml-patch.ts';

const indexOf = (document: string | Uint8Array): OffsetIndex => readXml(Buffer.from(document), defaultXmlLimits);

/** Applies the operations written between the tags of a diff with these declarations. */
function patch(document: string, operations: string, declarations = ''): PatchOutcome {
  const carrier = indexOf(`<p:diff xmlns:p="urn:p"${declarations}>${operations}</p:diff>`);
  const read = readPatchOperations(carrier, carrier.root);
  return 'failure' in read ? read : applyPatch(indexOf(document), read.operations);
}

const bytesOf = (outcome: PatchOutcome): string =>
  'patched' in outcome ? Buffer.from(outcome.patched).toString() : JSON.stringify(outcome.failure);
const errorOf = (outcome: PatchOutcome): string => ('failure' in outcome ? outcome.failure.error : 'applied');

describe('bytes that no operation names stay as they are', () => {
  test.each([
    [
      'quotes, spaces and references',
      `<a  x = '1' ><b\ty="&#65;"/>\r\n<c></c ></a>`,
      '<p:remove sel="a/c"/>',
      `<a  x = '1' ><b\ty="&#65;"/>\r\n</a>`,
    ],
    ['the quotes of a replaced value', `<a x='1'/>`, `<p:replace sel="a/@x">"2'</p:replace>`, `<a x='&quot;2&apos;'/>`],
    [
      'CDATA in content is moved unaltered (4.3.5)',
      '<a/>',
      '<p:add sel="a"><![CDATA[<]]></p:add>',
      '<a><![CDATA[<]]></a>',
    ],
    [
      'declarations inside content are copied (4.2.3)',
      '<a/>',
      '<p:add sel="a"><q:b xmlns:q="urn:q"><q:c/></q:b></p:add>',
      '<a><q:b xmlns:q="urn:q"><q:c/></q:b></a>',
    ],
    ['text that would read as a CDATA end', '<a>]]<b/>></a>', '<p:remove sel="a/b"/>', '<a>]]&gt;</a>'],
    ['text that would read as one line end', '<a>x\r<b/>\ny</a>', '<p:remove sel="a/b"/>', '<a>x\r&#10;y</a>'],
    [
      'a comment beside the document element',
      '<!--1-->\r<!--2-->\n<a/>',
      '<p:remove sel="comment()[2]"/>',
      '<!--1-->\r\n<a/>',
    ],
  ])('%s', (_, before, operations, after) => {
    expect(bytesOf(patch(before, operations))).toBe(after);
  });
});

describe('RFC 5261 4.2.3: prefixes of what is added', () => {
  test('a prefix that the content declares for something else is not taken', () => {
    const content = '<x xmlns:b="urn:other"><q:y q:k="1"/></x>';
    const outcome = patch(
      '<a xmlns:b="urn:q" xmlns:c="urn:q"/>',
      `<p:add sel="a">${content}</p:add>`,
      ' xmlns:q="urn:q"',
    );
    expect(bytesOf(outcome)).toContain('<x xmlns:b="urn:other"><c:y c:k="1"/></x>');
  });

  test('second rule: the prefix of the context node, although another sorts closer', () => {
    const outcome = patch(
      '<z:a xmlns:z="urn:q" xmlns:b="urn:q"/>',
      '<p:add sel="*"><c:y/></p:add>',
      ' xmlns:c="urn:q"',
    );
    expect(bytesOf(outcome)).toContain('<z:y/>');
  });

  test('an unqualified element finds no place under a default namespace', () => {
    expect(errorOf(patch('<a xmlns="urn:1"/>', '<p:add sel="*"><b/></p:add>'))).toBe('invalid-namespace-uri');
    expect(bytesOf(patch('<a xmlns="urn:1"/>', '<p:add sel="*"><b xmlns=""/></p:add>'))).toContain('<b xmlns=""/>');
  });

  test('a replaced document element brings its own declarations', () => {
    expect(bytesOf(patch('<a xmlns:q="urn:q"/>', '<p:replace sel="a"><q:b xmlns:q="urn:q"/></p:replace>'))).toBe(
      '<q:b xmlns:q="urn:q"/>',
    );
    expect(errorOf(patch('<a xmlns:q="urn:q"/>', '<p:replace sel="a"><q:b/></p:replace>', ' xmlns:q="urn:q"'))).toBe(
      'invalid-namespace-uri',
    );
  });
});

describe('RFC 5261 5.1: what cannot be applied is named, and nothing is changed', () => {
  const document = '<a x="1" xmlns:q="urn:q" xml:id="i"><b uri="1">t</b> <b uri="2" q:k=""/><!--c--></a>';
  test.each([
    ['<p:add sel="a" type="@x">2</p:add>', 'invalid-attribute-value'],
    ['<p:add sel="a" type="@xmlns">2</p:add>', 'invalid-attribute-value'],
    ['<p:add sel="a" type="@xmlns:r">2</p:add>', 'invalid-attribute-value'],
    ['<p:add sel="a" type="@y"><![CDATA[2]]></p:add>', 'invalid-attribute-value'],
    ['<p:add sel="a" type="@y"><c/></p:add>', 'invalid-attribute-value'],
    ['<p:add sel="a" type="@r:y">1</p:add>', 'invalid-namespace-prefix'],
    ['<p:add sel="a" type="namespace::xml">urn:x</p:add>', 'invalid-namespace-prefix'],
    ['<p:add sel="a" type="namespace::q">urn:x</p:add>', 'invalid-namespace-prefix'],
    ['<p:add sel="a/b[2]" type="namespace::q">urn:x</p:add>', 'invalid-namespace-prefix'],
    ['<p:add sel="a" type="namespace::r"/>', 'invalid-namespace-uri'],
    ['<p:replace sel="a/namespace::q"/>', 'invalid-namespace-uri'],
    ['<p:add sel="a/@x">2</p:add>', 'invalid-attribute-value'],
    ['<p:add sel="a/namespace::q">2</p:add>', 'invalid-attribute-value'],
    ['<p:add sel="a/comment()">2</p:add>', 'invalid-patch-directive'],
    ['<p:add sel="a/comment()" type="@x">2</p:add>', 'invalid-patch-directive'],
    ['<p:add sel="a" pos="before">text</p:add>', 'invalid-xml-prolog-operation'],
    ['<p:add sel="r:a"/>', 'invalid-namespace-prefix'],
    ['<p:remove sel="a/b[@uri=\'1\']/text()" ws="both"/>', 'invalid-attribute-value'],
    ['<p:remove sel="a/b[0]"/>', 'unlocated-node'],
    ['<p:remove sel="text()"/>', 'unlocated-node'],
    ['<p:remove sel="id(\'j\')"/>', 'unlocated-node'],
    ['<p:remove sel=""/>', 'invalid-attribute-value'],
    ['<p:remove sel="/"/>', 'invalid-attribute-value'],
    ['<p:remove sel="a/text()/b"/>', 'invalid-attribute-value'],
    ['<p:remove/>', 'invalid-diff-format'],
    ['<p:remove sel="a/b[1]">t</p:remove>', 'invalid-diff-format'],
    ['<p:replace sel="a/b[1]"> <b/></p:replace>', 'invalid-node-types'],
    ['<p:replace sel="a/comment()"/>', 'invalid-node-types'],
  ])('%s is %s', (operation, error) => {
    expect(errorOf(patch(document, operation))).toBe(error);
    expect(errorOf(patch(document, `<p:add sel="a"><n/></p:add>${operation}`))).toBe(error);
  });

  test('two attributes of one element that become one name', () => {
    const outcome = patch(
      '<a xmlns:q="urn:q" xmlns:r="urn:r" q:x="" r:x=""/>',
      '<p:replace sel="a/namespace::r">urn:q</p:replace>',
    );
    expect(errorOf(outcome)).toBe('invalid-namespace-uri');
  });

  test('an entity that nothing declares', () => {
    const operation = { directive: 'add', sel: 'a', namespaces: new Map<string, string>() } as const;
    for (const content of ['&e;', '<b>&e;</b>']) {
      expect(errorOf(applyPatch(indexOf('<a/>'), [{ ...operation, content }]))).toBe('invalid-entity-declaration');
    }
  });

  test('the operation at fault is told, and the document is as before', () => {
    const index = indexOf('<a><b/></a>');
    const bytes = Buffer.from(index.bytes);
    const namespaces = new Map<string, string>();
    const remove: PatchOperation = { directive: 'remove', sel: 'a/b', namespaces, content: '' };
    expect(applyPatch(index, [remove, remove])).toMatchObject({ failure: { error: 'unlocated-node', operation: 1 } });
    expect(Buffer.from(index.bytes)).toEqual(bytes);
  });

  test('extension elements beside operations are passed over (RFC 5874 3)', () => {
    expect(bytesOf(patch('<a/>', '<x/><p:add sel="a">1</p:add><q:y xmlns:q="urn:q"/>'))).toBe('<a>1</a>');
  });
});

describe('selectors', () => {
  test.each([
    ['/a/b[@k="1"][2]', true],
    ['*/*[1]', true],
    ["a/b[c='x']", true],
    ["id('i')/b[1]", true],
    [' a', false],
    ['a/', false],
    ['a//b', false],
    ['a[last()]', false],
    ["a[@k='1' and @l]", false],
    ['../a', false],
    ['a/@*', false],
    ["a/b['x'='x']", false],
    ["a[@.='x']", false],
  ])('%s is within the grammar of clause 8: %s', (sel, within) => {
    const operation = { directive: 'remove', sel, namespaces: new Map<string, string>(), content: '' } as const;
    expect(errorOf(applyPatch(indexOf('<a/>'), [operation])) === 'invalid-attribute-value').toBe(!within);
  });
});

describe('hostile patches', () => {
  const piece = fc.constantFrom(
    'a',
    'b',
    '*',
    '/',
    '@',
    '[',
    ']',
    "'",
    '"',
    '=',
    '1',
    '.',
    'text()',
    'comment()',
    'namespace::',
    'id(',
    ')',
    ':',
    'p',
    "[@x='1']",
    'processing-instruction(',
    ' ',
  );
  const rarely = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
    fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
  const sel = fc.oneof(
    { weight: 1, arbitrary: fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')) },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        '*',
        '*/*[1]',
        '*/text()[1]',
        '*/comment()[1]',
        '*/@x',
        '*/namespace::p',
        'comment()',
        'a/b',
      ),
    },
  );
  const markup = [
    '<b/>',
    '<p:b p:x="1"/>',
    't',
    ' ',
    ']]',
    '>',
    '&lt;',
    '<!--c-->',
    '<?p q?>',
    '<![CDATA[x]]>',
    '\r',
    '\n',
  ];
  const content = fc.oneof(
    { weight: 6, arbitrary: fc.array(fc.constantFrom(...markup), { maxLength: 2 }).map((pieces) => pieces.join('')) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('<b>', '</b>', ']]>', '&', '</op><op>', '<!DOCTYPE a>', '\u0000', '\ud800'),
    },
    { weight: 1, arbitrary: fc.string() },
  );
  const operation: fc.Arbitrary<PatchOperation> = fc.record({
    directive: fc.constantFrom('add', 'replace', 'remove'),
    sel,
    pos: rarely(undefined, 'before', 'after', 'prepend', 'x'),
    type: rarely(undefined, '@x', '@p:x', 'namespace::p', 'namespace::n', '@', 'x'),
    ws: rarely(undefined, 'before', 'after', 'both', 'x'),
    namespaces: fc
      .dictionary(fc.constantFrom('', 'p', 'q'), fc.constantFrom('urn:1', 'urn:2', ''))
      .map((bound) => new Map(Object.entries(bound))),
    content,
  });

  test('a patch of anything ends in a well-formed document or a named failure', () => {
    const documents = Object.values(trickyDocuments)
      .filter((document) => document.length < 2000)
      .map((document) => indexOf(document));
    let applied = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...documents),
        fc.array(operation, { minLength: 1, maxLength: 3 }),
        (document, operations) => {
          const outcome = applyPatch(document, operations);
          if ('patched' in outcome) {
            applied++;
            readXml(outcome.patched, defaultXmlLimits);
          } else expect(outcome.failure.error).toMatch(/^(invalid|unlocated|unsupported)-/);
        },
      ),
      { numRuns: 5000 },
    );
    expect(applied).toBeGreaterThan(100);
  });

  const remove = (selector: string): PatchOperation => ({
    directive: 'remove',
    sel: selector,
    namespaces: new Map([['', 'urn:oma:xml:poc:list-service']]),
    content: '',
  });
  test.each([
    ['a selector of brackets', [remove('['.repeat(16_000))]],
    ['a selector beyond any length', [remove('a/'.repeat(1_000_000))]],
    ['many predicates over the whole document', [remove(`*${"[.='x']".repeat(1000)}`)]],
    ['many steps', [remove('*/'.repeat(8000))]],
    ['more operations than the work allowed', Array.from({ length: 100_000 }, () => remove('*/*/*/*[1]'))],
    [
      'content of declarations without end',
      [{ ...remove('group'), directive: 'add' as const, content: '<q:a xmlns:q="urn:q"/>'.repeat(50_000) }],
    ],
  ])('%s: settled in time', (_, operations) => {
    const document = indexOf(groupWithMembers(9000));
    const start = performance.now();
    applyPatch(document, operations, { ...defaultPatchLimits, workBytes: 32 * 1024 * 1024 });
    expect(performance.now() - start).toBeLessThan(3000);
  });
});

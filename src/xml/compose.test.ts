import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isXmlCharacter } from './character-data.ts';
import {
  composeNamespaceBindings,
  composeResourceLists,
  composeXcapCaps,
  composeXcapDiff,
  composeXcapDirectory,
  composeXcapError,
  shownElement,
} from './compose.ts';
import { defaultXmlLimits } from './limits.ts';
import { namespaces } from './names.ts';
import type { OffsetIndex } from './offset-index.ts';
import { readXcapDiff } from './received-diff.ts';
import { SchemaLibrary } from './schema.ts';
import { readResourceList } from './small-body.ts';
import { readXml } from './xml-document.ts';

const indexOf = (text: string): OffsetIndex => readXml(Buffer.from(text), defaultXmlLimits);
const head = '<?xml version="1.0" encoding="UTF-8"?>';
let library: SchemaLibrary;
beforeAll(async () => {
  library = await SchemaLibrary.load();
});
afterAll(() => library.close());
const problems = (schema: string, text: string) => library.validate(schema, Buffer.from(text));

describe('composed documents', () => {
  test('RFC 4825 11.2: xcap-error with every element is valid', async () => {
    for (const element of [
      'not-well-formed',
      'not-xml-frag',
      'no-parent',
      'schema-validation-error',
      'not-xml-att-value',
      'cannot-insert',
      'cannot-delete',
      'uniqueness-failure',
      'constraint-failure',
      'not-utf-8',
    ] as const) {
      expect(await problems('xcap-error', composeXcapError(element))).toEqual([]);
      expect(
        await problems(
          'xcap-error',
          composeXcapError(element, { phrase: 'a "b" <c>', ancestor: 'd/e%20f', exists: [] }),
        ),
      ).toHaveLength(element === 'uniqueness-failure' ? 1 : 0);
    }
    expect(composeXcapError('no-parent', { phrase: 'no list', ancestor: 'https://a/~~/b' })).toBe(
      `${head}<xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error"><no-parent phrase="no list"><ancestor>https://a/~~/b</ancestor></no-parent></xcap-error>`,
    );
    expect(
      composeXcapError('uniqueness-failure', {
        exists: [{ field: 'group/list-service/@uri', altValues: ['sip:a@b'] }],
      }),
    ).toBe(
      `${head}<xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error"><uniqueness-failure><exists field="group/list-service/@uri"><alt-value>sip:a@b</alt-value></exists></uniqueness-failure></xcap-error>`,
    );
    expect(composeXcapError('cannot-insert', { ancestor: 'ignored' })).not.toContain('ignored');
  });

  test('RFC 4825 12: xcap-caps, OMA directory and resource lists are valid', async () => {
    const caps = composeXcapCaps({
      auids: ['xcap-caps', 'resource-lists'],
      extensions: [],
      namespaces: [namespaces.xcapCaps],
    });
    expect(await problems('xcap-caps', caps)).toEqual([]);
    expect(caps).toContain('<auids><auid>xcap-caps</auid><auid>resource-lists</auid></auids><extensions/><namespaces>');
    const directory = composeXcapDirectory([
      {
        auid: 'org.openmobilealliance.groups',
        entries: [
          { uri: 'https://a/b', etag: 'c', lastModified: '2026-01-01T00:00:00.000Z', size: 5 },
          { uri: 'd', etag: 'e' },
        ],
      },
      { auid: 'empty', entries: [] },
    ]);
    expect(await problems('xcap-directory', directory)).toEqual([]);
    const lists = composeResourceLists(['a/b%20c', 'd?x=1&y=2']);
    expect(await problems('resource-lists', lists)).toEqual([]);
    expect(readResourceList(Buffer.from(lists), defaultXmlLimits)).toEqual(['a/b%20c', 'd?x=1&y=2']);
  });

  test('RFC 5874 3: a diff of documents needs no prefix', async () => {
    const diff = composeXcapDiff('https://a/', [
      { kind: 'document', sel: 'b/c', newTag: '1' },
      { kind: 'document', sel: 'd', previousTag: '2' },
      { kind: 'document', sel: 'e', previousTag: '3', newTag: '4', bodyNotChanged: true },
    ]);
    expect(diff).toBe(
      `${head}<xcap-diff xmlns="urn:ietf:params:xml:ns:xcap-diff" xcap-root="https://a/"><document sel="b/c" new-etag="1"/>` +
        '<document sel="d" previous-etag="2"/><document sel="e" new-etag="4" previous-etag="3"><body-not-changed/></document></xcap-diff>',
    );
    expect(await problems('xcap-diff', diff)).toEqual([]);
  });

  test('RFC 5874 3: shown elements keep their octets and declarations, borrowed namespaces are declared on element', async () => {
    const source = indexOf(
      '<g xmlns="urn:1" xmlns:p="urn:2" xmlns:d="urn:3" xmlns:u="urn:unused"><p:b  x=\'1\'><c d:y="2"/>\r\n<!-- c --></p:b><z xmlns=""><y/></z></g>',
    );
    const diff = composeXcapDiff('https://a/', [
      { kind: 'element', sel: 'one', exists: true, shown: shownElement(source, 1) },
      { kind: 'element', sel: 'two', exists: true, shown: shownElement(source, 4) },
      { kind: 'element', sel: 'gone', exists: false, shown: shownElement(source, 1) },
      { kind: 'element', sel: 'hidden', exists: true },
      { kind: 'attribute', sel: 'three', exists: true, value: ' a "b"\r\n' },
      { kind: 'attribute', sel: 'four', exists: false, value: 'x' },
    ]);
    expect(diff).not.toContain('urn:unused');
    expect(await problems('xcap-diff', diff)).toEqual([]);
    const index = indexOf(diff);
    const read = readXcapDiff(index);
    const shown = read.components.map((c) =>
      c.kind === 'element' && c.shown !== undefined
        ? index.source(index.outerStart(c.shown), index.outerEnd(c.shown))
        : undefined,
    );
    expect(shown).toEqual([
      `<p:b  x='1'><c d:y="2"/>\r\n<!-- c --></p:b>`,
      '<y/>',
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    const [first, second] = read.components.map((c) => (c.kind === 'element' ? c.shown : undefined));
    if (first === undefined || second === undefined) throw new Error('nothing shown');
    expect([index.namespace(first), index.namespace(index.firstChild(first)), index.namespace(second)]).toEqual([
      'urn:2',
      'urn:1',
      '',
    ]);
    expect(index.attributes(index.firstChild(first))[0]?.namespace).toBe('urn:3');
    expect(read.components.map((c) => (c.kind === 'document' ? undefined : [c.exists, c.value]))).toEqual([
      [true, undefined],
      [true, undefined],
      [false, undefined],
      [true, undefined],
      [true, ' a "b"\r\n'],
      [false, undefined],
    ]);
  });

  test('xsi:type values may use prefixes that no name shows: all namespaces in scope are declared then', () => {
    const source = indexOf(
      '<a xmlns:s="urn:s" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><b xsi:type="s:t"/></a>',
    );
    expect([...shownElement(source, 1).borrowed.keys()]).toEqual(['s', 'xsi']);
  });

  test('patch markup goes in as it is, with the namespaces its selectors use', () => {
    const diff = composeXcapDiff(
      'https://a/',
      [
        {
          kind: 'document',
          sel: 'b',
          newTag: '2',
          previousTag: '1',
          patch: '<p:remove sel="g/l"/>',
          namespaces: new Map([
            ['', 'urn:1'],
            ['d', 'urn:2'],
          ]),
        },
      ],
      'p',
    );
    expect(diff).toBe(
      `${head}<p:xcap-diff xmlns:p="urn:ietf:params:xml:ns:xcap-diff" xcap-root="https://a/">` +
        '<p:document xmlns="urn:1" xmlns:d="urn:2" sel="b" new-etag="2" previous-etag="1"><p:remove sel="g/l"/></p:document></p:xcap-diff>',
    );
  });

  test.each([
    ['<a/>', 0, '<a/>'],
    [
      '<p:a xmlns:p="urn:1" xmlns="urn:2" xmlns:q="urn:3"><b/></p:a>',
      0,
      '<p:a xmlns:p="urn:1" xmlns="urn:2" xmlns:q="urn:3"/>',
    ],
    [
      '<p:a xmlns:p="urn:1" xmlns="urn:2" xmlns:q="urn:3"><b/></p:a>',
      1,
      '<b xmlns:p="urn:1" xmlns="urn:2" xmlns:q="urn:3"/>',
    ],
    ['<a xmlns="urn:1" xmlns:p="urn:2"><b xmlns="" xmlns:p="urn:3" x="y">t</b></a>', 1, '<b xmlns:p="urn:3"/>'],
    ['<a xmlns="urn:a&amp;b"/>', 0, '<a xmlns="urn:a&amp;b"/>'],
  ])('RFC 4825 10: namespace bindings of %s, element %i', (document, element, wanted) => {
    expect(composeNamespaceBindings(indexOf(document), element)).toBe(wanted);
  });

  test('whatever the values, the document is well-formed and gives them back', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'grapheme' }),
        fc.constantFrom('\ue000', '\ue0000\ue001', '\r\n\t', ']]>', '&lt;'),
        (wild, tame, odd) => {
          const root = `${tame}${odd}`;
          const read = readXcapDiff(
            indexOf(composeXcapDiff(root, [{ kind: 'attribute', sel: odd + wild, exists: true, value: root }])),
          );
          const safe = (text: string): string =>
            Array.from(text.toWellFormed(), (c) => (isXmlCharacter(c.codePointAt(0) ?? 0) ? c : '\ufffd')).join('');
          expect(read.root).toBe(safe(root));
          expect(read.components[0]).toMatchObject({ sel: safe(odd + wild), value: safe(root) });
        },
      ),
      { seed: 5874, numRuns: 500 },
    );
  });

  test('equal plain errors are composed once', () => {
    expect(composeXcapError('not-utf-8', { phrase: 'x' })).toBe(composeXcapError('not-utf-8', { phrase: 'x' }));
    expect(composeXcapError('not-utf-8', { phrase: 'y' })).toContain('"y"');
  });
});

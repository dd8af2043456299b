import { describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { groupWithMembers } from './group-samples.testkit.ts';
import { defaultXmlLimits } from './limits.ts';
import { namespaces } from './names.ts';
import { bindSelector, encodeSteps, parseNodeSelector, type SelectorContext } from './node-selector.ts';
import { selectElement, selectNode } from './select.ts';
import { readXml } from './xml-document.ts';

const refusalOf = (run: () => unknown): { code: string; phrase?: string } => {
  try {
    run();
  } catch (error) {
    if (error instanceof Refusal) return { code: error.code, phrase: error.phrase };
    throw error;
  }
  return { code: 'accepted' };
};
const none: SelectorContext = { bindings: [] };
const find = (document: string, path: string, context = none): string | undefined => {
  const index = readXml(Buffer.from(document), defaultXmlLimits);
  const node = selectNode(index, bindSelector(parseNodeSelector(path.split('/')), context));
  if (node === undefined) return undefined;
  return node.kind === 'attribute' ? node.attribute.value : `${node.kind} ${node.element}`;
};

describe('RFC 4825 6.3: grammar of node selectors', () => {
  test('steps, predicates and terminals', () => {
    expect(parseNodeSelector(['a', 'p:b[2]', '*[@c="d"]', "*[03][@p:e='f\"g']", '@h']).steps).toEqual([
      { name: { prefix: '', localName: 'a' }, position: undefined },
      { name: { prefix: 'p', localName: 'b' }, position: 2 },
      { name: '*', position: undefined, attribute: { name: { prefix: '', localName: 'c' }, value: 'd' } },
      { name: '*', position: 3, attribute: { name: { prefix: 'p', localName: 'e' }, value: 'f"g' } },
    ]);
    expect(parseNodeSelector(['a', '@p:h']).terminal).toEqual({
      kind: 'attribute',
      name: { prefix: 'p', localName: 'h' },
    });
    expect(parseNodeSelector(['a', 'namespace::*']).terminal).toEqual({ kind: 'namespaces' });
    expect(parseNodeSelector(['größe', 'a-b.c·d']).steps.map((s) => s.name)).toEqual([
      { prefix: '', localName: 'größe' },
      { prefix: '', localName: 'a-b.c·d' },
    ]);
  });

  test('values are AttValues: references decoded, white space normalised', () => {
    expect(parseNodeSelector(['a[@b="x&amp;&#65;\ty/[@]"]']).steps[0]?.attribute?.value).toBe('x&A y/[@]');
  });

  test.each<[readonly string[], number]>([
    [[], 1],
    [[''], 1],
    [['@a'], 3],
    [['namespace::*'], 10],
    [['a', '', 'b'], 3],
    [['a', '@b', 'c'], 5],
    [['a', 'namespace::*', '@c'], 12],
    [['a', 'namespace::p'], 12],
    [['a', '@*'], 4],
    [['a', 'b[]'], 5],
    [['a', 'b[-1]'], 5],
    [['a', 'b[1.5]'], 6],
    [['a', 'b[last()]'], 5],
    [['a', 'b[@c=d]'], 8],
    [['a', 'b[@c="d]'], 11],
    [['a', 'b[@c="d<"]'], 10],
    [['a', 'b[@c="&nbsp;"]'], 9],
    [['a', 'b[@c="&x"]'], 9],
    [['a', 'b[@c]'], 7],
    [['a', 'b[ 1 ]'], 5],
    [['a', 'b[@c="d"][1]'], 12],
    [['a', 'b[1][2]'], 8],
    [['a', 'text()'], 7],
    [['a', 'b:c:d'], 6],
    [['a', 'b:*'], 4],
    [['a', '1b'], 3],
    [['ab', 'c', 'x-ext::foo'], 11],
    [['a', '..'], 3],
  ])('what is no step is an extension selector, not understood: %j', (segments, position) => {
    expect(refusalOf(() => parseNodeSelector(segments))).toEqual({
      code: 'selector-not-understood',
      phrase: expect.stringContaining(`at character ${position}: `),
    });
  });

  test('a hostile segment is judged at once', () => {
    const started = performance.now();
    expect(refusalOf(() => parseNodeSelector([`a[@b="${'&a;'.repeat(100_000)}`])).code).toBe('selector-not-understood');
    expect(refusalOf(() => parseNodeSelector([`a[@b="${'&'.repeat(100_000)}"]`])).code).toBe('selector-not-understood');
    expect(refusalOf(() => parseNodeSelector([`${'a'.repeat(200_000)}[`])).code).toBe('selector-not-understood');
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test('segments are encoded again for a URI', () => {
    const selector = bindSelector(parseNodeSelector(['g', 'l[@u="sip:a@b;x=y"]', 'ä[2]', '@z']), none);
    expect(encodeSteps(selector, 3)).toBe('g/l%5B@u=%22sip:a@b;x=y%22%5D/%C3%A4%5B2%5D');
    expect(encodeSteps(selector, 0)).toBe('');
  });
});

describe('RFC 4825 6.3, 6.4: evaluation', () => {
  test('unprefixed elements take the default document namespace, unprefixed attributes none', () => {
    const context = {
      defaultNamespace: 'urn:1',
      bindings: [
        { prefix: 'p', namespace: 'urn:2' },
        { prefix: 'q', namespace: 'urn:3' },
        { prefix: 'q', namespace: 'urn:1' },
      ],
    };
    const document = '<x:a xmlns:x="urn:1" xmlns="urn:2" x:n="1" n="2"><b/><c xmlns=""/></x:a>';
    expect(find(document, 'a/@n', context)).toBe('2');
    expect(find(document, 'q:a/@q:n', context)).toBe('1');
    expect(find(document, 'a/b', context)).toBeUndefined();
    expect(find(document, 'a/p:b', context)).toBe('element 1');
    expect(find(document, 'a/p:b', { ...context, defaultNamespace: 'urn:1' })).toBe('element 1');
    expect(find(document, '*/c')).toBe('element 2');
  });

  test('a prefix that the query does not bind is refused, xml is bound by definition', () => {
    expect(refusalOf(() => find('<a/>', 'z:a')).code).toBe('unbound-prefix');
    expect(refusalOf(() => find('<a/>', 'a[@z:b="c"]')).code).toBe('unbound-prefix');
    expect(refusalOf(() => find('<a/>', 'a/@z:b')).code).toBe('unbound-prefix');
    expect(find('<a xml:lang="en"/>', 'a/@xml:lang')).toBe('en');
  });

  test.each([
    ['a[1]', 'element 0'],
    ['a[2]', undefined],
    ['*[@k="r"]', 'element 0'],
    ['*[@k="s"]', undefined],
    ['a/b', undefined],
    ['a/c', 'element 3'],
    ['a/*[3]', 'element 3'],
    ['a/*[0]', undefined],
    ['a/b[2]', 'element 2'],
    ['a/b[2][@k="1"]', 'element 2'],
    ['a/b[1][@k="2"]', undefined],
    ['a/b[@k="1"]', undefined],
    ['a/*[@k="3"]', 'element 4'],
    ['a/b[@k="3"]', undefined],
    ['a/b[3]', undefined],
    ['a/b[99999999999999999999]', undefined],
    ['a/b[1]/@k', '1'],
    ['a/b[1]/@nope', undefined],
    ['a/c/namespace::*', 'namespaces 3'],
    ['b/c', undefined],
  ])('%s', (path, found) => {
    const document = '<a k="r"><!-- c --><b k="1"/>text<b k="1"/><?pi?><c/><d k="3"/></a>';
    expect(find(document, path)).toBe(found);
  });

  test('a namespace declaration is no attribute', () => {
    const context = { bindings: [{ prefix: 'xmlns', namespace: namespaces.xmlns }] };
    for (const path of ['a/@xmlns', 'a[@xmlns="urn:1"]', 'a/@xmlns:p']) {
      expect(find('<a xmlns:p="urn:2"/>', path, context)).toBeUndefined();
    }
  });

  test('asking a long list again and again by attribute is answered from a table, with the same answers', () => {
    const index = readXml(groupWithMembers(5000), defaultXmlLimits);
    const context = { defaultNamespace: namespaces.listService, bindings: [] };
    const ask = (uri: string) =>
      selectElement(
        index,
        bindSelector(parseNodeSelector(['group', 'list-service', 'list', `entry[@uri="${uri}"]`]), context).steps,
      ).outcome;
    expect([ask('sip:u0@blue.example'), ask('sip:u4999@blue.example'), ask('sip:U0@blue.example')]).toEqual([
      3,
      3 + 4999 * 4,
      'none',
    ]);
    const started = performance.now();
    for (let i = 0; i < 5000; i++) expect(ask(`sip:u${i}@blue.example`)).toBe(3 + i * 4);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('a table knows values that several children carry', () => {
    const index = readXml(Buffer.from('<a><b k="1"/><b k="2"/><b k="1"/><b/></a>'), defaultXmlLimits);
    const ask = (k: string) => selectElement(index, bindSelector(parseNodeSelector(['a', `b[@k="${k}"]`]), none).steps);
    for (let round = 0; round < 3; round++) {
      expect([ask('1'), ask('2'), ask('3')]).toEqual([
        { outcome: 'several', matched: 1 },
        { outcome: 2, matched: 2 },
        { outcome: 'none', matched: 1 },
      ]);
    }
  });
});

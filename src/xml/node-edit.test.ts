import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Refusal } from '../refusals.ts';
import { groupWithMembers } from './group-samples.testkit.ts';
import { defaultXmlLimits, type XmlLimits } from './limits.ts';
import { namespaces } from './names.ts';
import { deleteNode, fetchNode, locatePut, putNode } from './node-edit.ts';
import { bindSelector, type NodeSelector, parseNodeSelector, type SelectorContext } from './node-selector.ts';
import type { OffsetIndex } from './offset-index.ts';
import { readXml } from './xml-document.ts';

const read = (document: string | Uint8Array): OffsetIndex =>
  readXml(typeof document === 'string' ? Buffer.from(document) : document, defaultXmlLimits);
const selector = (path: string, context: SelectorContext = { bindings: [] }): NodeSelector =>
  bindSelector(parseNodeSelector(path.split('/')), context);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

function refused(run: () => unknown): Refusal {
  try {
    run();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('not refused');
}

interface PutExtras {
  readonly limits?: Partial<XmlLimits>;
  readonly bare?: boolean;
  readonly context?: SelectorContext;
}
function put(document: string, path: string, body: string | Uint8Array, extras: PutExtras = {}): string {
  const index = read(document);
  const node = selector(path, extras.context);
  const limits = { ...defaultXmlLimits, ...extras.limits };
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const edited = putNode(index, node, locatePut(index, node), bytes, { limits, bareAttributeValues: extras.bare });
  expect(text(index.bytes)).toBe(document);
  return text(edited.bytes);
}
const putCode = (document: string, path: string, body: string | Uint8Array, extras?: PutExtras): string =>
  refused(() => put(document, path, body, extras)).code;
const remove = (document: string, path: string): string =>
  text(deleteNode(read(document), selector(path), defaultXmlLimits).bytes);

describe('RFC 4825 8.2.2: the body of an element PUT', () => {
  test.each([
    ['plain', '<a/>'],
    ['white space around', ' \r\n<a/>\t\n'],
    ['XML declaration', '<?xml version="1.0" encoding="UTF-8"?>\n<a/>'],
    ['byte order mark', '\ufeff<a/>'],
  ])('%s: the element alone goes in', (_, body) => {
    expect(put('<r></r>', 'r/a', body)).toBe('<r><a/></r>');
  });

  test.each([
    ['empty', ''],
    ['white space', ' \n'],
    ['text', 'a'],
    ['two elements', '<a/><a/>'],
    ['comment before', '<!-- c --><a/>'],
    ['comment behind', '<a/><!-- c -->'],
    ['text behind', '<a/>b'],
    ['PI behind', '<a/><?b?>'],
    ['CDATA around', '<![CDATA[<a/>]]>'],
    ['unfinished', '<a>'],
    ['end tag that closes the parent', '<a/></r><r>'],
    ['end tag that closes the wrapper', '<a/></parent><parent>'],
    ['end tag of the wrapper and a new document element', '</parent><a/>'],
    ['DTD', '<!DOCTYPE a><a/>'],
    ['DTD with entity', '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'],
    ['undefined entity', '<a>&x;</a>'],
    ['unbound prefix', '<p:a/>'],
    ['prefix bound in the query alone', '<q:a/>'],
    ['duplicate attribute', '<a b="" b=""/>'],
    ['control character', '<a>\x01</a>'],
    ['XML declaration behind white space inside', '<a/><?xml version="1.0"?>'],
  ])('%s is no fragment', (_, body) => {
    expect(putCode('<r></r>', 'r/*', body, { context: { bindings: [{ prefix: 'q', namespace: 'urn:q' }] } })).toBe(
      'not-xml-frag',
    );
  });

  test('what is too deep breaks a constraint', () => {
    expect(putCode('<r></r>', 'r/*', `${'<a>'.repeat(70)}${'</a>'.repeat(70)}`)).toBe('constraint-failure');
  });

  test.each<[string, Uint8Array]>([
    ['ISO-8859-1', Buffer.from('<a>\xfc</a>', 'latin1')],
    ['declared otherwise', Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><a/>')],
    ['UTF-16', Buffer.from('\ufeff<a/>', 'utf16le')],
  ])('%s is not UTF-8', (_, body) => {
    expect(putCode('<r/>', 'r/a', body)).toBe('not-utf-8');
  });

  test('prefixes bound where the element lands may be used, its own declarations stay', () => {
    const document = '<r xmlns="urn:1" xmlns:p="urn:a&amp;b"><l/></r>';
    const context = { defaultNamespace: 'urn:1', bindings: [{ prefix: 'x', namespace: 'urn:a&b' }] };
    const body = '<p:a xmlns:p="urn:a&amp;b" p:b="1"><c/></p:a>';
    expect(put(document, 'r/l/x:a', body, { context })).toBe(
      `<r xmlns="urn:1" xmlns:p="urn:a&amp;b"><l>${body}</l></r>`,
    );
    expect(put(document, 'r/l/x:a', '<p:a/>', { context })).toContain('<l><p:a/></l>');
    expect(putCode(document, 'r/l/x:a', '<a/>', { context })).toBe('cannot-insert');
  });

  test('limits hold for the document that results', () => {
    expect(putCode('<r><a/></r>', 'r/b', '<b/>', { limits: { elements: 2 } })).toBe('constraint-failure');
    expect(put('<r><a/></r>', 'r/b', '<b/>', { limits: { elements: 3 } })).toBe('<r><a/><b/></r>');
    expect(putCode('<r><a/></r>', 'r/a/b', '<b/>', { limits: { elementDepth: 2 } })).toBe('constraint-failure');
    expect(putCode('<r><a/></r>', 'r/b', '<b/>', { limits: { documentBytes: 14 } })).toBe('document-too-large');
    expect(put('<r><a/></r>', 'r', '<r><b/></r>', { limits: { elementDepth: 2, elements: 2 } })).toBe('<r><b/></r>');
  });
});

describe('RFC 4825 8.2.1, 8.2.3, 8.2.4: where an element goes', () => {
  test('the closest existing ancestor is named when the parent is missing or ambiguous', () => {
    const at = (path: string) => refused(() => locatePut(read('<r><a k="ü"><b/><b/></a></r>'), selector(path)));
    expect([at('r/x/y').code, at('r/x/y').detail.ancestor]).toEqual(['no-parent', 'r']);
    expect(at('r/a[@k="ü"]/b/c').detail.ancestor).toBe('r/a%5B@k=%22%C3%BC%22%5D');
    expect(at('r/a/x/@y').detail.ancestor).toBe('r/a');
    expect([at('x/y').code, at('x/y').detail.ancestor]).toEqual(['no-parent', undefined]);
  });

  test('an element that the selector does not describe is refused, and nothing changes', () => {
    const document = '<r><a k="1"/><a k="2"/></r>';
    expect(putCode(document, 'r/a[@k="1"]', '<a k="3"/>')).toBe('cannot-insert');
    expect(putCode(document, 'r/a[@k="1"]', '<a k="2"/>')).toBe('cannot-insert');
    expect(putCode(document, 'r/a[@k="3"]', '<a k="1"/>')).toBe('cannot-insert');
    expect(putCode(document, 'r/a[@k="3"]', '<b k="3"/>')).toBe('cannot-insert');
    expect(putCode(document, 'r/b', '<a/>')).toBe('cannot-insert');
    expect(putCode(document, 'r/a', '<a/>')).toBe('cannot-insert');
    expect(putCode(document, 's', '<s/>')).toBe('cannot-insert');
    expect(putCode(document, 'r[2]', '<r/>')).toBe('cannot-insert');
    expect(putCode(document, 'r', '<s/>')).toBe('cannot-insert');
    expect(putCode(document, 'r/*[0]', '<a/>')).toBe('cannot-insert');
    expect(putCode(document, 'r/*[9]', '<a/>')).toBe('cannot-insert');
  });

  test('an equal element beside the wrong place does not pass for the one put', () => {
    expect(putCode('<r><a k="1"/><b/></r>', 'r/*[2][@k="1"]', '<b/>')).toBe('cannot-insert');
    expect(put('<r><a/><b/></r>', 'r/*[1]', '<b/>')).toBe('<r><b/><b/></r>');
  });

  test('putting the same bytes again changes nothing and says so', () => {
    const index = read('<r> <a k="1"/></r>');
    const node = selector('r/a');
    const same = putNode(index, node, locatePut(index, node), Buffer.from('<a k="1"/>'), { limits: defaultXmlLimits });
    expect([same.changed, same.created]).toEqual([false, false]);
    const other = putNode(index, node, locatePut(index, node), Buffer.from("<a k='1'/>"), { limits: defaultXmlLimits });
    expect([other.changed, other.created]).toEqual([true, false]);
  });
});

describe('RFC 4825 7.7 to 7.9: attributes', () => {
  test.each([
    ['<r/>', '<r a="1"/>'],
    ['<r />', '<r a="1" />'],
    ['<r></r>', '<r a="1"></r>'],
    [`<r b = 'x>'  ></r>`, `<r b = 'x>' a="1"  ></r>`],
    ['<r xmlns="">t</r>', '<r xmlns="" a="1">t</r>'],
    [`<r a='0' b="2"/>`, '<r a="1" b="2"/>'],
  ])('PUT into %s', (before, after) => {
    expect(put(before, 'r/@a', '"1"')).toBe(after);
  });

  test.each([
    ['no quotes', 'x'],
    ['no end quote', '"x'],
    ['other end quote', `"x'`],
    ['breaks out', '"x" b="y"'],
    ['"<" inside', '"<"'],
    ['bare ampersand', '"&"'],
    ['undefined entity', '"&x;"'],
    ['forbidden reference', '"&#1;"'],
    ['forbidden character', '"\x01"'],
    ['U+FFFE', '"\ufffe"'],
    ['empty', ''],
    ['quote inside', '"a"b"'],
  ])('%s is no AttValue', (_, body) => {
    expect(putCode('<r/>', 'r/@a', body)).toBe('not-xml-att-value');
  });

  test('bytes outside UTF-8 are told apart, white space around is dropped', () => {
    expect(putCode('<r/>', 'r/@a', Buffer.from('"\xfc"', 'latin1'))).toBe('not-utf-8');
    expect(put('<r/>', 'r/@a', ` '"&amp;>'\n`)).toBe(`<r a='"&amp;>'/>`);
  });

  test('bare values are accepted on demand alone', () => {
    expect(put('<r/>', 'r/@a', 'sip:a@b', { bare: true })).toBe('<r a="sip:a@b"/>');
    expect(put('<r/>', 'r/@a', 'say "x"', { bare: true })).toBe(`<r a='say "x"'/>`);
    expect(put('<r/>', 'r/@a', '"quoted"', { bare: true })).toBe('<r a="quoted"/>');
    expect(putCode('<r/>', 'r/@a', `a"b'c`, { bare: true })).toBe('not-xml-att-value');
    expect(putCode('<r/>', 'r/@a', '"x', { bare: true })).toBe('not-xml-att-value');
  });

  test('a prefixed attribute takes a prefix in scope; without one it cannot be inserted', () => {
    const context = {
      bindings: [
        { prefix: 'p', namespace: 'urn:1' },
        { prefix: 'xmlns', namespace: namespaces.xmlns },
      ],
    };
    expect(put('<r xmlns:q="urn:1"/>', 'r/@p:a', '"1"', { context })).toBe('<r xmlns:q="urn:1" q:a="1"/>');
    expect(put('<r xmlns:q="urn:1" xmlns:p="urn:1"/>', 'r/@p:a', '"1"', { context })).toContain(' p:a="1"');
    expect(put('<r/>', 'r/@xml:lang', '"en"', { context })).toBe('<r xml:lang="en"/>');
    expect(putCode('<r/>', 'r/@p:a', '"1"', { context })).toBe('cannot-insert');
    expect(putCode('<r xmlns:p="urn:2"/>', 'r/@p:a', '"1"', { context })).toBe('cannot-insert');
    expect(putCode('<p:r xmlns:p="urn:2" xmlns="urn:1"/>', '*/@p:a', '"1"', { context })).toBe('cannot-insert');
    expect(putCode('<r/>', 'r/@xmlns', '"urn:1"', { context })).toBe('cannot-insert');
    expect(putCode('<r/>', 'r/@xmlns:p', '"urn:1"', { context })).toBe('cannot-insert');
  });

  test('RFC 4825 7.7: changing the attribute that selects the element works by position, not by its value', () => {
    const document = '<r><e u="a"/><e u="b"/></r>';
    expect(putCode(document, 'r/e[@u="a"]/@u', '"c"')).toBe('cannot-insert');
    expect(put(document, 'r/e[@u="a"]/@u', "'a'")).toBe(`<r><e u='a'/><e u="b"/></r>`);
    expect(put(document, 'r/e[1]/@u', '"c"')).toBe('<r><e u="c"/><e u="b"/></r>');
  });

  test('adding and deleting an attribute restores every octet', () => {
    for (const document of ['<r/>', '<r  b="1" />', `<r\n b='1'\n></r>`, '<r xmlns:p="urn:1" p:b="2">t</r>']) {
      expect(remove(put(document, 'r/@a', '"1"'), 'r/@a')).toBe(document);
    }
  });
});

describe('RFC 4825 8.4: deletion', () => {
  test.each([
    ['r/b', '<r><a k="1"/> <a k="2"/><!-- c --></r>'],
    ['r/a[2]', '<r><a k="1"/> <!-- c --><b/></r>'],
    ['r/*[3]', '<r><a k="1"/> <a k="2"/><!-- c --></r>'],
    ['r/a[1][@k="1"]', '<r> <a k="2"/><!-- c --><b/></r>'],
    ['r/a[@k="2"]/@k', '<r><a k="1"/> <a/><!-- c --><b/></r>'],
  ])('%s', (path, after) => {
    expect(remove('<r><a k="1"/> <a k="2"/><!-- c --><b/></r>', path)).toBe(after);
  });

  test.each([
    ['r/a[1]', 'cannot-delete'],
    ['r/*[1]', 'cannot-delete'],
    ['r/a', 'not-found'],
    ['r/x', 'not-found'],
    ['r/@x', 'not-found'],
    ['r', 'schema-validation-error'],
    ['*', 'schema-validation-error'],
    ['r/namespace::*', 'method-not-allowed'],
  ])('%s is refused: %s', (path, code) => {
    expect(refused(() => remove('<r><a k="1"/> <a k="2"/><!-- c --><b/></r>', path)).code).toBe(code);
  });

  test('namespace bindings are neither put nor deleted', () => {
    expect(refused(() => locatePut(read('<r/>'), selector('r/namespace::*'))).detail.allow).toEqual([
      'GET',
      'HEAD',
      'OPTIONS',
    ]);
  });
});

describe('RFC 4825 8.2.3: GET(PUT(x)) = x', () => {
  const children = fc.array(
    fc.tuple(
      fc.constantFrom('a', 'b', 'c'),
      fc.constantFrom('1', '2', '3'),
      fc.constantFrom('', ' ', '\n<!-- c -->', 'text'),
    ),
    { maxLength: 6 },
  );
  const steps = fc.tuple(
    fc.constantFrom('a', 'b', '*'),
    fc.constantFrom('', '[0]', '[1]', '[2]', '[3]', '[4]'),
    fc.constantFrom('', '[@k="1"]', '[@k="2"]', '[@k="4"]'),
  );
  const body = fc.tuple(fc.constantFrom('a', 'b', 'd'), fc.constantFrom('', ' k="1"', ' k="2"', ' k="4"'));

  test('a PUT is refused or gives back its body and repeats itself; deleting what it created restores the document', () => {
    let done = 0;
    fc.assert(
      fc.property(children, steps, body, (nodes, step, [name, attribute]) => {
        const document = `<r>${nodes.map(([n, k, gap]) => `<${n} k="${k}"/>${gap}`).join('')}</r>`;
        const node = selector(`r/${step.join('')}`);
        const bytes = Buffer.from(`<${name}${attribute}>new</${name}>`);
        const index = read(document);
        try {
          const edited = putNode(index, node, locatePut(index, node), bytes, { limits: defaultXmlLimits });
          expect(text(fetchNode(edited.index, node)?.body ?? Buffer.alloc(0))).toBe(text(bytes));
          expect(text(edited.bytes).length - document.length).toBe(
            edited.created ? bytes.length : text(edited.bytes).length - document.length,
          );
          const again = putNode(edited.index, node, locatePut(edited.index, node), bytes, { limits: defaultXmlLimits });
          expect([again.created, again.changed]).toEqual([false, false]);
          if (edited.created) {
            expect(fetchNode(index, node)).toBeUndefined();
            const element = text(edited.bytes).indexOf(text(bytes));
            expect(text(edited.bytes).slice(0, element) + text(edited.bytes).slice(element + bytes.length)).toBe(
              document,
            );
          }
          done++;
        } catch (error) {
          expect(error).toMatchObject({ code: 'cannot-insert' });
        }
        try {
          const deleted = deleteNode(index, node, defaultXmlLimits);
          expect(fetchNode(deleted.index, node)).toBeUndefined();
        } catch (error) {
          expect(['not-found', 'cannot-delete']).toContain((error as Refusal).code);
        }
      }),
      { seed: 4825, numRuns: 1500 },
    );
    expect(done).toBeGreaterThan(150);
  });

  test('one member put into 10,000', () => {
    const index = read(groupWithMembers(10_000));
    const context = { defaultNamespace: namespaces.listService, bindings: [] };
    const node = selector('group/list-service/list/entry[@uri="sip:new@red.example"]', context);
    const body = '<entry uri="sip:new@red.example"><rl:display-name>New</rl:display-name></entry>';
    const edited = putNode(index, node, locatePut(index, node), Buffer.from(body), { limits: defaultXmlLimits });
    expect([edited.created, edited.index.count - index.count]).toEqual([true, 2]);
    const back = deleteNode(edited.index, node, defaultXmlLimits);
    expect(Buffer.compare(back.bytes, index.bytes)).toBe(0);
  });
});

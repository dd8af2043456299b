// Bodies of node PUTs: what is accepted and what is refused, the same on whichever thread a body is read. RFC 4825 clauses 7.4, 7.7, 8.2.2.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import {
  readAttributeFragment,
  readElementFragment,
  readLargeAttributeFragment,
  readLargeElementFragment,
  type ScanElsewhere,
} from './fragment.ts';
import { defaultXmlLimits } from './limits.ts';
import { SchemaLibrary } from './schema.ts';

let library: SchemaLibrary;
let scan: ScanElsewhere;
beforeAll(async () => {
  library = await SchemaLibrary.load({ threads: 1 });
  scan = (bytes, limits) => library.scan(bytes, limits);
});
afterAll(() => library.close());

const scope = new Map([
  ['', 'urn:example:default'],
  ['p', 'urn:example:p'],
]);

async function outcome<T>(read: () => T | Promise<T>, told: (fragment: T) => unknown): Promise<unknown> {
  try {
    return told(await read());
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

const text = (octets: Uint8Array): string => Buffer.from(octets).toString('latin1');

describe('RFC 4825 8.2.2: the body of an element PUT', () => {
  test.each<readonly [string, string | Buffer, string | undefined]>([
    ['one element', '<a/>', undefined],
    ['one with prefixes of its parent', '<p:a><b p:c="1"/></p:a>', undefined],
    ['white space, a mark and a declaration around it', '\ufeff<?xml version="1.0"?>\r\n\t <a/> \n', undefined],
    ['a declaration of another encoding', '<?xml version="1.0" encoding="ISO-8859-1"?><a/>', 'not-utf-8'],
    ['octets that are no UTF-8', Buffer.from('<a>\xe9</a>', 'latin1'), 'not-utf-8'],
    ['NUL', '<a>\0</a>', 'not-xml-frag'],
    ['NUL at the start', '\0<a/>', 'not-xml-frag'],
    ['NUL beside octets that are no UTF-8', Buffer.from('<a>\0\xe9</a>', 'latin1'), 'not-utf-8'],
    ['UTF-16', Buffer.from('<a/>', 'utf16le'), 'not-utf-8'],
    ['UTF-16 of the other order', Buffer.from('<a/>', 'utf16le').swap16(), 'not-utf-8'],
    ['two elements', '<a/><b/>', 'not-xml-frag'],
    ['a comment beside it', '<a/><!-- -->', 'not-xml-frag'],
    ['text beside it', '<a/>x', 'not-xml-frag'],
    ['text alone', 'x', 'not-xml-frag'],
    ['nothing', '', 'not-xml-frag'],
    ['white space', ' \n', 'not-xml-frag'],
    ['no end tag', '<a>', 'not-xml-frag'],
    ['the end of something else', '</parent><parent><a/>', 'not-xml-frag'],
    ['a prefix that nobody binds', '<q:a/>', 'not-xml-frag'],
    ['a document type declaration', '<!DOCTYPE a><a/>', 'not-xml-frag'],
    ['an entity that nobody defines', '<a>&b;</a>', 'not-xml-frag'],
    ['nesting that is too deep', '<a>'.repeat(65) + '</a>'.repeat(65), 'constraint-failure'],
    ['nesting that the parser does not follow', '<a>'.repeat(300) + '</a>'.repeat(300), 'constraint-failure'],
    ['a name that is too long', `<a><${'b'.repeat(1025)}/></a>`, 'constraint-failure'],
    ['deep nesting that does not end', '<a>'.repeat(65), 'not-xml-frag'],
    [
      'too many attributes',
      `<a${Array.from({ length: 257 }, (_, at) => ` a${at}=""`).join('')}/>`,
      'constraint-failure',
    ],
  ])('%s', async (_name, body, refusal) => {
    const octets = Buffer.from(body as string);
    const told = ({ bytes, namespace, localName }: ReturnType<typeof readElementFragment>): unknown => ({
      bytes: text(bytes),
      namespace,
      localName,
    });
    const here = await outcome(() => readElementFragment(octets, scope, defaultXmlLimits), told);
    const elsewhere = await outcome(() => readLargeElementFragment(octets, scope, defaultXmlLimits, scan), told);
    expect(elsewhere).toEqual(here);
    if (refusal === undefined) expect(here).toMatchObject({ localName: 'a' });
    else expect(here).toBe(refusal);
  });
});

describe('RFC 4825 7.7: the body of an attribute PUT', () => {
  test.each<readonly [string, string | Buffer, string | undefined]>([
    ['a value in quotes', '"a"', '"a"'],
    ['a value in apostrophes, with quotes', `'a "b"'`, `'a "b"'`],
    ['white space around it', ' \r\n"a b"\t', '"a b"'],
    ['nothing in quotes', '""', '""'],
    ['references', '"&lt;&#65;&#x42;&amp;"', '"&lt;&#65;&#x42;&amp;"'],
    ['no quotes', 'a', undefined],
    ['one quote', '"', undefined],
    ['nothing', '', undefined],
    ['a quote inside', '"a"b"', undefined],
    ['another attribute behind it', '"a" b="c"', undefined],
    ['two kinds of quotes', `"a'`, undefined],
    ['markup', '"<"', undefined],
    ['an entity that nobody defines', '"&a;"', undefined],
    ['an ampersand alone', '"&"', undefined],
    ['a reference that does not end', '"&amp"', undefined],
    ['a reference to no character', '"&#0;"', undefined],
    ['a control character', '"\u0001"', undefined],
    ['what is no character', '"\uffff"', undefined],
  ])('%s', async (_name, body, wanted) => {
    const octets = Buffer.from(body as string);
    const told = ({ quoted }: ReturnType<typeof readAttributeFragment>): string => text(quoted);
    const here = await outcome(() => readAttributeFragment(octets), told);
    const elsewhere = await outcome(() => readLargeAttributeFragment(octets, false, defaultXmlLimits, scan), told);
    expect([here, elsewhere]).toEqual(Array(2).fill(wanted ?? 'not-xml-att-value'));
  });

  test.each([
    ['NUL', Buffer.from('"a\0b"'), 'not-xml-att-value'],
    ['UTF-16', Buffer.from('"a"', 'utf16le'), 'not-utf-8'],
  ])('%s', async (_name, octets, code) => {
    expect(await outcome(() => readAttributeFragment(octets), String)).toBe(code);
    expect(await outcome(() => readLargeAttributeFragment(octets, false, defaultXmlLimits, scan), String)).toBe(code);
  });

  test('octets that are no UTF-8 are not-utf-8', async () => {
    const octets = Buffer.from('"\xe9"', 'latin1');
    expect(await outcome(() => readAttributeFragment(octets), String)).toBe('not-utf-8');
    expect(await outcome(() => readLargeAttributeFragment(octets, false, defaultXmlLimits, scan), String)).toBe(
      'not-utf-8',
    );
  });

  test('a value without quotes is accepted where older clients are welcome', async () => {
    const octets = Buffer.from(' a"b ');
    expect(text(readAttributeFragment(octets, true).quoted)).toBe(`'a"b'`);
    expect(text((await readLargeAttributeFragment(octets, true, defaultXmlLimits, scan)).quoted)).toBe(`'a"b'`);
  });
});

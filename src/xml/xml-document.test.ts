import { describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { defaultXmlLimits, type XmlLimits } from './limits.ts';
import { readXml } from './xml-document.ts';

function refusalOf(body: string | Uint8Array, limits: Partial<XmlLimits> = {}): string {
  try {
    readXml(typeof body === 'string' ? Buffer.from(body) : body, { ...defaultXmlLimits, ...limits });
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
  return 'accepted';
}

const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('<a/>', 'utf16le')]);

describe('reading XML', () => {
  test.each<[string, string | Uint8Array, string]>([
    ['UTF-8', '<a>ü</a>', 'accepted'],
    ['UTF-8 with declaration', '<?xml version="1.0" encoding="utf-8"?><a>ü</a>', 'accepted'],
    ['byte order mark', '\ufeff<?xml version="1.0" encoding="UTF-8"?><a/>', 'accepted'],
    [
      'a byte order mark outranks the declaration',
      '\ufeff<?xml version="1.0" encoding="ISO-8859-1"?><a>ü</a>',
      'accepted',
    ],
    ['declared ISO-8859-1', '<?xml version="1.0" encoding="ISO-8859-1"?><a/>', 'not-utf-8'],
    ['declared UTF-16', "<?xml version='1.0' encoding = 'UTF-16'?><a/>", 'not-utf-8'],
    ['ISO-8859-1 bytes', Buffer.from('<a>\xfc</a>', 'latin1'), 'not-utf-8'],
    ['UTF-16', utf16, 'not-utf-8'],
    ['UTF-16 without mark', Buffer.from('<a/>', 'utf16le'), 'not-utf-8'],
    ['NUL', '<a>\0</a>', 'not-well-formed'],
    ['overlong UTF-8', Buffer.from([0x3c, 0x61, 0x3e, 0xc0, 0xbc, 0x3c, 0x2f, 0x61, 0x3e]), 'not-utf-8'],
  ])('RFC 4825 5.3, RFC 7303 3.2: encoding: %s', (_, body, expected) => {
    expect(refusalOf(body)).toBe(expected);
  });

  test.each([
    ['empty', ''],
    ['white space alone', '  \n'],
    ['text alone', 'hello'],
    ['no element', '<?xml version="1.0"?>'],
    ['comment that never ends', '<!-- x'],
    ['mismatched tags', '<a></b>'],
    ['unfinished', '<a><b></b>'],
    ['two document elements', '<a/><b/>'],
    ['text behind', '<a/>x'],
    ['unquoted value', '<a x=1/>'],
    ['duplicate attribute', '<a x="1" x="2"/>'],
    ['duplicate expanded attribute name', '<a xmlns:p="u" xmlns:q="u" p:x="1" q:x="2"/>'],
    ['unbound element prefix', '<p:a/>'],
    ['unbound attribute prefix', '<a p:x="1"/>'],
    ['prefix bound to nothing', '<a xmlns:p=""/>'],
    ['two colons', '<a:b:c xmlns:a="u"/>'],
    ['bare ampersand', '<a>&</a>'],
    ['undefined entity', '<a>&nbsp;</a>'],
    ['forbidden character reference', '<a>&#0;</a>'],
    ['control character', '<a>\x01</a>'],
    ['"<" in a value', '<a x="<"/>'],
    ['"]]>" in text', '<a>]]></a>'],
    ['"--" in a comment', '<a><!-- -- --></a>'],
    ['XML declaration not at the start', ' <?xml version="1.0"?><a/>'],
    ['late document type declaration', '<a><!DOCTYPE a></a>'],
  ])('not well-formed: %s', (_, body) => {
    expect(refusalOf(body)).toBe('not-well-formed');
  });

  test.each([
    ['plain', '<!DOCTYPE a><a/>'],
    [
      'behind declaration and comment',
      '<?xml version="1.0"?>\n<!-- <a/> --><?p?><!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    ],
    ['external', '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'],
    ['amplification', `<!DOCTYPE a [<!ENTITY x "${'y'.repeat(1000)}">]><a>${'&x;'.repeat(1000)}</a>`],
    ['lower case', '<!doctype a><a/>'],
  ])('a document type declaration is refused before parsing: %s', (_, body) => {
    expect(refusalOf(body)).toBe('constraint-failure');
  });

  test.each<[string, string, Partial<XmlLimits>, string]>([
    ['bytes', '<a>12345</a>', { documentBytes: 11 }, 'document-too-large'],
    ['bytes, just fitting', '<a>12345</a>', { documentBytes: 12 }, 'accepted'],
    ['depth', '<a><a><a/></a></a>', { elementDepth: 2 }, 'constraint-failure'],
    ['depth, just fitting', '<a><a><a/></a></a>', { elementDepth: 3 }, 'accepted'],
    ['elements', '<a><b/><b/></a>', { elements: 2 }, 'constraint-failure'],
    ['elements, just fitting', '<a><b/><b/></a>', { elements: 3 }, 'accepted'],
    ['attributes', '<a b="" c="" xmlns:d="u"/>', { attributesPerElement: 2 }, 'constraint-failure'],
    ['attributes, just fitting', '<a b="" c="" xmlns:d="u"/>', { attributesPerElement: 3 }, 'accepted'],
    ['name', '<abcd/>', { nameLength: 3 }, 'constraint-failure'],
    ['attribute name', '<a abcd=""/>', { nameLength: 3 }, 'constraint-failure'],
    ['name, just fitting', '<abc/>', { nameLength: 3 }, 'accepted'],
    ['scopes', '<a xmlns:p="u"><b xmlns:p="v"/></a>', { namespacesInScope: 1 }, 'constraint-failure'],
    ['different names', '<a><b/><b/><c/></a>', { different: 2 }, 'constraint-failure'],
    ['different names, just fitting', '<a><b/><b/><a/></a>', { different: 2 }, 'accepted'],
    ['different declarations', '<a><b xmlns="u"/><b xmlns="v"/></a>', { different: 1 }, 'constraint-failure'],
    ['declarations that repeat', `<a xmlns:p="u">${'<p:b xmlns="u"/>'.repeat(50)}</a>`, { different: 2 }, 'accepted'],
    ['scopes, just fitting', '<a xmlns:p="u"><b xmlns:p="v"/></a>', { namespacesInScope: 2 }, 'accepted'],
  ])('limit on %s', (_, body, limits, expected) => {
    expect(refusalOf(body, limits)).toBe(expected);
  });

  test.each([
    ['depth', '<a>'.repeat(300) + '</a>'.repeat(300), 'nested too deeply'],
    ['a name', `<a${'b'.repeat(60_000)}/>`, 'name is too long'],
    ['an attribute name', `<a ${'b'.repeat(60_000)}="1"/>`, 'name is too long'],
  ])('%s that is beyond the parser itself is a constraint too: the document may well be XML', (_, body, phrase) => {
    expect(refusalOf(body)).toBe('constraint-failure');
    expect(() => readXml(Buffer.from(body), defaultXmlLimits)).toThrow(phrase);
  });

  test('a flood of four megabytes is judged within its limits', () => {
    const started = performance.now();
    expect(refusalOf(`<r>${'<a/>'.repeat(1_000_000)}</r>`)).toBe('constraint-failure');
    expect(refusalOf('<a>'.repeat(1_300_000))).not.toBe('accepted');
    expect(refusalOf(`<r ${'a="" '.repeat(800_000)}/>`)).not.toBe('accepted');
    expect(refusalOf(`<r ${Array.from({ length: 300_000 }, (_, i) => `a${i}=""`).join(' ')}/>`)).toBe(
      'constraint-failure',
    );
    expect(refusalOf(`<r>${'<p:a/>'.repeat(200_000)}</r>`)).toBe('not-well-formed');
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

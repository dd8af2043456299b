// The query of an XCAP URI: XPointer parts, of which only xmlns() counts.
import { describe, expect, test } from '@jest/globals';
import { parseNamespaceBindings } from './namespace-bindings.ts';

describe('RFC 4825 6.4: namespace bindings', () => {
  test.each([
    ['', []],
    ['xmlns(a=urn:x)', [['a', 'urn:x']]],
    [
      'xmlns(a=urn:x)xmlns(b=urn:y)',
      [
        ['a', 'urn:x'],
        ['b', 'urn:y'],
      ],
    ],
    ['  xmlns( a = urn:x ) \t xmlns(a=urn:y)', [['a', 'urn:y']]],
    ['xmlns(a=http://x/?q=(1)^^^))', [['a', 'http://x/?q=(1)^)']]],
    ['xpointer(id("x"))xmlns(a=urn:x)element(/1/2)', [['a', 'urn:x']]],
    ['shorthand', []],
    // Namespaces in XML 3: these prefixes are bound by definition
    ['xmlns(xml=urn:x)xmlns(xmlns=urn:x)xmlns(xml2=urn:x)', [['xml2', 'urn:x']]],
  ])('%j', (query, bindings) => {
    expect(parseNamespaceBindings(query).map(({ prefix, namespace }) => [prefix, namespace])).toEqual(bindings);
  });

  test.each([
    'xmlns(',
    'xmlns(a=urn:x',
    'xmlns(a=x^y)',
    'xmlns(=urn:x)',
    'xmlns(urn:x)',
    '(a)',
    'a=b',
    'xmlns(a=x)=',
    'xmlns(1=x)',
  ])('%j is no XPointer expression', (query) => {
    expect(() => parseNamespaceBindings(query)).toThrow('no XPointer expression');
  });
});

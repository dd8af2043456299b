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

  // XPointer xmlns() scheme 3: such a part contributes no entry, and the next one is looked at
  test.each(['xmlns(urn:y)', 'xmlns(=urn:y)', 'xmlns(1=urn:y)', 'xmlns()', 'xmlns(b:c=urn:y)', 'xmlns(b c=urn:y)'])(
    '%j binds nothing and hides nothing',
    (part) => {
      expect(parseNamespaceBindings(`xmlns(a=urn:x)${part}xmlns(z=urn:z)`)).toEqual([
        { prefix: 'a', namespace: 'urn:x' },
        { prefix: 'z', namespace: 'urn:z' },
      ]);
    },
  );

  // XPointer framework 3.1: nobody can tell where the next part of these begins
  test.each(['xmlns(b=urn:y', 'xmlns(b=x^y)', '(b)', 'b=c&', '&', ')', '1x(y)', 'x:y:z(b)', '^', '\0'])(
    'from %j on nothing is bound',
    (rest) => {
      expect(parseNamespaceBindings(`xmlns(a=urn:x)${rest}xmlns(z=urn:z)`)).toEqual([
        { prefix: 'a', namespace: 'urn:x' },
      ]);
    },
  );
});

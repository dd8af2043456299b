// Header values that assert identities: every form in use, and nothing half-believed.
import { describe, expect, test } from '@jest/globals';
import { parseAssertedIdentity, parseSipAssertedIdentity } from './asserted-identity.ts';

describe('TS 24.109 and RFC 3325 9.1: asserted identities', () => {
  test.each([
    [['"sip:gms@red.example"'], ['sip:gms@red.example']],
    [['sip:gms@red.example'], ['sip:gms@red.example']],
    [['<SIP:gms@RED.example>'], ['sip:gms@red.example']],
    [['"Ines \\" <a@b>, Ltd" <sip:ines@red.example>'], ['sip:ines@red.example']],
    [['Ines of Red <sip:ines@red.example;user=phone>'], ['sip:ines@red.example;user=phone']],
    [['"sip:a@x", "sip:b@x"'], ['sip:a@x', 'sip:b@x']],
    [['<sip:a,b@x>, tel:+49-30'], ['sip:a,b@x', 'tel:+4930']],
    [
      ['sip:a@x', '"sip:b@x"'],
      ['sip:a@x', 'sip:b@x'],
    ],
    [['sip:a@X, , sip:%61@x,'], ['sip:a@x']],
  ])('%j names %j', (values, identities) => {
    expect(parseAssertedIdentity(values)).toEqual(identities);
  });

  test.each([
    [[]],
    [['']],
    [[',']],
    [['gms@red.example']],
    [['"sip:a@x']],
    [['"sip:a@x" trailing']],
    [['<sip:a@x']],
    [['sip:a@x>']],
    [['<sip:a@x> <sip:b@x>']],
    [['<sip:a@x>;tag=1']],
    [['"sip:admin@x" <sip:a@x']],
    [['<<sip:a@x>>']],
    [['sip:a@x, not a uri']],
    [['"sip:a\\@x"']],
    [[Array.from({ length: 17 }, (_, index) => `sip:u${index}@x`).join()]],
    [['x'.repeat(9000)]],
  ])('%j is refused as a whole', (values) => {
    expect(parseAssertedIdentity(values)).toBeUndefined();
  });

  test('a display name that looks like an identity is none', () => {
    expect(parseAssertedIdentity(['"sip:admin@x" <sip:a@x>'])).toEqual(['sip:a@x']);
  });
});

describe('RFC 3325 9.1: one value, or a SIP or SIPS URI and a TEL URI', () => {
  test.each([
    [['<sip:a@x>'], ['sip:a@x']],
    [['<tel:+49-30>'], ['tel:+4930']],
    [['<sip:a@x>, <tel:+49-30>'], ['sip:a@x', 'tel:+4930']],
    [
      ['<tel:+49-30>', '<sips:a@x>'],
      ['tel:+4930', 'sips:a@x'],
    ],
  ])('%j names %j', (values, identities) => {
    expect(parseSipAssertedIdentity(values)).toEqual(identities);
  });

  test.each([
    [['<sip:a@x>, <sip:b@x>']],
    [['<sip:a@x>', '<sips:b@x>']],
    [['<sip:a@x>, <sip:a@x>']],
    [['<tel:+49-30>, <tel:+49-31>']],
    [['<sip:a@x>, <tel:+49-30>, <tel:+49-31>']],
    [['']],
    [['sip:']],
  ])('%j is refused', (values) => {
    expect(parseSipAssertedIdentity(values)).toBeUndefined();
  });
});

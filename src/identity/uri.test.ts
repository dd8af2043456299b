// Canonical URIs: equal identities become equal strings, and no text is read as two different hosts.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalUri, matchesPattern, uriDomain } from './uri.ts';

describe('RFC 3261 19.1.4 and RFC 4826 5: canonical SIP URI', () => {
  test.each([
    ['SIP:Group@Red.EXAMPLE', 'sip:Group@red.example', 'scheme and host ignore case, the user part does not'],
    ['sip:%6aoe%20smith@example.com', 'sip:joe%20smith@example.com', 'needless encoding goes, needed encoding stays'],
    ['sip:joe%2fx@example.com', 'sip:joe/x@example.com', 'a slash is allowed in a user part'],
    ['sip:a%3bb@example.com', 'sip:a;b@example.com', 'RFC 4826 5: encoded only what the grammar refuses'],
    ['sip:a%3ab@example.com', 'sip:a%3Ab@example.com', 'an encoded colon separates no password'],
    ['sip:jür@example.com', 'sip:j%C3%BCr@example.com', 'missing encoding is added'],
    ['sip:a[b]@example.com', 'sip:a%5Bb%5D@example.com', 'brackets are not allowed in a user part'],
    ['sip:a@example.com;Transport=TCP;maddr=H', 'sip:a@example.com;maddr=h;transport=tcp', 'tokens ignore case'],
    ['sip:a@example.com;a-b=1;a=2', 'sip:a@example.com;a=2;a-b=1', 'parameters are ordered by name'],
    ['sip:a@example.com?Subject=x', 'sip:a@example.com', 'headers are dropped'],
    ['sip:a?b@example.com', 'sip:a?b@example.com', 'a question mark may stand in a user part'],
    ['sip:a@example.com:05060', 'sip:a@example.com:5060', 'a port is a number, and not implied'],
    ['sip:[2001:DB8::1]:5061', 'sip:[2001:db8::1]:5061', 'IPv6 reference'],
    ['  sip:a@b  ', 'sip:a@b', 'surrounding white space'],
    ['tel:+49-(0)30.123', 'tel:+49030123', 'RFC 3966 4: visual separators do not count'],
    ['TEL:1234;phone-context=+1-2;ext=3-4', 'tel:1234;ext=34;phone-context=+12', 'RFC 3966 4: numbers in parameters'],
    ['URN:uuid:ABC', 'urn:uuid:ABC', 'other schemes keep what follows'],
  ])('%s becomes %s: %s', (text, canonical) => {
    expect(canonicalUri(text)).toBe(canonical);
  });

  test.each([
    'group@red.example',
    'sip:',
    'sip:@red.example',
    'sip:a@',
    'sip:a%zz@red.example',
    'sip:a b@red.example',
    'sip:a\u0000@red.example',
    'sip:a<b>@red.example',
    'sip:a@red.example@blue.example',
    'sip:a@red.example;x=@blue.example',
    'sip:a@red..example',
    'sip:a@red.example:99999',
    'sip:a@[::1',
    'sip:a@%72ed.example',
    'sip:a@rеd.example',
    'tel:',
    'tel:+',
    'tel:+12ab',
    `sip:${'a'.repeat(5000)}@red.example`,
    '\ud800:x',
    '',
  ])('%j is refused', (text) => {
    expect(canonicalUri(text)).toBeUndefined();
  });

  test('a canonical URI is its own canonical form', () => {
    const unit = fc.constantFrom(
      'a',
      'Z',
      '%',
      '%41',
      '%3b',
      '@',
      ':',
      ';',
      '=',
      '?',
      '[',
      ']',
      '.',
      '-',
      '/',
      'é',
      '+',
      '*',
      '1',
    );
    const text = fc.array(unit, { maxLength: 14 }).map((units) => units.join(''));
    fc.assert(
      fc.property(fc.constantFrom('sip:', 'SIPS:', 'tel:', 'x:'), text, (scheme, rest) => {
        const canonical = canonicalUri(scheme + rest);
        if (canonical !== undefined) expect(canonicalUri(canonical)).toBe(canonical);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('domain of an identity', () => {
  test.each([
    ['sip:g@red.example', 'red.example'],
    ['sip:g@red.example:5060;x=y', 'red.example'],
    ['sips:red.example', 'red.example'],
    ['sip:g;x=y@[2001:db8::1]:5060', '[2001:db8::1]'],
    ['tel:+4930', undefined],
    ['urn:x@red.example', undefined],
  ])('%s has %s', (uri, domain) => {
    expect(uriDomain(uri)).toBe(domain);
  });
});

describe('identities as they usually look', () => {
  test('what is taken as it stands is what the whole procedure gives', () => {
    const user = fc.stringMatching(/^[A-Za-z0-9._-]{1,12}$/);
    const host = fc.stringMatching(/^[a-z0-9]{1,5}([.-][a-z0-9]{1,5}){0,3}$/);
    fc.assert(
      fc.property(user, host, (name, domain) => {
        const uri = `sip:${name}@${domain}`;
        expect(canonicalUri(uri)).toBe(uri);
        // A space around the text sends it through the whole procedure.
        expect(canonicalUri(` ${uri}`)).toBe(uri);
      }),
    );
  });

  test('hostile text is judged in linear time', () => {
    const start = performance.now();
    canonicalUri(`sip:a@${'a-'.repeat(2000)}`);
    canonicalUri(`sip:${'a.'.repeat(2000)}`);
    expect(performance.now() - start).toBeLessThan(100);
  });
});

describe('group patterns', () => {
  test.each([
    ['sip:*@red.example', 'sip:fire@red.example', true],
    ['SIP:*@RED.example', 'sip:fire@red.example', true],
    ['sip:*@red.example', 'sip:fire@sub.red.example', false],
    ['sip:*@red.example', 'sip:fire@red.example;x=y', false],
    ['sip:*@red.example', 'sip:fire@blue.example', false],
    ['sip:Fire-*@red.example', 'sip:fire-1@red.example', false],
    ['sip:f*r*@red.example', 'sip:fire@red.example', true],
    ['sip:fire@Red.example', 'sip:fire@red.example', true],
    ['tel:+49*', 'tel:+4930', true],
    ['tel:+4930', 'tel:+4930', true],
    ['*', 'tel:+4930', true],
    ['sip:ab*ba@x', 'sip:aba@x', false],
  ])('%s against %s: %s', (pattern, uri, covered) => {
    expect(matchesPattern(pattern, uri)).toBe(covered);
  });
});

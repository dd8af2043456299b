import { describe, expect, test } from '@jest/globals';
import { accepts, deltaSeconds, hdr, parseParameterised, tokenList } from './headers.ts';

describe('hdr', () => {
  test('RFC 6665 8.2: a compact Event header is found under its full name', () => {
    expect(hdr({ o: ' xcap-diff ' }, 'event')).toBe('xcap-diff');
    expect(hdr({ c: 'application/xml' }, 'content-type')).toBe('application/xml');
  });

  test('the full name wins, and inherited properties are no header fields', () => {
    expect(hdr({ event: 'xcap-diff', o: 'presence' }, 'event')).toBe('xcap-diff');
    expect(hdr({}, 'constructor')).toBeUndefined();
  });
});

describe('parseParameterised', () => {
  test('RFC 5875 4.3: event type and diff-processing', () => {
    const event = parseParameterised('xcap-diff ; diff-processing=aggregate;id=4');
    expect(event?.value).toBe('xcap-diff');
    expect(event?.parameters.get('diff-processing')).toBe('aggregate');
    expect(event?.parameters.get('id')).toBe('4');
  });

  test('RFC 2046 5.1.1: a quoted boundary loses its quotes', () => {
    expect(parseParameterised('multipart/mixed;boundary="a;b=\\"c"')?.parameters.get('boundary')).toBe('a;b="c');
  });

  test('RFC 2046 5.1.1: a boundary that ought to be quoted is understood without', () => {
    const type = parseParameterised('multipart/mixed; boundary=----=_Part/1?(a):b ;charset=x');
    expect(type?.parameters.get('boundary')).toBe('----=_Part/1?(a):b');
    expect(type?.parameters.get('charset')).toBe('x');
    expect(parseParameterised('a;id=b=c')).toBeUndefined();
  });

  test.each(['', ';id=1', 'xcap-diff, presence', 'a;b=1;b=2', 'a;=1', 'a;b="open', 'a b', 'a;b=1 c', 'a;b=c"d'])(
    'RFC 3261 25.1: %p breaks the grammar',
    (text) => {
      expect(parseParameterised(text)).toBeUndefined();
    },
  );

  test('a long hostile value costs linear time', () => {
    const started = performance.now();
    parseParameterised(`a${';   boundary'.repeat(20_000)}`);
    parseParameterised(`a;b="${'\\"'.repeat(100_000)}`);
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describe('accepts', () => {
  test.each([
    [undefined, true],
    ['', false],
    ['application/xcap-diff+xml', true],
    ['text/plain, application/*;q=0.5', true],
    ['*/*', true],
    ['APPLICATION/XCAP-DIFF+XML', true],
    ['application/pidf+xml', false],
    ['application/xcap-diff+xml;q=0', false],
    ['application/xcap-diff+xml;q=0, */*', false],
    ['*/*;q=0, application/xcap-diff+xml;q=0.001', true],
    ['application/*;q=0.0, */*', false],
    ['text/plain;q=0, */*;q=0.1', true],
  ])('RFC 5875 4.4, RFC 3261 20.1: Accept %p answers %p', (accept, expected) => {
    expect(accepts(accept, 'application/xcap-diff+xml')).toBe(expected);
  });
});

test('RFC 3261 20.19: Expires is an unsigned 32 bit number, what is larger counts as the largest', () => {
  expect(deltaSeconds('0')).toBe(0);
  expect(deltaSeconds('4294967295')).toBe(4294967295);
  expect(deltaSeconds('99999999999999999999')).toBe(4294967295);
  expect(deltaSeconds('-1')).toBeUndefined();
  expect(deltaSeconds('1e3')).toBeUndefined();
});

test('RFC 3261 20.32: option tags of Require', () => {
  expect(tokenList('gruu, EventList')).toEqual(['gruu', 'eventlist']);
  expect(tokenList(undefined)).toEqual([]);
});

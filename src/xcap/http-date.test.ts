import { expect, test } from '@jest/globals';
import { parseHttpDate } from './http-date.ts';

const now = Date.parse('2026-06-01T00:00:00Z');
const nineties = Date.parse('1994-11-06T08:49:37Z');

test.each([
  ['Sun, 06 Nov 1994 08:49:37 GMT', nineties],
  ['Sunday, 06-Nov-94 08:49:37 GMT', nineties],
  ['Sun Nov  6 08:49:37 1994', nineties],
  ['Wed Nov 16 08:49:37 1994', Date.parse('1994-11-16T08:49:37Z')],
  ['Saturday, 06-Nov-27 08:49:37 GMT', Date.parse('2027-11-06T08:49:37Z')],
  ['Sunday, 06-Nov-78 08:49:37 GMT', Date.parse('1978-11-06T08:49:37Z')],
])('RFC 9110 5.6.7: %s', (text, instant) => {
  expect(parseHttpDate(text, now)).toBe(instant);
});

test.each([
  '',
  '-5',
  '1.5',
  '2026-06-01T00:00:00Z',
  'Sun, 06 Nov 1994 08:49:37 CET',
  'soon',
  'Sun, 6 Nov 1994 08:49:37 GMT',
])('is no HTTP-date: %j', (text) => {
  expect(parseHttpDate(text, now)).toBeUndefined();
});

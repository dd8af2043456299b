import { expect, test } from '@jest/globals';
import { retryDelay } from './backoff.ts';

const settings = { first: 1, ceiling: 60 };

test('pauses double up to the ceiling, however many failures', () => {
  const pauses = [1, 2, 3, 6, 7, 8, 1000].map((failures) => retryDelay(settings, failures, 1));
  expect(pauses).toEqual([1000, 2000, 4000, 32_000, 60_000, 60_000, 60_000]);
});

test('jitter takes away up to half', () => {
  expect(retryDelay(settings, 3, 0)).toBe(2000);
  expect(retryDelay(settings, 3, 0.5)).toBe(3000);
});

test('RFC 9110 10.2.3: Retry-After is never undercut, nor followed for ever', () => {
  expect(retryDelay(settings, 1, 1, 90)).toBe(90_000);
  expect(retryDelay(settings, 1, 1, 0.1)).toBe(1000);
  expect(retryDelay(settings, 1, 1, 1e12)).toBe(24 * 3600 * 1000);
  expect(retryDelay(settings, 1, 1, Number.NaN)).toBe(1000);
});

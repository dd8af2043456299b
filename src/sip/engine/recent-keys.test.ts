// Keys remembered for a while, with a clock moved by hand.
import { expect, test } from '@jest/globals';
import { RecentKeys } from './recent-keys.ts';

test('a key is remembered for its span and forgotten within twice of it', () => {
  let now = 0;
  const keys = new RecentKeys(1_000, 100, () => now);
  now = 999;
  keys.add('late');
  now = 1_998;
  expect(keys.has('late')).toBe(true);
  now = 2_999;
  expect(keys.has('late')).toBe(false);
});

test('a key that nobody asked for in the meantime is forgotten too', () => {
  let now = 0;
  const keys = new RecentKeys(1_000, 100, () => now);
  keys.add('once');
  now = 60_000;
  expect(keys.has('once')).toBe(false);
});

test('however many come, two generations at most are held, the newest among them', () => {
  const keys = new RecentKeys(1_000, 100, () => 0);
  for (let key = 0; key < 10_000; key++) keys.add(String(key));
  const held = Array.from({ length: 10_000 }, (_, key) => String(key)).filter((key) => keys.has(key));
  expect(held.length).toBeLessThanOrEqual(200);
  expect(held.at(-1)).toBe('9999');
});

// Token buckets of source addresses, with a clock moved by hand.
import { expect, test } from '@jest/globals';
import { FLOOD_LIMITS, FloodGuard } from './flood-guard.ts';

test('a source is served at its rate after a burst of twice of it, refused a little beyond, then dropped', () => {
  let now = 0;
  const guard = new FloodGuard({ ...FLOOD_LIMITS, requests: 10, refusals: 2 }, () => now);
  const take = (count: number) => Array.from({ length: count }, () => guard.admit('192.0.2.1'));
  const count = (all: readonly string[]) =>
    ['serve', 'refuse', 'drop'].map((what) => all.filter((one) => one === what).length);
  expect(count(take(30))).toEqual([20, 4, 6]);
  now += 500;
  expect(count(take(10))).toEqual([5, 1, 4]);
  expect(guard.admit('192.0.2.2')).toBe('serve');
});

test('spoofed addresses without number keep the memory bounded', () => {
  const guard = new FloodGuard(FLOOD_LIMITS, () => 0);
  for (let address = 0; address < 100_000; address++)
    guard.admit(`10.${address >> 16}.${(address >> 8) & 255}.${address & 255}`);
  expect(guard.sources).toBeLessThanOrEqual(20_000);
});

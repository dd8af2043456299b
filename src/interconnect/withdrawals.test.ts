import { expect, test } from '@jest/globals';
import { Withdrawals } from './withdrawals.ts';

const group = 'sip:alpha@red.example';
const now = Date.parse('2026-01-02T03:04:05.000Z');
const at = (second: number): string => `2026-01-02T03:04:0${second}.000Z`;

test('RFC 9110 6.6.1: what was sent before a withdrawal is overtaken; in the same second only what creates is', () => {
  const withdrawals = new Withdrawals();
  expect(withdrawals.overtook(group, at(1), true)).toBe(false);
  withdrawals.note(group, at(2), now);
  expect([1, 2, 3].map((second) => withdrawals.overtook(group, at(second), true))).toEqual([true, true, false]);
  expect([1, 2, 3].map((second) => withdrawals.overtook(group, at(second), false))).toEqual([true, false, false]);
  expect(withdrawals.overtook('sip:beta@red.example', at(1), true)).toBe(false);
});

test('senders that do not say when are not compared', () => {
  const withdrawals = new Withdrawals();
  withdrawals.note(group, undefined, now);
  expect(withdrawals.overtook(group, at(1), true)).toBe(false);
  withdrawals.note(group, at(2), now);
  expect(withdrawals.overtook(group, undefined, true)).toBe(false);
});

test('a withdrawal by a clock that is far ahead keeps no later provision away', () => {
  const withdrawals = new Withdrawals();
  withdrawals.note(group, '9999-12-31T23:59:59.000Z', now);
  expect(withdrawals.overtook(group, at(6), true)).toBe(false);
  withdrawals.note(group, new Date(now + 60_000).toISOString(), now);
  expect(withdrawals.overtook(group, at(6), true)).toBe(true);
});

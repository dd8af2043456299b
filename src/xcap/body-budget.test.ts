// The budget of bodies in flight: what fits, what does not, and that greedy callers leave room for others.
import { describe, expect, test } from '@jest/globals';
import { Refusal } from '../refusals.ts';
import { BodyBudget } from './body-budget.ts';

function fits(budget: BodyBudget, caller: string, octets: number): boolean {
  try {
    budget.open().take(caller, octets);
    return true;
  } catch (error) {
    if (error instanceof Refusal && error.code === 'unavailable' && error.detail.retryAfter !== undefined) return false;
    throw error;
  }
}

describe('bodies in flight', () => {
  test('one caller holds its share at most, another is not touched by that', () => {
    const budget = new BodyBudget({ bodiesInFlightBytes: 1000, bodiesInFlightBytesPerCaller: 100, documentBytes: 10 });
    expect(fits(budget, 'eve', 100)).toBe(true);
    expect(fits(budget, 'eve', 1)).toBe(false);
    expect(fits(budget, 'ines', 100)).toBe(true);
    expect(budget.held).toBe(200);
  });

  test('a caller with a bound of its own has that, and always room for one of the largest', () => {
    const bytesOf = (caller: string): number | undefined => (caller === 'red' ? 5 : undefined);
    const bounds = { bodiesInFlightBytes: 1000, bodiesInFlightBytesPerCaller: 100, documentBytes: 10 };
    const budget = new BodyBudget({ ...bounds, bytesOf });
    expect([fits(budget, 'red', 10), fits(budget, 'red', 1), fits(budget, 'ines', 100)]).toEqual([true, false, true]);
  });

  test('what an exchange took comes back when it ends, once', () => {
    const budget = new BodyBudget({ bodiesInFlightBytes: 1000, bodiesInFlightBytesPerCaller: 100, documentBytes: 10 });
    const account = budget.open();
    account.take('eve', 60);
    account.take('eve', 40);
    expect(() => account.take('eve', 1)).toThrow(Refusal);
    account.close();
    account.close();
    expect(budget.held).toBe(0);
    expect(fits(budget, 'eve', 100)).toBe(true);
  });

  test('what is announced is checked and takes nothing', () => {
    const budget = new BodyBudget({ bodiesInFlightBytes: 1000, bodiesInFlightBytesPerCaller: 100, documentBytes: 10 });
    for (let i = 0; i < 50; i++) budget.open().check('eve', 100);
    expect(() => budget.open().check('eve', 101)).toThrow(Refusal);
    expect(budget.held).toBe(0);
  });

  test('many greedy callers never fill it: a small body still fits, and the bound holds', () => {
    const budget = new BodyBudget({
      bodiesInFlightBytes: 1 << 20,
      bodiesInFlightBytesPerCaller: 1 << 18,
      documentBytes: 1 << 18,
    });
    const greedy = Array.from({ length: 100 }, (_, i) => `eve${i}`);
    for (let round = 0; round < 20; round++) for (const caller of greedy) fits(budget, caller, 1024);
    expect(budget.held).toBeLessThan(1 << 20);
    expect(fits(budget, 'ines', 4096)).toBe(true);
  });

  test('a caller alone can always send one document, however small the budget', () => {
    const budget = new BodyBudget({ bodiesInFlightBytes: 1, bodiesInFlightBytesPerCaller: 1, documentBytes: 4096 });
    expect(fits(budget, 'ines', 4096)).toBe(true);
    expect(fits(budget, 'ines', 1)).toBe(false);
  });
});

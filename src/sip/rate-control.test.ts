import { describe, expect, test } from '@jest/globals';
import { grantedRates, keptTimes, paceOf, ratesByAnswer, timesBefore } from './rate-control.ts';
import { advance, newSubscription } from './subscription.ts';

describe('RFC 6446: pace', () => {
  test('6.3: with min-rate the state is told again when nothing changed', () => {
    const { shortest, longest } = paceOf({ minRate: 0.1 }, 0, [], 0);
    expect([shortest, longest]).toEqual([0, 10_000]);
    const state = newSubscription(600_000);
    advance(state, { event: 'subscribed', expires: 600_000 }, 0, shortest, longest);
    expect(advance(state, { event: 'answered', status: 200 }, 10, shortest, longest)).toEqual({
      effect: 'wait',
      until: 10_000,
    });
    expect(advance(state, { event: 'timer' }, 10_000, shortest, longest)).toMatchObject({
      effect: 'notify',
      owed: 'full',
    });
  });

  test('7.4: adaptive-min-rate waits longer the more was told lately', () => {
    // rate 0.1/s, measured over 100 s: 10 NOTIFYs are what is expected, 20 are twice as many
    const times = (count: number): number[] => Array.from({ length: count }, (_, number) => 100_000 - number);
    expect(paceOf({ adaptiveMinRate: 0.1 }, 0, times(10), 100_000).longest).toBeCloseTo(10_000);
    expect(paceOf({ adaptiveMinRate: 0.1 }, 0, times(20), 100_000).longest).toBeCloseTo(20_000);
    expect(paceOf({ adaptiveMinRate: 0.1 }, 0, times(2), 100_000).longest).toBeCloseTo(2_000);
    expect(paceOf({ adaptiveMinRate: 0.1 }, 5_000, times(2), 100_000).longest).toBe(5_000);
  });

  test('7.2: the count begins as if the rate had always been kept, so the first wait is that of the rate', () => {
    const times = timesBefore(100_000, 0.1);
    expect(paceOf({ adaptiveMinRate: 0.1 }, 0, times, 100_000).longest).toBeCloseTo(10_000);
    // Told at this rate, it stays so; a burst of changes stretches the time after it, and silence brings it back.
    const steady = [...times, 110_000, 120_000, 130_000];
    expect(paceOf({ adaptiveMinRate: 0.1 }, 0, steady, 130_000).longest).toBeCloseTo(10_000);
    const burst = [...times, ...Array.from({ length: 30 }, (_, number) => 100_001 + number)];
    expect(paceOf({ adaptiveMinRate: 0.1 }, 0, burst, 100_031).longest).toBeGreaterThanOrEqual(39_000);
    expect(burst.length).toBeLessThan(keptTimes);
  });

  test('7.4: with max-rate the wait is never shorter than its reciprocal', () => {
    expect(paceOf({ maxRate: 0.05, adaptiveMinRate: 0.1 }, 0, [100_000], 100_000).longest).toBe(20_000);
  });

  test.each([
    // 5.3: a rate that would tell nothing before the end becomes one NOTIFY in the whole time
    [{ maxRate: 0.0001 }, 600, { maxRate: 1 / 600 }],
    [{ maxRate: 1 / 86_400 }, 86_400, { maxRate: 1 / 86_400 }],
    // 8: min-rate and adaptive-min-rate end up no higher than max-rate
    [{ maxRate: 0.01, minRate: 0.1 }, 600, { maxRate: 0.01, minRate: 0.01 }],
    [{ maxRate: 0.01, adaptiveMinRate: 0.1 }, 600, { maxRate: 0.01, adaptiveMinRate: 0.01 }],
    // 8: a min-rate not below adaptive-min-rate is not considered
    [{ minRate: 0.1, adaptiveMinRate: 0.1 }, 600, { adaptiveMinRate: 0.1 }],
    [{ minRate: 0.05, adaptiveMinRate: 0.1 }, 600, { minRate: 0.05, adaptiveMinRate: 0.1 }],
  ])('5.3 and 8: %j for %i s is granted as %j', (asked, duration, granted) => {
    expect(JSON.parse(JSON.stringify(grantedRates(asked, 0, duration)))).toEqual(granted);
  });

  test.each([
    ['xcap-diff;max-rate=2;id=7', { maxRate: 2 }],
    ['xcap-diff;min-rate=0.1;adaptive-min-rate=0.2', { minRate: 0.1, adaptiveMinRate: 0.2 }],
    ['xcap-diff', undefined],
    [undefined, 'unchanged'],
    ['presence;max-rate=2', 'unchanged'],
    ['xcap-diff;max-rate=0', 'unchanged'],
    ['xcap-diff;max-rate', 'unchanged'],
  ])('9.3: Event: %s in the answer to a NOTIFY means %j', (event, rates) => {
    const read = ratesByAnswer(event);
    expect(typeof read === 'object' ? JSON.parse(JSON.stringify(read)) : read).toEqual(rates);
  });
});

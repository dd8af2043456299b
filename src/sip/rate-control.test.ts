import { describe, expect, test } from '@jest/globals';
import { paceOf } from './rate-control.ts';
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
});

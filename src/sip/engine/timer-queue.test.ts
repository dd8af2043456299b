import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { HandClock } from './engine.testkit.ts';
import { TimerQueue } from './timer-queue.ts';

test('timers fire in order of their time, cancelled ones do not, and timers may set timers', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(5_000), fc.boolean()), { maxLength: 60 }), (plan) => {
      const clock = new HandClock();
      const queue = new TimerQueue(clock);
      const start = clock.now();
      const fired: number[] = [];
      const expected: number[] = [];
      for (const [delay, cancelled] of plan) {
        const owner = {
          onTimer: () => {
            fired.push(clock.now() - start);
            if (fired.length <= plan.length) queue.after(10_000, { onTimer: () => fired.push(-1) });
          },
        };
        const timer = queue.after(delay, owner);
        if (cancelled) timer.owner = undefined;
        else expected.push(delay);
      }
      clock.advance(5_000);
      expect(fired).toEqual(expected.sort((a, b) => a - b));
      clock.advance(10_000);
      expect(fired.filter((at) => at === -1)).toHaveLength(expected.length);
    }),
    { seed: 17, numRuns: 300 },
  );
});

test('nothing fires after the queue is stopped', () => {
  const clock = new HandClock();
  const queue = new TimerQueue(clock);
  let fired = 0;
  queue.after(10, { onTimer: () => fired++ });
  queue.stop();
  queue.after(10, { onTimer: () => fired++ });
  clock.advance(100);
  expect(fired).toBe(0);
});

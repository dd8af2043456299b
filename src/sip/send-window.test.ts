import { expect, test } from '@jest/globals';
import { type Clock, TimerQueue } from './engine/timer-queue.ts';
import { SendWindow } from './send-window.ts';

/** A clock that tests move. */
function manualClock(): Clock & { advance(milliseconds: number): void } {
  let now = 0;
  let wake: (() => void) | undefined;
  let due = Number.POSITIVE_INFINITY;
  return {
    now: () => now,
    wakeAfter(delay, callback) {
      wake = callback;
      due = now + delay;
      return () => {
        wake = undefined;
      };
    },
    advance(milliseconds) {
      now += milliseconds;
      if (now >= due) wake?.();
    },
  };
}

test('no more than 48 NOTIFYs are under way; an answer lets the next go', async () => {
  const started: number[] = [];
  const answers: (() => void)[] = [];
  const window = new SendWindow<number>(new TimerQueue(manualClock()), (item) => {
    started.push(item);
    return new Promise((resolve) => answers.push(resolve));
  });
  for (let item = 0; item < 60; item++) window.add(item);
  expect(started).toHaveLength(48);
  answers[0]?.();
  await new Promise((resolve) => setImmediate(resolve));
  expect(started.at(-1)).toBe(48);
  expect(started).toHaveLength(49);
});

test('peers that do not answer hold others up for 100 ms only', () => {
  const clock = manualClock();
  const started: number[] = [];
  const window = new SendWindow<number>(new TimerQueue(clock), (item) => {
    started.push(item);
    return new Promise(() => undefined);
  });
  for (let item = 0; item < 100; item++) window.add(item);
  clock.advance(99);
  expect(started).toHaveLength(48);
  clock.advance(1);
  expect(started).toHaveLength(96);
});

test('what was asked for one by one does not wait behind a change for many', () => {
  const started: number[] = [];
  const window = new SendWindow<number>(new TimerQueue(manualClock()), (item) => {
    started.push(item);
    return new Promise(() => undefined);
  });
  for (let item = 0; item < 60; item++) window.add(item);
  window.pass(1_000);
  expect(started.at(-1)).toBe(1_000);
  expect(started).toHaveLength(49);
  expect(window.waiting).toBe(12);
});

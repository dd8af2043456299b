import { expect, test } from '@jest/globals';
import { TimerQueue } from './engine/timer-queue.ts';
import { RefusalLog } from './refusal-log.ts';

function room() {
  const lines: (readonly [object, string])[] = [];
  const wakes: (() => void)[] = [];
  let now = 0;
  const timers = new TimerQueue({
    now: () => now,
    wakeAfter: (_delay, wake) => {
      wakes.push(wake);
      return () => undefined;
    },
  });
  const log = new RefusalLog(timers, { info: (fields, text) => lines.push([fields, text]) });
  const pass = (milliseconds: number): void => {
    now += milliseconds;
    for (const wake of wakes.splice(0)) wake();
  };
  return { lines, log, pass };
}

test('the first ten refusals of a period are written, the rest is one line with counts', () => {
  const { lines, log, pass } = room();
  for (let request = 0; request < 1_000; request++) {
    log.info({ refusal: request % 2 === 0 ? 'forbidden' : 'bad-event', peer: '192.0.2.1' }, 'SIP request refused');
  }
  expect(lines).toHaveLength(10);
  pass(10_000);
  expect(lines.at(-1)).toEqual([
    { seconds: 10, refusals: { forbidden: 495, 'bad-event': 495 } },
    'more SIP requests refused',
  ]);
  log.info({ refusal: 'forbidden' }, 'SIP request refused');
  expect(lines).toHaveLength(12);
  pass(10_000);
  expect(lines).toHaveLength(12);
});

test('what is counted by name is bounded', () => {
  const { lines, log, pass } = room();
  for (let request = 0; request < 500; request++) log.info({ refusal: `code-${request}` }, 'SIP request refused');
  pass(10_000);
  const [{ refusals }] = lines.at(-1) as unknown as [{ readonly refusals: Readonly<Record<string, number>> }, string];
  expect(Object.keys(refusals)).toHaveLength(51);
  expect(refusals.other).toBe(440);
});

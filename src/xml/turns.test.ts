// Long work in slices: nobody is held up for long, however much there is to do at the same moment.
import { expect, test } from '@jest/globals';
import { atOnce, inTurns } from './turns.ts';

/** Work of so many steps, each of about a tenth of a millisecond, that notes when it ends. */
function* work(steps: number, ended: () => void): Generator<void, number> {
  for (let step = 0; step < steps; step++) {
    const until = performance.now() + 0.1;
    while (performance.now() < until);
    yield;
  }
  ended();
  return steps;
}

test('work comes to its end, at once or in turns', async () => {
  expect(atOnce(work(3, () => undefined))).toBe(3);
  expect(await inTurns(work(100, () => undefined))).toBe(100);
});

test('works that meet in one turn share its slice, and the first one ends first', async () => {
  const ended: number[] = [];
  let turns = 0;
  let running = true;
  const count = (): void => {
    turns++;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  const works = Array.from({ length: 10 }, (_, number) => inTurns(work(100, () => ended.push(number))));
  await Promise.all(works);
  running = false;
  // 1,000 steps are 100 ms: at 2 ms a turn, and a step of each other work, 30 turns at least
  expect(turns).toBeGreaterThan(20);
  expect(ended).toEqual([...ended].toSorted((one, other) => one - other));
});

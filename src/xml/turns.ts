// Long work in slices: a generator yields where it can be interrupted, and whoever runs it decides how often others get their turn.

import { setImmediate as nextTurn } from 'node:timers/promises';

/** Longest stretch without a turn for others, milliseconds. */
const slice = 4;

/** Runs sliced work to its end at once. */
export function atOnce<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** Runs sliced work with turns for others in between. */
export async function inTurns<T>(work: Generator<void, T>): Promise<T> {
  for (;;) {
    const until = performance.now() + slice;
    do {
      const step = work.next();
      if (step.done === true) return step.value;
    } while (performance.now() < until);
    await nextTurn();
  }
}

// Long work in slices: a generator yields where it can be interrupted, and whoever runs it decides how often others get their turn.

// Taken from the module, not the globals: a faked clock must not stop the work.
import { setImmediate } from 'node:timers';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** So long may all sliced work of one turn of the event loop take together, milliseconds. */
const slice = 2;

let deadline: number | undefined;

/** When the sliced work of this turn has to end. */
function endOfSlice(): number {
  if (deadline === undefined) {
    deadline = performance.now() + slice;
    setImmediate(() => {
      deadline = undefined;
    });
  }
  return deadline;
}

/** Runs sliced work to its end at once. */
export function atOnce<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** Runs sliced work with turns for others in between; works that meet in one turn share its slice, the first one comes first. */
export async function inTurns<T>(work: Generator<void, T>): Promise<T> {
  for (;;) {
    const until = endOfSlice();
    do {
      const step = work.next();
      if (step.done === true) return step.value;
    } while (performance.now() < until);
    await nextTurn();
  }
}

// Overload control on a simulated application: one queue, one request after the other, time moved by hand.
import { describe, expect, test } from '@jest/globals';
import { OverloadControl } from './overload.ts';

interface Simulated {
  /** Requests answered for each second of the second half. */
  readonly goodput: number;
  readonly refused: number;
  /** Longest wait of an answered request in the second half, milliseconds. */
  readonly longest: number;
  readonly control: OverloadControl;
}

/** Offers requests to an application that serves `capacity` for each second; `stall` stops it once, from second 2 on. */
function simulate({
  capacity,
  offered,
  seconds = 20,
  stall = 0,
}: {
  capacity: number;
  offered: (second: number) => number;
  seconds?: number;
  stall?: number;
}): Simulated {
  const control = new OverloadControl();
  const queue: number[] = [];
  let served = 0;
  let refused = 0;
  let longest = 0;
  let due = 0;
  let credit = 0;
  for (let now = 0; now < seconds * 1000; now++) {
    const stalled = now >= 2000 && now < 2000 + stall;
    credit = queue.length > 0 && !stalled ? credit + capacity / 1000 : 0;
    for (; credit >= 1 && queue.length > 0; credit--) {
      const since = queue.shift() ?? 0;
      control.answered(now, since);
      if (now < seconds * 500) continue;
      served++;
      longest = Math.max(longest, now - since);
    }
    for (due += offered(now / 1000) / 1000; due >= 1; due--) {
      if (control.admits(now)) {
        control.given(now);
        queue.push(now);
      } else refused++;
    }
  }
  return { goodput: (served * 2) / seconds, refused, longest, control };
}

describe('overload control', () => {
  test.each([2, 3, 10])(
    '%i times what can be served: nine tenths of it go on being served, within half a second',
    (times) => {
      const { goodput, longest } = simulate({ capacity: 1500, offered: () => 1500 * times });
      expect(goodput).toBeGreaterThan(1350);
      // RFC 3261 17.1.2.2: within T1, so that nobody repeats a request that is waiting.
      expect(longest).toBeLessThan(500);
    },
  );

  test('what can be served is served: nothing is refused up to it', () => {
    expect(simulate({ capacity: 1500, offered: () => 1450 }).refused).toBe(0);
  });

  test.each([200, 500])('a pause of %i ms, of a collector or of a disk, refuses nobody', (stall) => {
    expect(simulate({ capacity: 2500, offered: () => 1500, stall }).refused).toBe(0);
  });

  test('when the load has gone nothing is limited any more', () => {
    const { control, goodput } = simulate({ capacity: 1500, offered: (second) => (second < 8 ? 3000 : 1000) });
    expect(goodput).toBe(1000);
    expect(control.limiting).toBe(false);
  });

  test('requests that wait for something elsewhere do not count while others are answered at once', () => {
    const control = new OverloadControl();
    for (let now = 0; now < 10_000; now += 10) {
      expect(control.admits(now)).toBe(true);
      control.given(now);
      // every tenth takes three seconds
      control.answered(now, now % 100 === 0 ? now - 3000 : now);
    }
  });

  test('an application that answers nothing at all still gets a few requests, so that it can be seen to have recovered', () => {
    const control = new OverloadControl();
    let given = 0;
    for (let now = 0; now < 10_000; now++) {
      if (!control.admits(now)) continue;
      control.given(now);
      given++;
    }
    expect(control.limiting).toBe(true);
    expect(given).toBeGreaterThan(900);
    expect(given).toBeLessThan(2500);
  });
});

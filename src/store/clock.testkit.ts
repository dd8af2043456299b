// A clock for tests: it stands still until told otherwise.

/** A clock that stands still until told. */
export interface ManualClock {
  readonly now: () => Date;
  readonly set: (iso: string) => void;
}

/** A clock that starts at `iso`. */
export function manualClock(iso = '2026-01-02T03:04:05.000Z'): ManualClock {
  let current = new Date(iso);
  return {
    now: () => current,
    set: (next) => {
      current = new Date(next);
    },
  };
}

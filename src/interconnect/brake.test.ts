import { describe, expect, test } from '@jest/globals';
import { Brake, type BrakeMemory } from './brake.ts';

const hour = 3600;

function brake(share: number, atLeast: number): { readonly brake: Brake; pass(seconds: number): void } {
  let now = 0;
  return {
    brake: new Brake(
      () => ({ share, atLeast, window: hour }),
      () => now,
    ),
    pass(seconds) {
      now += seconds * 1000;
    },
  };
}

/** What a store would keep. */
function memory(): { readonly kept: Map<string, string>; readonly memory: BrakeMemory } {
  const kept = new Map<string, string>();
  return {
    kept,
    memory: {
      load: async (name) => kept.get(name),
      save: async (name, value) => {
        kept.set(name, value);
      },
    },
  };
}

const present = (count: number) => async (): Promise<number> => count;

test('somebody is told once in a window that the brake holds, and again after a release', async () => {
  const told: string[] = [];
  let now = 0;
  const one = new Brake(
    () => ({ share: 0.5, atLeast: 0, window: hour }),
    () => now,
    undefined,
    ({ partner, direction, reason }) => told.push(`${partner} ${direction}: ${reason}`),
  );
  const hold = () => one.hold('blue', 'removal', 6, present(10));
  await hold();
  await hold();
  expect(told).toEqual(['blue removal: 6 of 10 groups would go, more than 50 % within 3600 s: waits for an operator']);
  await one.release('blue', 'removal');
  now += hour * 1000;
  await hold();
  now += hour * 1000;
  await hold();
  expect(told).toHaveLength(3);
});

describe('what would take away more than a set share of a partner waits', () => {
  test('one change that is too large goes not at all, and does not count', async () => {
    const { brake: one } = brake(0.5, 0);
    expect(await one.hold('blue', 'withdrawal', 6, present(10))).toBe(
      '6 of 10 groups would go, more than 50 % within 3600 s: waits for an operator',
    );
    expect(await one.hold('blue', 'withdrawal', 5, present(10))).toBeUndefined();
  });

  test('many small changes add up within the window, measured by what was there at its beginning', async () => {
    const { brake: one, pass } = brake(0.5, 0);
    for (let left = 10; left > 5; left--) {
      expect(await one.hold('blue', 'withdrawal', 1, present(left))).toBeUndefined();
      pass(60);
    }
    expect(await one.hold('blue', 'withdrawal', 1, present(5))).toMatch(/^6 of 10 groups/);
    expect(await one.hold('green', 'withdrawal', 1, present(5))).toBeUndefined();
    expect(await one.hold('blue', 'removal', 1, present(5))).toBeUndefined();
    pass(hour);
    expect(await one.hold('blue', 'withdrawal', 1, present(5))).toBeUndefined();
  });

  test('a few may always go, without counting what is there', async () => {
    const { brake: one } = brake(0.1, 3);
    const never = async (): Promise<number> => {
      throw new Error('counted');
    };
    for (let i = 0; i < 3; i++) expect(await one.hold('blue', 'withdrawal', 1, never)).toBeUndefined();
    expect(await one.hold('blue', 'withdrawal', 1, present(7))).toMatch(/^4 of 10/);
  });

  test('a share of 1 never holds; a release opens the brake for one window', async () => {
    const { brake: never } = brake(1, 0);
    expect(await never.hold('blue', 'withdrawal', 10, present(10))).toBeUndefined();
    const { brake: one, pass } = brake(0, 0);
    expect(await one.hold('blue', 'withdrawal', 1, present(10))).toBeDefined();
    await one.release('blue', 'withdrawal');
    expect(await one.hold('blue', 'withdrawal', 10, present(10))).toBeUndefined();
    pass(hour);
    expect(await one.hold('blue', 'withdrawal', 1, present(10))).toBeDefined();
  });

  test('changes at the same time are counted one after the other', async () => {
    const { brake: one } = brake(0.5, 0);
    let left = 10;
    const goOne = async (): Promise<void> => {
      if ((await one.hold('blue', 'withdrawal', 1, async () => left)) === undefined) left -= 1;
    };
    await Promise.all(Array.from({ length: 8 }, goOne));
    expect(left).toBe(5);
  });

  test('a restart forgets neither what went nor what an operator released', async () => {
    const { memory: kept } = memory();
    const again = (): Brake =>
      new Brake(
        () => ({ share: 0.5, atLeast: 0, window: hour }),
        () => 1000,
        kept,
      );
    expect(await again().hold('blue', 'withdrawal', 4, present(10))).toBeUndefined();
    expect(await again().hold('blue', 'withdrawal', 2, present(6))).toMatch(/^6 of 10 groups/);
    await again().release('blue', 'withdrawal');
    expect(await again().hold('blue', 'withdrawal', 6, present(6))).toBeUndefined();
  });

  test('what is kept does not grow with what goes', async () => {
    const { kept, memory: store } = memory();
    let now = 0;
    const one = new Brake(
      () => ({ share: 0.5, atLeast: 100_000, window: hour }),
      () => now,
      store,
    );
    for (let i = 0; i < 2000; i++) {
      now += 1800;
      await one.hold('blue', 'withdrawal', 1, present(0));
    }
    expect([...kept.values()].join('').length).toBeLessThan(3000);
  });
});

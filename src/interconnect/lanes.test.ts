// What is asked of one partner at once is bounded, and a silent partner holds nobody up.
import { expect, test } from '@jest/globals';
import { refusalOf } from '../documents/documents.testkit.ts';
import { Lanes } from './lanes.ts';

const open = (): Lanes => new Lanes({ running: 2, waiting: 3, failures: 2 });

function held(): { readonly work: () => Promise<string>; end(result: string): void } {
  const { promise, resolve } = Promise.withResolvers<string>();
  return { work: () => promise, end: resolve };
}

const isSilence = (result: string): boolean => result === 'silence';

test('two run, three wait in their order, more are refused; another partner is not concerned', async () => {
  const lanes = open();
  const first = held();
  const order: number[] = [];
  const running = [0, 1].map(() => lanes.run('red', first.work, isSilence));
  const waiting = [1, 2, 3].map((i) =>
    lanes.run(
      'red',
      async () => {
        order.push(i);
        return 'answer';
      },
      isSilence,
    ),
  );
  expect(lanes.load.get('red')).toEqual({ running: 2, waiting: 3 });
  const refused = await refusalOf(lanes.run('red', first.work, isSilence));
  expect(refused).toMatchObject({ code: 'unavailable', detail: { retryAfter: 1 } });
  expect(await lanes.run('green', async () => 'at once', isSilence)).toBe('at once');
  first.end('answer');
  await Promise.all([...running, ...waiting]);
  expect(order).toEqual([1, 2, 3]);
  expect(lanes.load.size).toBe(0);
});

test('after two silences in a row those that wait learn it at once; an answer makes the partner good again', async () => {
  const lanes = open();
  const silent = held();
  const running = [0, 1].map(() => lanes.run('red', silent.work, isSilence));
  const asked: string[] = [];
  const waiting = [0, 1, 2].map((i) =>
    refusalOf(
      lanes.run(
        'red',
        async () => {
          asked.push(`${i}`);
          return 'silence';
        },
        isSilence,
      ),
    ),
  );
  silent.end('silence');
  await Promise.all(running);
  const codes = (await Promise.allSettled(waiting)).map((one) =>
    one.status === 'fulfilled' ? one.value.code : 'asked',
  );
  expect(codes.filter((code) => code === 'partner-unreachable').length).toBeGreaterThanOrEqual(2);
  expect(asked.length).toBeLessThanOrEqual(1);
  expect(await lanes.run('red', async () => 'answer', isSilence)).toBe('answer');
  expect(lanes.load.size).toBe(0);
});

test('work that throws frees its place', async () => {
  const lanes = open();
  for (let i = 0; i < 5; i++) {
    await expect(lanes.run('red', () => Promise.reject(new Error('broken')), isSilence)).rejects.toThrow('broken');
  }
  expect(lanes.load.size).toBe(0);
});

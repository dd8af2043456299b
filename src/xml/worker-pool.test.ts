// Threads, their budgets, and what becomes of the jobs behind one that is ended.
import { afterEach, expect, test } from '@jest/globals';
import { JobOverBudget, PoolBusy, WorkerPool } from './worker-pool.ts';

/** Answers each number with itself, after so many milliseconds of work when it is positive; -1 breaks the thread. */
const program = `
  const { parentPort } = require('node:worker_threads');
  parentPort.on('message', (number) => {
    parentPort.postMessage({ started: true });
    if (number < 0) throw new Error('broken');
    const until = performance.now() + number;
    while (performance.now() < until);
    parentPort.postMessage({ result: number });
  });`;

let pool: WorkerPool<number, number>;
afterEach(() => pool.close());

function open(options: { readonly depth?: number; readonly waiting?: number; readonly budget?: number } = {}): void {
  const module = new URL(
    `data:text/javascript,${encodeURIComponent(`import { createRequire } from 'node:module';
    const require = createRequire(${JSON.stringify(import.meta.url)});${program}`)}`,
  );
  pool = new WorkerPool({ module, data: undefined, threads: 1, budget: 2000, waiting: 10, ...options });
}

test('a thread that holds several jobs answers each its own result, in order', async () => {
  open({ depth: 2 });
  const order: number[] = [];
  await Promise.all([3, 0, 2, 0, 1].map(async (number) => order.push(await pool.run(number))));
  expect(order).toEqual([3, 0, 2, 0, 1]);
  expect(pool.load).toBe(0);
});

test('a job over its budget is ended alone; what its thread held behind it is done by the next thread', async () => {
  open({ depth: 3, budget: 300 });
  const settled = await Promise.allSettled([0, 60_000, 0, 0].map((number) => pool.run(number)));
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  expect(settled[1]).toMatchObject({ reason: expect.any(JobOverBudget) });
});

test('a job that breaks its thread is rejected alone', async () => {
  open({ depth: 2 });
  const settled = await Promise.allSettled([-1, 0].map((number) => pool.run(number)));
  expect(settled).toMatchObject([{ status: 'rejected' }, { value: 0 }]);
  expect(String((settled[0] as PromiseRejectedResult).reason)).toContain('broken');
});

test('more jobs than may wait are refused, and closing rejects those under way', async () => {
  open({ waiting: 1 });
  const [held, waiting, refused] = [pool.run(60_000), pool.run(0), pool.run(0)];
  await expect(refused).rejects.toThrow(PoolBusy);
  const outcomes = Promise.allSettled([held, waiting]);
  await pool.close();
  expect(await outcomes).toMatchObject(Array(2).fill({ reason: { message: 'the worker pool is closed' } }));
});

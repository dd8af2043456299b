import { describe, expect, test } from '@jest/globals';
import { KeyedQueue } from './keyed-queue.ts';

describe('the keyed queue', () => {
  const gate = () => Promise.withResolvers<void>();

  test('work on one key runs one after another, in order', async () => {
    const queue = new KeyedQueue();
    const steps: string[] = [];
    const first = gate();
    const one = queue.run('a', async () => {
      steps.push('one starts');
      await first.promise;
      steps.push('one ends');
    });
    const two = queue.run('a', async () => {
      steps.push('two');
    });
    await queue.run('b', async () => {
      steps.push('other key');
    });
    expect(steps).toEqual(['one starts', 'other key']);
    first.resolve();
    await Promise.all([one, two]);
    expect(steps).toEqual(['one starts', 'other key', 'one ends', 'two']);
  });

  test('failed work lets the next go on, and its failure reaches its caller alone', async () => {
    const queue = new KeyedQueue();
    const failing = queue.run('a', () => Promise.reject(new Error('broken')));
    const next = queue.run('a', async () => 'done');
    await expect(failing).rejects.toThrow('broken');
    expect(await next).toBe('done');
  });
});

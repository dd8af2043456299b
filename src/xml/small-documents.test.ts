// Which documents go to the other thread, in what batches, and what becomes of them when it fails.
import { describe, expect, test } from '@jest/globals';
import { defaultXmlLimits } from './limits.ts';
import type { SmallJobs, SmallVerdict } from './schema-worker.ts';
import { SmallDocuments } from './small-documents.ts';
import { JobOverBudget, PoolBusy } from './worker-pool.ts';

/** Documents judged by a pool that answers each with its octets. */
function withPool(answer: (jobs: SmallJobs) => Promise<readonly SmallVerdict[]> = echo, load = 0) {
  const batches: SmallJobs[] = [];
  const pool = {
    load,
    run(jobs: SmallJobs) {
      batches.push(jobs);
      return answer(jobs);
    },
  };
  const documents = new SmallDocuments(pool, (bytes) => bytes.byteLength < 1000);
  const judge = (text: string) => documents.judge('s', Buffer.from(text), defaultXmlLimits, 'file:///e.js');
  return { batches, documents, judge };
}

async function echo({ bytes, jobs }: SmallJobs): Promise<readonly SmallVerdict[]> {
  return jobs.map(({ end }, at) => ({ finding: Buffer.from(bytes.subarray(jobs[at - 1]?.end ?? 0, end)).toString() }));
}

describe('small documents', () => {
  test('one that comes alone stays with the caller, unless it is not that small or others are under way', async () => {
    const { batches, judge } = withPool();
    expect(await judge('<a/>')).toBeUndefined();
    expect(batches).toHaveLength(0);
    expect(await judge('x'.repeat(1000))).toEqual({ finding: 'x'.repeat(1000) });
    expect(await withPool(echo, 1).judge('<a/>')).toEqual({ finding: '<a/>' });
  });

  test('the thread is started and told schema and examiner before there is a document; what goes wrong is not told then', async () => {
    const { batches, documents } = withPool();
    await documents.prepare('s', defaultXmlLimits, 'file:///e.js');
    expect(batches).toEqual([
      { bytes: new Uint8Array(0), limits: defaultXmlLimits, jobs: [{ schema: 's', end: 0, examiner: 'file:///e.js' }] },
    ]);
    const broken = withPool(() => Promise.reject(new Error('no thread')));
    await expect(broken.documents.prepare('s', defaultXmlLimits, 'file:///e.js')).resolves.toBeUndefined();
  });

  test('those of one turn go together, and each gets its own verdict', async () => {
    const { batches, judge } = withPool();
    const texts = ['<a/>', '<bb/>', '', '<c>é</c>'];
    expect(await Promise.all(texts.map(judge))).toEqual(texts.map((finding) => ({ finding })));
    expect(batches).toHaveLength(1);
  });

  test('no batch is larger than 32 documents, or than the document that makes it 256 KB', async () => {
    const { batches, judge } = withPool();
    await Promise.all(Array.from({ length: 70 }, () => judge('<a/>')));
    expect(batches.map(({ jobs }) => jobs.length)).toEqual([32, 32, 6]);
    await Promise.all(Array.from({ length: 12 }, () => judge('x'.repeat(60_000))));
    expect(batches.slice(3).map(({ jobs }) => jobs.length)).toEqual([5, 5, 2]);
  });

  test('a batch that takes too long is judged again one by one, and only what is too slow by itself is refused', async () => {
    const { batches, judge } = withPool(async (jobs) => {
      if (Buffer.from(jobs.bytes).includes('slow')) throw new JobOverBudget('5 s');
      return echo(jobs);
    });
    const settled = await Promise.allSettled(['<a/>', '<slow/>', '<b/>'].map(judge));
    expect(settled).toMatchObject([
      { value: { finding: '<a/>' } },
      { reason: { code: 'constraint-failure' } },
      { value: { finding: '<b/>' } },
    ]);
    expect(batches.map(({ jobs }) => jobs.length)).toEqual([3, 1, 1, 1]);
  });

  test('when too many wait it is 503', async () => {
    const { judge } = withPool(() => Promise.reject(new PoolBusy('100 wait')));
    const settled = await Promise.allSettled(['<a/>', '<b/>'].map(judge));
    expect(settled).toMatchObject(Array(2).fill({ reason: { code: 'unavailable', detail: { retryAfter: 1 } } }));
  });

  test('what breaks the thread is told to all of the batch', async () => {
    const { judge } = withPool(() => Promise.reject(new Error('the worker has exited')));
    const settled = await Promise.allSettled(['<a/>', '<b/>'].map(judge));
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});

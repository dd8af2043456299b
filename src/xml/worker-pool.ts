// A few worker threads for work that would hold the event loop too long. A job over its budget is ended with its thread.
// Threads start when first needed and never keep the process alive by themselves.

import { type ResourceLimits, Worker } from 'node:worker_threads';

/** Raised when a job took longer than its budget; its thread has been ended. */
export class JobOverBudget extends Error {
  override readonly name = 'JobOverBudget';
}

/** Raised when more jobs wait than the pool holds. */
export class PoolBusy extends Error {
  override readonly name = 'PoolBusy';
}

export interface WorkerPoolOptions {
  /** Module that answers each posted job with one posted result. */
  readonly module: URL;
  /** Given to every thread as workerData. */
  readonly data: unknown;
  readonly threads: number;
  /** Longest time from the start of a job to its result, milliseconds; the start of a thread is not counted. */
  readonly budget: number;
  /** Jobs that may wait for a thread. */
  readonly waiting: number;
  /** Memory of each thread; one that needs more is ended. */
  readonly resourceLimits?: ResourceLimits | undefined;
  /** Jobs that one thread holds at a time, so that it need not wait for the next one; 1 when absent. */
  readonly depth?: number | undefined;
}

interface Job<In, Out> {
  readonly input: In;
  readonly resolve: (result: Out) => void;
  readonly reject: (error: Error) => void;
  readonly progress?: ((place: string) => void) | undefined;
}

interface Thread<In, Out> {
  readonly worker: Worker;
  /** Those it holds, in the order in which it does them. */
  readonly jobs: Job<In, Out>[];
  timer?: NodeJS.Timeout | undefined;
}

export class WorkerPool<In, Out> {
  readonly #options: WorkerPoolOptions;
  readonly #threads = new Set<Thread<In, Out>>();
  readonly #waiting: Job<In, Out>[] = [];
  #closed = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Runs one job; `progress` hears where it is. Rejects with JobOverBudget, PoolBusy, or what broke the thread. */
  run(input: In, progress?: (place: string) => void): Promise<Out> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new Error('the worker pool is closed'));
      const job = { input, resolve, reject, progress };
      const { threads, depth = 1, waiting } = this.#options;
      const least = [...this.#threads].reduce<Thread<In, Out> | undefined>(
        (found, thread) => (found === undefined || thread.jobs.length < found.jobs.length ? thread : found),
        undefined,
      );
      if (least?.jobs.length === 0) this.#give(least, job);
      else if (this.#threads.size < threads) this.#give(this.#start(), job);
      else if (least !== undefined && least.jobs.length < depth) this.#give(least, job);
      else if (this.#waiting.length < waiting) this.#waiting.push(job);
      else reject(new PoolBusy('too many jobs wait for a worker'));
    });
  }

  /** Jobs that are under way or wait. */
  get load(): number {
    return [...this.#threads].reduce((sum, { jobs }) => sum + jobs.length, this.#waiting.length);
  }

  /** Ends all threads; jobs under way and waiting are rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    const threads = [...this.#threads];
    for (const job of this.#waiting.splice(0)) job.reject(new Error('the worker pool is closed'));
    for (const thread of threads) this.#end(thread, new Error('the worker pool is closed'));
    await Promise.all(threads.map((thread) => thread.worker.terminate()));
  }

  #start(): Thread<In, Out> {
    const { module, data, resourceLimits } = this.#options;
    const worker = new Worker(module, {
      workerData: data,
      ...(resourceLimits === undefined ? {} : { resourceLimits }),
    });
    const thread: Thread<In, Out> = { worker, jobs: [] };
    worker.on(
      'message',
      (message: { readonly started: true } | { readonly place: string } | { readonly result: Out }) => {
        if ('started' in message) this.#arm(thread);
        else if ('place' in message) thread.jobs[0]?.progress?.(message.place);
        else this.#finish(thread, message.result);
      },
    );
    worker.on('error', (error) => this.#end(thread, error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => this.#end(thread, new Error('the worker has exited')));
    this.#threads.add(thread);
    return thread;
  }

  #give(thread: Thread<In, Out>, job: Job<In, Out>): void {
    thread.jobs.push(job);
    thread.worker.ref();
    thread.worker.postMessage(job.input);
  }

  #arm(thread: Thread<In, Out>): void {
    if (thread.jobs.length === 0) return;
    thread.timer = setTimeout(() => {
      this.#end(thread, new JobOverBudget(`the job took more than ${this.#options.budget} ms`));
      void thread.worker.terminate();
    }, this.#options.budget);
  }

  #finish(thread: Thread<In, Out>, result: Out): void {
    clearTimeout(thread.timer);
    const job = thread.jobs.shift();
    const next = this.#waiting.shift();
    if (next !== undefined) this.#give(thread, next);
    else if (thread.jobs.length === 0) thread.worker.unref();
    job?.resolve(result);
  }

  #end(thread: Thread<In, Out>, error: Error): void {
    if (!this.#threads.delete(thread)) return;
    clearTimeout(thread.timer);
    const [culprit, ...behind] = thread.jobs.splice(0);
    culprit?.reject(error);
    if (this.#closed) {
      for (const job of behind) job.reject(error);
      return;
    }
    this.#waiting.unshift(...behind);
    const next = this.#waiting.shift();
    if (next !== undefined) this.#give(this.#start(), next);
  }
}

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
}

interface Job<In, Out> {
  readonly input: In;
  readonly resolve: (result: Out) => void;
  readonly reject: (error: Error) => void;
  readonly progress?: ((place: string) => void) | undefined;
}

interface Thread<In, Out> {
  readonly worker: Worker;
  job?: Job<In, Out> | undefined;
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
      const idle = [...this.#threads].find((thread) => thread.job === undefined);
      if (idle !== undefined) this.#give(idle, job);
      else if (this.#threads.size < this.#options.threads) this.#give(this.#start(), job);
      else if (this.#waiting.length < this.#options.waiting) this.#waiting.push(job);
      else reject(new PoolBusy('too many jobs wait for a worker'));
    });
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
    const thread: Thread<In, Out> = { worker };
    worker.on(
      'message',
      (message: { readonly started: true } | { readonly place: string } | { readonly result: Out }) => {
        if ('started' in message) this.#arm(thread);
        else if ('place' in message) thread.job?.progress?.(message.place);
        else this.#finish(thread, message.result);
      },
    );
    worker.on('error', (error) => this.#end(thread, error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => this.#end(thread, new Error('the worker has exited')));
    this.#threads.add(thread);
    return thread;
  }

  #give(thread: Thread<In, Out>, job: Job<In, Out>): void {
    thread.job = job;
    thread.worker.ref();
    thread.worker.postMessage(job.input);
  }

  #arm(thread: Thread<In, Out>): void {
    if (thread.job === undefined) return;
    thread.timer = setTimeout(() => {
      this.#end(thread, new JobOverBudget(`the job took more than ${this.#options.budget} ms`));
      void thread.worker.terminate();
    }, this.#options.budget);
  }

  #finish(thread: Thread<In, Out>, result: Out): void {
    clearTimeout(thread.timer);
    const job = thread.job;
    thread.job = undefined;
    job?.resolve(result);
    const next = this.#waiting.shift();
    if (next !== undefined) this.#give(thread, next);
    else thread.worker.unref();
  }

  #end(thread: Thread<In, Out>, error: Error): void {
    if (!this.#threads.delete(thread)) return;
    clearTimeout(thread.timer);
    thread.job?.reject(error);
    thread.job = undefined;
    const next = this.#closed ? undefined : this.#waiting.shift();
    if (next !== undefined) this.#give(this.#start(), next);
  }
}

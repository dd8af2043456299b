// The engine in a worker thread, so that no SIP timer ever waits for the documents work of the main thread. Applications
// reach it over its loopback control port exactly as they reach one in this thread, or a drachtio-server.
import { Worker } from 'node:worker_threads';
import type { Engine, EngineCounts, EngineOptions, TlsMaterial } from './engine.ts';

/** What the worker tells: once that it is ready or why it is not, later the answers to questions. */
export type WorkerReport =
  | {
      readonly kind: 'ready';
      readonly control: Engine['control'];
      readonly listening: readonly string[];
      readonly largestFrame: number;
    }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'counts'; readonly counts: EngineCounts }
  /** `message` is the text of what went wrong; undefined = taken over. */
  | { readonly kind: 'tls'; readonly message: string | undefined };

/** What the worker is told. */
export type WorkerOrder = 'close' | 'counts' | { readonly tls: TlsMaterial };

/**
 * Starts an engine in a worker thread of its own.
 * @throws Error when an address cannot be listened on or an option is wrong
 */
export async function startEngineInWorker(options: EngineOptions): Promise<Engine> {
  // The compiler rewrites import specifiers, not URLs: the worker's file has the extension of this one.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./engine-worker.${extension}`, import.meta.url), {
    workerData: options,
    name: 'sip-engine',
    // Messages die young: a larger nursery keeps most of them from ever being copied.
    resourceLimits: { maxYoungGenerationSizeMb: 64 },
  });
  return engineOf(worker);
}

/**
 * The engine that runs in a worker.
 * @throws Error when the worker reports that it could not start, or ends
 */
export async function engineOf(worker: Worker): Promise<Engine> {
  let failure: Error | undefined;
  let closing = false;
  worker.on('error', (error) => {
    // The worker's errors are of another realm.
    failure = new Error((error as Partial<Error> | undefined)?.message ?? String(error), { cause: error });
  });
  const exited = new Promise<Error | undefined>((resolve) => {
    worker.on('exit', (code) => resolve(closing ? undefined : (failure ?? new Error(`SIP engine exited (${code})`))));
  });
  const waiting: ((counts: EngineCounts) => void)[] = [];
  const changing: ((message: string | undefined) => void)[] = [];
  const ready = await new Promise<Extract<WorkerReport, { kind: 'ready' }>>((resolve, reject) => {
    worker.on('message', (report: WorkerReport) => {
      if (report.kind === 'ready') resolve(report);
      else if (report.kind === 'counts') waiting.shift()?.(report.counts);
      else if (report.kind === 'tls') changing.shift()?.(report.message);
      else {
        closing = true;
        reject(new Error(report.message));
      }
    });
    void exited.then((error) => reject(error ?? new Error('SIP engine exited')));
  });
  return {
    control: ready.control,
    listening: ready.listening,
    largestFrame: ready.largestFrame,
    exited,
    counts: () =>
      new Promise((resolve, reject) => {
        waiting.push(resolve);
        void exited.then(() => reject(new Error('SIP engine exited')));
        worker.postMessage('counts' satisfies WorkerOrder);
      }),
    replaceTls: (tls) =>
      new Promise((resolve, reject) => {
        changing.push((message) => (message === undefined ? resolve() : reject(new Error(message))));
        void exited.then(() => reject(new Error('SIP engine exited')));
        worker.postMessage({ tls } satisfies WorkerOrder);
      }),
    close: async () => {
      closing = true;
      worker.postMessage('close' satisfies WorkerOrder);
      await exited;
    },
  };
}

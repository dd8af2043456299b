// Small documents that come together are judged by the batch in a thread of their own, while this one serves; one that comes alone is
// judged where it is, since the way to the thread and back would cost more.

// Taken from the module, not the globals: a faked clock must not stop it.
import { setImmediate } from 'node:timers';
import type { XmlLimits } from './limits.ts';
import { refusalOfPool } from './schema-refusals.ts';
import type { SmallJobs, SmallVerdict } from './schema-worker.ts';
import { JobOverBudget, type WorkerPool } from './worker-pool.ts';

/** A document that waits for the end of the turn. */
interface Waiting {
  readonly schema: string | undefined;
  readonly bytes: Uint8Array;
  readonly limits: XmlLimits;
  readonly examiner: string;
  readonly resolve: (verdict: SmallVerdict | undefined) => void;
  readonly reject: (error: unknown) => void;
}

type SmallPool = Pick<WorkerPool<SmallJobs, readonly SmallVerdict[]>, 'run' | 'load'>;

/** Octets and documents of one batch, about 10 ms of work. */
const batchBytes = 256 * 1024;
const batchDocuments = 32;

export class SmallDocuments {
  readonly #pool: SmallPool;
  readonly #mayStay: (bytes: Uint8Array) => boolean;
  #waiting: Waiting[] = [];

  /** `mayStay`: whether a document that comes alone is so small that it can be judged on this thread. */
  constructor(pool: SmallPool, mayStay: (bytes: Uint8Array) => boolean) {
    this.#pool = pool;
    this.#mayStay = mayStay;
  }

  /**
   * Judges a document and has it examined. Resolves with undefined when the caller had better do it, since the document came alone. Rejects
   * with Refusal `constraint-failure` when that takes too long, `unavailable` when too many wait, and with what broke the thread.
   */
  judge(
    schema: string | undefined,
    bytes: Uint8Array,
    limits: XmlLimits,
    examiner: string,
  ): Promise<SmallVerdict | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ schema, bytes, limits, examiner, resolve, reject }) === 1)
        setImmediate(() => this.#send());
    });
  }

  /**
   * Has the thread started and what it needs for such documents made ready, so that the first of them do not wait for that. Resolves also
   * when that fails: whoever needs the thread will see.
   */
  async prepare(schema: string | undefined, limits: XmlLimits, examiner: string): Promise<void> {
    const jobs = [{ schema, end: 0, examiner }];
    await this.#pool.run({ bytes: new Uint8Array(0), limits, jobs }).catch(() => undefined);
  }

  #send(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const [first, another] = waiting;
    if (first !== undefined && another === undefined && this.#pool.load === 0 && this.#mayStay(first.bytes)) {
      first.resolve(undefined);
      return;
    }
    for (let from = 0; from < waiting.length; ) {
      let to = from;
      let size = 0;
      while (to < waiting.length && to - from < batchDocuments && (size === 0 || size < batchBytes)) {
        size += waiting[to]?.bytes.byteLength ?? 0;
        to++;
      }
      void this.#judgeBatch(waiting.slice(from, to), size);
      from = to;
    }
  }

  async #judgeBatch(batch: readonly Waiting[], size: number): Promise<void> {
    const bytes = new Uint8Array(size);
    let end = 0;
    const jobs = batch.map(({ schema, bytes: document, examiner }) => {
      bytes.set(document, end);
      end += document.byteLength;
      return { schema, end, examiner };
    });
    try {
      const limits = batch[0]?.limits;
      if (limits === undefined) return;
      const verdicts = await this.#pool.run({ bytes, limits, jobs });
      for (const [at, { resolve }] of batch.entries()) resolve(verdicts[at]);
    } catch (error) {
      // Which of them it was is seen when each has a time of its own
      if (error instanceof JobOverBudget && batch.length > 1) {
        for (const one of batch) void this.#judgeBatch([one], one.bytes.byteLength);
        return;
      }
      const reason = refusalOfPool(error) ?? error;
      for (const { reject } of batch) reject(reason);
    }
  }
}

// The threads that run policies, and how their answers and failures reach the caller. One set of threads serves all policies of a process.
import { Refusal } from '../refusals.ts';
import { JobOverBudget, PoolBusy, WorkerPool } from '../xml/worker-pool.ts';
import type { ReadRules } from './compile-policy.ts';
import type { Derivation, PolicySource } from './policy.ts';
import { PolicyFileError } from './policy-problems.ts';
import type { CompiledStylesheet, PolicyResources } from './policy-resources.ts';
import type { PlainContext, PolicyJob, PolicyVerdict, ReadPolicy } from './policy-worker.ts';

export interface PolicyWorkersOptions {
  readonly threads?: number | undefined;
  /** Longest time for one document or stylesheet, milliseconds. */
  readonly budget?: number | undefined;
  /** Memory of each thread, MiB. */
  readonly memory?: number | undefined;
  /** Package that runs stylesheets. */
  readonly saxon?: string | undefined;
}

/** A policy that threads can run. */
export interface RunnablePolicy {
  /** Tells it from all others of this process. */
  readonly id: string;
  readonly resources: PolicyResources;
  readonly rules: ReadRules | undefined;
}

export class PolicyWorkers {
  readonly #pool: WorkerPool<PolicyJob, PolicyVerdict>;

  constructor({ threads = 2, budget = 5000, memory = 512, saxon = 'saxon-js' }: PolicyWorkersOptions = {}) {
    // tsc rewrites import specifiers but no URLs: the extension is that of this very module.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#pool = new WorkerPool({
      module: new URL(`./policy-worker.${extension}`, import.meta.url),
      data: { saxon },
      threads,
      budget,
      waiting: 100,
      resourceLimits: { maxOldGenerationSizeMb: memory },
    });
  }

  /** Checks and compiles the text of a stylesheet. */
  async compile(stylesheet: string): Promise<CompiledStylesheet> {
    const verdict = await this.#run({ kind: 'compile', stylesheet }).catch((error: unknown) => {
      if (error instanceof Refusal) return { compiled: { problems: [{ text: error.phrase }] } };
      throw error;
    });
    if ('compiled' in verdict) return verdict.compiled;
    throw new Error('failure' in verdict ? verdict.failure : 'a worker did not compile a stylesheet');
  }

  /** Reads and checks the texts of a policy. Rejects with PolicyFileError, Refusal `unavailable` when too much waits. */
  async read(source: PolicySource): Promise<ReadPolicy> {
    const verdict = await this.#run({ kind: 'read', source }).catch((error: unknown) => {
      if (!(error instanceof Refusal) || error.code === 'unavailable') throw error;
      throw new PolicyFileError([{ file: source.file, line: 1, key: '(file)', text: 'takes too long to read' }]);
    });
    if ('read' in verdict) return verdict.read;
    if ('problems' in verdict) throw new PolicyFileError(verdict.problems);
    throw new Error('failure' in verdict ? verdict.failure : 'a worker did not read a policy');
  }

  /**
   * Runs a policy on a document, at most `most` of its rules that change something. Rejects with Refusal `constraint-failure` for a rule
   * that cannot act or takes too long, `unavailable` when too many documents wait.
   */
  async derive(
    { id, resources, rules }: RunnablePolicy,
    document: Uint8Array,
    context: PlainContext,
    most?: number,
  ): Promise<Derivation> {
    const job: PolicyJob = { kind: 'derive', policy: id, document, context, most };
    let verdict = await this.#run(job);
    if ('unknownPolicy' in verdict) verdict = await this.#run({ ...job, made: { resources, rules } });
    if ('derivation' in verdict) return verdict.derivation;
    if ('refusal' in verdict) throw new Refusal(verdict.refusal, verdict.detail);
    throw new Error('failure' in verdict ? verdict.failure : 'a worker did not run a policy');
  }

  /** Ends the threads; jobs under way are rejected. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  async #run(job: PolicyJob): Promise<PolicyVerdict> {
    let rule: string | undefined;
    try {
      return await this.#pool.run(job, (place) => {
        rule = place;
      });
    } catch (error) {
      if (error instanceof PoolBusy) throw new Refusal('unavailable', { retryAfter: 1, cause: error.message });
      const memory = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
      if (!memory && !(error instanceof JobOverBudget)) throw error;
      const who = rule === undefined ? 'The stylesheet' : `The policy rule "${rule}"`;
      throw new Refusal('constraint-failure', {
        phrase: `${who} ${memory ? 'needs too much memory' : 'takes too long'}`,
        cause: (error as Error).message,
      });
    }
  }
}

let shared: PolicyWorkers | undefined;

/** The threads that this process shares; they start when first needed and keep nothing alive. */
export function sharedPolicyWorkers(): PolicyWorkers {
  shared ??= new PolicyWorkers();
  return shared;
}

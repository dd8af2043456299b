// The schema library: validates documents by name of schema, small ones at once, large ones in a worker,
// so that the event loop is never held for long, whatever the document.

import { Refusal } from '../refusals.ts';
import type { SchemaProblem } from './libxml.ts';
import type { XmlLimits } from './limits.ts';
import { OffsetIndex } from './offset-index.ts';
import { readSchemaSources, type SchemaSource } from './schema-files.ts';
import { SchemaJudge } from './schema-judge.ts';
import type { SchemaJob, SchemaJudgement, SchemaVerdict } from './schema-worker.ts';
import { JobOverBudget, PoolBusy, WorkerPool } from './worker-pool.ts';
import { indexWellFormed } from './xml-document.ts';

export type { SchemaProblem } from './libxml.ts';
export type { BuiltInSchema } from './schema-files.ts';

export interface SchemaLibraryOptions {
  /** Schemas of an operator's application usages: name -> path of an XSD file. */
  readonly operatorSchemas?: ReadonlyMap<string, string> | undefined;
  /** Longest time for judging one large document, milliseconds. */
  readonly budget?: number | undefined;
  /** Worker threads for large documents. */
  readonly threads?: number | undefined;
}

/** A document that was read, and what its schema has against it. */
export interface JudgedDocument {
  readonly index: OffsetIndex;
  readonly problems: readonly SchemaProblem[];
}

/** Documents up to this size are judged in the calling thread, bytes. */
const smallDocument = 64 * 1024;
/** The same for the number of start tags: each may cost an error with a path, 1,500 of them take about 15 ms. */
const fewTags = 1500;

export class SchemaLibrary {
  readonly #sources: ReadonlyMap<string, SchemaSource>;
  readonly #judge: SchemaJudge;
  readonly #pool: WorkerPool<SchemaJob, SchemaVerdict>;

  private constructor(sources: ReadonlyMap<string, SchemaSource>, options: SchemaLibraryOptions) {
    this.#sources = sources;
    this.#judge = new SchemaJudge(sources);
    // tsc rewrites import specifiers but no URLs: the extension is that of this very module.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#pool = new WorkerPool({
      module: new URL(`./schema-worker.${extension}`, import.meta.url),
      data: sources,
      threads: options.threads ?? 2,
      budget: options.budget ?? 5000,
      waiting: 100,
    });
  }

  /** Reads all schemas and compiles those of the operator. Throws Error when a file is missing or no schema. */
  static async load(options: SchemaLibraryOptions = {}): Promise<SchemaLibrary> {
    const operatorSchemas = options.operatorSchemas ?? new Map<string, string>();
    const library = new SchemaLibrary(await readSchemaSources(operatorSchemas), options);
    for (const name of operatorSchemas.keys()) library.#judge.prepare(name);
    return library;
  }

  /** Whether there is a schema of this name. */
  has(name: string): boolean {
    return this.#sources.has(name);
  }

  /**
   * Validates a document that readXml has accepted. Resolves with its problems, at most 20; none when it conforms.
   * Rejects with Refusal `constraint-failure` when that takes too long, `unavailable` when too many large documents wait.
   */
  async validate(name: string, bytes: Uint8Array): Promise<readonly SchemaProblem[]> {
    if (isSmall(bytes)) return this.#judge.judge(name, bytes, undefined);
    return (await this.#judgeInWorker({ schema: name, bytes, limits: undefined, scan: false })).problems;
  }

  /**
   * Reads and validates an incoming document in one go; without a schema name it is only read. `known` is its index, when there is one.
   * Rejects with the refusals of readXml, and `unavailable` when too many large documents wait.
   */
  async read(
    name: string | undefined,
    bytes: Uint8Array,
    limits: XmlLimits,
    known?: OffsetIndex,
  ): Promise<JudgedDocument> {
    if (bytes.byteLength > limits.documentBytes) throw new Refusal('document-too-large');
    if (isSmall(bytes)) {
      const problems = this.#judge.judge(name, bytes, limits);
      return { index: known ?? indexWellFormed(bytes, limits), problems };
    }
    const { problems, scan } = await this.#judgeInWorker({ schema: name, bytes, limits, scan: known === undefined });
    if (known !== undefined) return { index: known, problems };
    return { index: scan === undefined ? indexWellFormed(bytes, limits) : OffsetIndex.ofScan(bytes, scan), problems };
  }

  /** Frees the schemas and ends the workers; jobs under way are rejected. */
  async close(): Promise<void> {
    this.#judge.dispose();
    await this.#pool.close();
  }

  async #judgeInWorker(job: SchemaJob): Promise<SchemaJudgement> {
    const verdict = await this.#pool.run(job).catch((error: unknown): SchemaVerdict => {
      if (error instanceof PoolBusy) return { refusal: 'unavailable', detail: { retryAfter: 1, cause: error.message } };
      if (error instanceof JobOverBudget) {
        return {
          refusal: 'constraint-failure',
          detail: { phrase: 'Judging the document takes too long', cause: error.message },
        };
      }
      throw error;
    });
    if ('problems' in verdict) return verdict;
    if ('refusal' in verdict) throw new Refusal(verdict.refusal, verdict.detail);
    throw new Error(verdict.failure);
  }
}

function isSmall(bytes: Uint8Array): boolean {
  if (bytes.byteLength > smallDocument) return false;
  let tags = 0;
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === 0x3c && bytes[at + 1] !== 0x2f) tags++;
  return tags <= fewTags;
}

/** What is wrong with an operator's schema file, and in which line; undefined when it can be used. */
export async function schemaFileProblem(
  path: string,
): Promise<{ readonly line: number; readonly text: string } | undefined> {
  let library: SchemaLibrary | undefined;
  try {
    library = await SchemaLibrary.load({ operatorSchemas: new Map([['operator', path]]) });
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { line: 1, text: 'the schema file does not exist' };
    if (code !== undefined) return { line: 1, text: `the schema file cannot be read: ${message}` };
    return { line: Number(/:(\d+):/.exec(message)?.[1] ?? 1), text: `this is no XML schema: ${message}` };
  } finally {
    await library?.close();
  }
}

// The schema library: validates documents by name of schema, tiny ones at once, large ones and many together in workers,
// so that the event loop is never held for long, whatever the document.

import { Refusal } from '../refusals.ts';
import type { SchemaProblem } from './libxml.ts';
import type { XmlLimits } from './limits.ts';
import { OffsetIndex } from './offset-index.ts';
import type { OffsetScan } from './offset-scan.ts';
import { readSchemaSources, type SchemaSource } from './schema-files.ts';
import { SchemaJudge } from './schema-judge.ts';
import { refusalOfPool } from './schema-refusals.ts';
import type { SchemaJob, SchemaJudgement, SchemaVerdict, SmallJobs, SmallVerdict } from './schema-worker.ts';
import { SmallDocuments } from './small-documents.ts';
import { WorkerPool } from './worker-pool.ts';
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

/** What was found in a document by its examiner, or what its schema has against it. */
export interface ExaminedDocument {
  readonly problems: readonly SchemaProblem[];
  /** Undefined when there are problems. */
  readonly finding: unknown;
}

/** Size of a document, bytes, and number of its start tags, each of which may cost an error with a path: 100 of them take about 1 ms. */
interface Extent {
  readonly bytes: number;
  readonly tags: number;
}

/** Documents up to this extent are judged in the calling thread when they come alone. */
const tiny: Extent = { bytes: 16 * 1024, tags: 400 };
/** Documents up to this extent are judged by the batch. */
const small: Extent = { bytes: 64 * 1024, tags: 1500 };

export class SchemaLibrary {
  readonly #sources: ReadonlyMap<string, SchemaSource>;
  readonly #judge: SchemaJudge;
  readonly #pool: WorkerPool<SchemaJob, SchemaVerdict>;
  readonly #smallPool: WorkerPool<SmallJobs, readonly SmallVerdict[]>;
  readonly #small: SmallDocuments;

  private constructor(sources: ReadonlyMap<string, SchemaSource>, options: SchemaLibraryOptions) {
    this.#sources = sources;
    this.#judge = new SchemaJudge(sources);
    // tsc rewrites import specifiers but no URLs: the extension is that of this very module.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const shared = {
      module: new URL(`./schema-worker.${extension}`, import.meta.url),
      data: sources,
      budget: options.budget ?? 5000,
      waiting: 100,
    };
    this.#pool = new WorkerPool({ ...shared, threads: options.threads ?? 2 });
    // Large documents must not hold up small ones, so these have a thread of their own
    this.#smallPool = new WorkerPool({ ...shared, threads: 1, depth: 2 });
    this.#small = new SmallDocuments(this.#smallPool, (bytes) => isWithin(bytes, tiny));
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
    if (isWithin(bytes, tiny)) return this.#judge.judge(name, bytes, undefined);
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
    if (isWithin(bytes, tiny)) {
      const problems = this.#judge.judge(name, bytes, limits);
      return { index: known ?? indexWellFormed(bytes, limits), problems };
    }
    const { problems, scan } = await this.#judgeInWorker({ schema: name, bytes, limits, scan: known === undefined });
    if (known !== undefined) return { index: known, problems };
    return { index: scan === undefined ? indexWellFormed(bytes, limits) : OffsetIndex.ofScan(bytes, scan), problems };
  }

  /**
   * Validates an incoming document beside others, and has it examined by `examine` of the module `examiner` (a URL), which throws a Refusal
   * or returns what can move between threads. Resolves with undefined when `read` is the better way: the document is large, or comes
   * alone. Rejects like `read`, and with the Refusal of the examiner.
   */
  async examine(
    name: string | undefined,
    bytes: Uint8Array,
    limits: XmlLimits,
    examiner: string,
  ): Promise<ExaminedDocument | undefined> {
    if (bytes.byteLength > limits.documentBytes) throw new Refusal('document-too-large');
    if (!isWithin(bytes, small)) return undefined;
    const verdict = await this.#small.judge(name, bytes, limits, examiner);
    if (verdict === undefined) return undefined;
    if ('finding' in verdict) return { problems: [], finding: verdict.finding };
    if ('problems' in verdict) return { problems: verdict.problems, finding: undefined };
    if ('refusal' in verdict) throw new Refusal(verdict.refusal, verdict.detail);
    throw new Error(verdict.failure);
  }

  /** Makes the thread behind `examine` ready for documents of this schema and examiner; resolves when it is, or cannot be. */
  prepare(name: string | undefined, limits: XmlLimits, examiner: string): Promise<void> {
    return this.#small.prepare(name, limits, examiner);
  }

  /** Parses a large document or fragment on another thread and tells its offsets. Rejects with the refusals of readXml, and `unavailable`. */
  async scan(bytes: Uint8Array, limits: XmlLimits): Promise<OffsetScan> {
    const { scan } = await this.#judgeInWorker({ schema: undefined, bytes, limits, scan: true });
    if (scan === undefined) throw new Error('a worker that judges documents has told no offsets');
    return scan;
  }

  /** Frees the schemas and ends the workers; jobs under way are rejected. */
  async close(): Promise<void> {
    this.#judge.dispose();
    await Promise.all([this.#pool.close(), this.#smallPool.close()]);
  }

  async #judgeInWorker(job: SchemaJob): Promise<SchemaJudgement> {
    const verdict = await this.#pool.run(job).catch((error: unknown) => {
      throw refusalOfPool(error) ?? error;
    });
    if ('problems' in verdict) return verdict;
    if ('refusal' in verdict) throw new Refusal(verdict.refusal, verdict.detail);
    throw new Error(verdict.failure);
  }
}

function isWithin(bytes: Uint8Array, most: Extent): boolean {
  if (bytes.byteLength > most.bytes) return false;
  let tags = 0;
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === 0x3c && bytes[at + 1] !== 0x2f) tags++;
  return tags <= most.tags;
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

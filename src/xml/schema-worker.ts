// Worker thread that judges large documents one by one and small ones by the batch. Announces each start of work, then answers with
// problems or the refusal, and with the offsets of a large document that has no problem: they move over without being copied.

import { parentPort, workerData } from 'node:worker_threads';
import { Refusal, type RefusalCode, type RefusalDetail } from '../refusals.ts';
import type { SchemaProblem } from './libxml.ts';
import type { XmlLimits } from './limits.ts';
import type { OffsetIndex } from './offset-index.ts';
import type { OffsetScan } from './offset-scan.ts';
import type { SchemaSource } from './schema-files.ts';
import { SchemaJudge } from './schema-judge.ts';
import { indexWellFormed, scanWellFormed } from './xml-document.ts';

export interface SchemaJob {
  readonly schema: string | undefined;
  readonly bytes: Uint8Array;
  readonly limits: XmlLimits | undefined;
  /** Also scan the offsets; the document must have limits then. */
  readonly scan: boolean;
}

/** What came of judging a document that could be read. */
export interface SchemaJudgement {
  readonly problems: readonly SchemaProblem[];
  /** Present when it was asked for and there are no problems. */
  readonly scan?: OffsetScan | undefined;
}

export type SchemaVerdict =
  | SchemaJudgement
  | { readonly refusal: RefusalCode; readonly detail: RefusalDetail }
  | { readonly failure: string };

/** Small documents, one behind the other in `bytes`. */
export interface SmallJobs {
  readonly bytes: Uint8Array;
  readonly limits: XmlLimits;
  readonly jobs: readonly SmallJob[];
}

export interface SmallJob {
  readonly schema: string | undefined;
  /** Where the document ends in `bytes`; it starts where the one before ends. */
  readonly end: number;
  /** URL of a module whose `examine` looks at the document when its schema has nothing against it. */
  readonly examiner: string;
}

/** What an examiner's module exports: looks at a document, and throws the Refusal of what is wrong with it. */
export interface ExaminerModule {
  examine(index: OffsetIndex): unknown;
}

/** What came of one of a batch; a `finding` is what the examiner returned. */
export type SmallVerdict =
  | { readonly finding: unknown }
  | { readonly problems: readonly SchemaProblem[] }
  | { readonly refusal: RefusalCode; readonly detail: RefusalDetail }
  | { readonly failure: string };

const judge = new SchemaJudge(workerData as ReadonlyMap<string, SchemaSource>);

function verdictOn(job: SchemaJob): SchemaVerdict {
  try {
    const problems = judge.judge(job.schema, job.bytes, job.limits);
    const scanned = job.scan && job.limits !== undefined && problems.length === 0;
    return { problems, scan: scanned ? scanWellFormed(job.bytes, job.limits) : undefined };
  } catch (error) {
    return whatWasThrown(error);
  }
}

function whatWasThrown(
  error: unknown,
): { readonly refusal: RefusalCode; readonly detail: RefusalDetail } | { readonly failure: string } {
  if (error instanceof Refusal) return { refusal: error.code, detail: error.detail };
  return { failure: error instanceof Error ? error.message : String(error) };
}

const examiners = new Map<string, ExaminerModule>();

async function prepareExaminer(module: string): Promise<void> {
  if (!examiners.has(module)) examiners.set(module, (await import(module)) as ExaminerModule);
}

function smallVerdictOn(bytes: Uint8Array, { schema, examiner }: SmallJob, limits: XmlLimits): SmallVerdict {
  try {
    const problems = judge.judge(schema, bytes, limits);
    if (problems.length > 0) return { problems };
    return { finding: examiners.get(examiner)?.examine(indexWellFormed(bytes, limits)) };
  } catch (error) {
    return whatWasThrown(error);
  }
}

async function answerSmall({ bytes, limits, jobs }: SmallJobs): Promise<void> {
  for (const { schema, examiner } of jobs) {
    if (schema !== undefined) judge.prepare(schema);
    await prepareExaminer(examiner);
  }
  parentPort?.postMessage({ started: true });
  let start = 0;
  const result = jobs.map((job) => {
    const document = bytes.subarray(start, job.end);
    start = job.end;
    return smallVerdictOn(document, job, limits);
  });
  parentPort?.postMessage({ result });
}

function answerLarge(job: SchemaJob): void {
  if (job.schema !== undefined) judge.prepare(job.schema);
  parentPort?.postMessage({ started: true });
  const result = verdictOn(job);
  const moved = 'scan' in result && result.scan !== undefined ? [result.scan.records.buffer as ArrayBuffer] : [];
  parentPort?.postMessage({ result }, moved);
}

// A batch may have to wait for a module: what comes behind it must not overtake it
let last = Promise.resolve();
parentPort?.on('message', (job: SchemaJob | SmallJobs) => {
  if (!('jobs' in job)) answerLarge(job);
  else last = last.then(() => answerSmall(job));
});

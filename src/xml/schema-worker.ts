// Worker thread that judges large documents. Announces each start of work, then answers with problems or the refusal, and with the
// offsets of a document that has no problem: they move over without being copied.

import { parentPort, workerData } from 'node:worker_threads';
import { Refusal, type RefusalCode, type RefusalDetail } from '../refusals.ts';
import type { SchemaProblem } from './libxml.ts';
import type { XmlLimits } from './limits.ts';
import type { OffsetScan } from './offset-scan.ts';
import type { SchemaSource } from './schema-files.ts';
import { SchemaJudge } from './schema-judge.ts';
import { scanWellFormed } from './xml-document.ts';

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

const judge = new SchemaJudge(workerData as ReadonlyMap<string, SchemaSource>);

function verdictOn(job: SchemaJob): SchemaVerdict {
  try {
    const problems = judge.judge(job.schema, job.bytes, job.limits);
    const scanned = job.scan && job.limits !== undefined && problems.length === 0;
    return { problems, scan: scanned ? scanWellFormed(job.bytes, job.limits) : undefined };
  } catch (error) {
    if (error instanceof Refusal) return { refusal: error.code, detail: error.detail };
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

parentPort?.on('message', (job: SchemaJob) => {
  if (job.schema !== undefined) judge.prepare(job.schema);
  parentPort?.postMessage({ started: true });
  const result = verdictOn(job);
  const moved = 'scan' in result && result.scan !== undefined ? [result.scan.records.buffer as ArrayBuffer] : [];
  parentPort?.postMessage({ result }, moved);
});

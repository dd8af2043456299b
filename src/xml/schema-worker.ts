// Worker thread that judges large documents. Announces each start of work, then answers with problems or the refusal.

import { parentPort, workerData } from 'node:worker_threads';
import { Refusal, type RefusalCode, type RefusalDetail } from '../refusals.ts';
import type { SchemaProblem } from './libxml.ts';
import type { XmlLimits } from './limits.ts';
import type { SchemaSource } from './schema-files.ts';
import { SchemaJudge } from './schema-judge.ts';

export interface SchemaJob {
  readonly schema: string | undefined;
  readonly bytes: Uint8Array;
  readonly limits: XmlLimits | undefined;
}

export type SchemaVerdict =
  | { readonly problems: readonly SchemaProblem[] }
  | { readonly refusal: RefusalCode; readonly detail: RefusalDetail }
  | { readonly failure: string };

const judge = new SchemaJudge(workerData as ReadonlyMap<string, SchemaSource>);

function verdictOn(job: SchemaJob): SchemaVerdict {
  try {
    return { problems: judge.judge(job.schema, job.bytes, job.limits) };
  } catch (error) {
    if (error instanceof Refusal) return { refusal: error.code, detail: error.detail };
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

parentPort?.on('message', (job: SchemaJob) => {
  if (job.schema !== undefined) judge.prepare(job.schema);
  parentPort?.postMessage({ started: true });
  parentPort?.postMessage({ result: verdictOn(job) });
});

// The one place where the management API renders what went wrong: `{ code, phrase }` with the refusal's status.
import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import { Refusal } from '../refusals.ts';
import { StoreError } from '../store/store-error.ts';

export interface ManagementLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** Answers with the code and phrase of a refusal. */
export function answerRefusal(response: Response, refusal: Refusal): void {
  const { allow, retryAfter } = refusal.detail;
  if (allow !== undefined) response.set('Allow', allow.join(', '));
  if (retryAfter !== undefined) response.set('Retry-After', String(retryAfter));
  response.status(refusal.row.status).json({ code: refusal.code, phrase: refusal.phrase });
}

/** The handler of a path for all methods but those it has. */
export function otherMethods(...allow: readonly string[]): RequestHandler {
  return () => {
    throw new Refusal('method-not-allowed', { allow });
  };
}

/** The last handler: refusals as they are, faults of ours as 500 with the cause in the log alone. */
export function problemAnswers(log: ManagementLog): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const refusal = error instanceof Refusal ? error : refusalOfParser(error);
    if (refusal !== undefined) {
      answerRefusal(response, refusal);
      return;
    }
    log.error({ err: error, method: request.method }, 'the management API failed');
    if (error instanceof StoreError) {
      answerRefusal(response, new Refusal('unavailable', { retryAfter: 5 }));
      return;
    }
    response.status(500).json({ code: 'internal-error', phrase: 'The request could not be carried out' });
  };
}

// Express and its body parsers throw errors with a status; their texts can quote the request and stay here.
function refusalOfParser(error: unknown): Refusal | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const status = 'status' in error ? error.status : undefined;
  if (status === 413) return new Refusal('document-too-large');
  if (status === 415) return new Refusal('unsupported-media-type');
  if (typeof status !== 'number' || status < 400 || status >= 500) return undefined;
  const isSyntax = 'type' in error && error.type === 'entity.parse.failed';
  return new Refusal('bad-request', isSyntax ? { phrase: 'The body is no JSON' } : {});
}

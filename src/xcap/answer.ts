// What goes back to the caller: the typed answer of an XCAP face, and the one place where a refusal becomes bytes.
import type { Refusal } from '../refusals.ts';
import { composeXcapError } from '../xml/compose.ts';

/** A complete answer; `headers` is a flat list of names and values, as `writeHead` takes it. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body?: Uint8Array | string | undefined;
}

/** An answer without content. */
export function emptyAnswer(status: number, headers: readonly string[] = []): Answer {
  return { status, headers: [...headers, 'Content-Length', '0'] };
}

/** An answer with one line of text for people. */
export function textAnswer(status: number, line: string, headers: readonly string[] = []): Answer {
  const body = Buffer.from(`${line}\n`);
  return {
    status,
    headers: [...headers, 'Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(body.length)],
    body,
  };
}

/**
 * A refusal as a peer sees it: `application/xcap-error+xml` where RFC 4825 clause 11 has an element for it (always with 409), otherwise
 * one line `code: phrase`. The refusal's cause stays here.
 */
export function refusalAnswer(refusal: Refusal): Answer {
  const { row, detail } = refusal;
  const headers = refusalHeaders(refusal);
  if (row.element === undefined) return textAnswer(row.status, `${refusal.code}: ${refusal.phrase}`, headers);
  const { ancestor, exists } = detail;
  const body = Buffer.from(composeXcapError(row.element, { phrase: refusal.phrase, ancestor, exists }));
  return {
    status: row.status,
    headers: [...headers, 'Content-Type', 'application/xcap-error+xml', 'Content-Length', String(body.length)],
    body,
  };
}

/** What a caller learns of a fault of our own: nothing. */
export const faultAnswer: Answer = textAnswer(500, 'internal-error: The server failed');

function refusalHeaders({ code, detail }: Refusal): readonly string[] {
  const headers: string[] = [];
  for (const challenge of detail.challenges ?? defaultChallenges[code] ?? [])
    headers.push('WWW-Authenticate', challenge);
  if (detail.allow !== undefined) headers.push('Allow', detail.allow.join(', '));
  // RFC 9110 15.5.16
  if (detail.accept !== undefined) headers.push('Accept', detail.accept.join(', '));
  // RFC 9110 12.5.3: it tells a refused coding from a refused type
  if (detail.acceptEncoding !== undefined) headers.push('Accept-Encoding', detail.acceptEncoding.join(', '));
  if (detail.retryAfter !== undefined) headers.push('Retry-After', String(Math.ceil(detail.retryAfter)));
  return headers;
}

// RFC 6750 3: no error attribute when there were no credentials
const defaultChallenges: { readonly [code: string]: readonly string[] | undefined } = {
  'credentials-required': ['Bearer'],
  'token-invalid': ['Bearer error="invalid_token"'],
};

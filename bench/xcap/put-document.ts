// Stores a document of the measurement the way clients do.
import { exchange } from '../support/exchange.ts';
import type { Candidate } from './candidate.ts';

/** Puts a document. Throws unless the answer is 200, 201 or 204. */
export async function putDocument(candidate: Candidate, name: string, document: string): Promise<void> {
  const { port, headers, types } = candidate;
  const answer = await exchange({
    port,
    method: 'PUT',
    path: candidate.documentPath(name),
    headers: { ...headers, 'Content-Type': types.document },
    body: document,
  });
  if (![200, 201, 204].includes(answer.status)) {
    throw new Error(`${candidate.name} answered ${answer.status} to PUT of ${name}: ${answer.body.slice(0, 500)}`);
  }
}

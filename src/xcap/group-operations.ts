// Group management operations, POSTed to a group's address (TS 24.481 clause 6.3): retrieval without the member list.
import type { ServedDocument } from '../documents/documents.ts';
import { withoutMembers } from '../documents/view.ts';
import { Refusal } from '../refusals.ts';
import type { XmlLimits } from '../xml/limits.ts';
import { readGmopOperation } from '../xml/small-body.ts';
import type { Answer } from './answer.ts';
import { readBody, requireMediaType } from './body.ts';
import type { Exchange } from './exchange.ts';
import { wholeAnswer } from './read-answer.ts';

const operationMediaType = 'application/vnd.3gpp.GMOP+xml';

const limits: XmlLimits = {
  documentBytes: 64 * 1024,
  elementDepth: 32,
  elements: 1000,
  attributesPerElement: 32,
  nameLength: 256,
  namespacesInScope: 32,
};

/**
 * Answers one operation of `caller` on the group that `read` gives as that one may see it. Throws `unsupported-media-type`,
 * `bad-request` for what is no operation, `not-implemented` for one that is not offered, and what `readBody` and `read` throw.
 */
export async function answerOperation(
  exchange: Exchange,
  caller: string,
  read: () => Promise<ServedDocument>,
  groupMediaType: string,
): Promise<Answer> {
  requireMediaType(exchange.request, operationMediaType);
  const body = await readBody(exchange, caller, limits.documentBytes);
  if (operationOf(body) !== 'get-excluding-memberlist') throw new Refusal('not-implemented');
  const document = await read();
  const { tag, bytes } = withoutMembers(document);
  return wholeAnswer({ tag, bytes, staleSince: document.staleSince }, groupMediaType);
}

// RFC 4825 clause 11 is about documents that are put; an operation that cannot be read is a bad request
function operationOf(body: Uint8Array): string | undefined {
  try {
    return readGmopOperation(body, limits);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal('bad-request', { phrase: 'The body is no group management operation', cause: error.message });
  }
}

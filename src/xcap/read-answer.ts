// The answer to GET and HEAD of something that has a tag: whole, not modified, or refused by a precondition.
import type { IncomingMessage } from 'node:http';
import { Refusal } from '../refusals.ts';
import type { Answer } from './answer.ts';
import { listsTag, preconditionsOf, quotedTag } from './entity-tags.ts';

/** What is served: its bytes and entity tag, without quotes. */
export interface Content {
  readonly tag: string;
  readonly bytes: Uint8Array;
}

/**
 * 200 with the content and its tag, or 304 when If-None-Match holds (RFC 9110 clause 13.2.2). Throws `precondition-failed` when
 * If-Match does not.
 */
export function contentAnswer({ headers }: IncomingMessage, { tag, bytes }: Content, mimeType: string): Answer {
  const { ifMatch, ifNoneMatch } = preconditionsOf(headers);
  if (ifMatch !== undefined && !listsTag(ifMatch, tag)) throw new Refusal('precondition-failed');
  if (ifNoneMatch !== undefined && listsTag(ifNoneMatch, tag)) {
    return { status: 304, headers: ['ETag', quotedTag(tag), 'Cache-Control', 'no-cache'] };
  }
  return {
    status: 200,
    headers: [
      'Content-Type',
      mimeType,
      'Content-Length',
      String(bytes.byteLength),
      'ETag',
      quotedTag(tag),
      // RFC 4825 9: what changes at any time is revalidated each time
      'Cache-Control',
      'no-cache',
    ],
    body: bytes,
  };
}

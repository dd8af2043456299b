// The answer to GET and HEAD of something that has a tag: whole, not modified, or refused by a precondition.
import type { IncomingMessage } from 'node:http';
import { Refusal } from '../refusals.ts';
import type { Answer } from './answer.ts';
import { listsTag, preconditionsOf, quotedTag } from './entity-tags.ts';

/** What is served: its bytes and entity tag, without quotes. */
export interface Content {
  readonly tag: string;
  readonly bytes: Uint8Array;
  /** Since when a copy cannot be checked for changes at its home, ISO 8601; absent = it is current. */
  readonly staleSince?: string | undefined;
}

/**
 * 200 with the content and its tag, or 304 when If-None-Match holds (RFC 9110 clause 13.2.2). Throws `precondition-failed` when
 * If-Match does not. A stale copy is marked by a Cache-Status whose `ttl` is below zero by its seconds (RFC 9211 clause 2.4).
 */
export function contentAnswer(
  { headers }: IncomingMessage,
  { tag, bytes, staleSince }: Content,
  mimeType: string,
): Answer {
  const { ifMatch, ifNoneMatch } = preconditionsOf(headers);
  if (ifMatch !== undefined && !listsTag(ifMatch, tag)) throw new Refusal('precondition-failed');
  if (ifNoneMatch !== undefined && listsTag(ifNoneMatch, tag)) {
    // RFC 9110 15.4.5: no length of what is not there; clients that count by it would wait for content
    return { status: 304, headers: validationHeaders({ tag, staleSince }) };
  }
  return wholeAnswer({ tag, bytes, staleSince }, mimeType);
}

/** 200 with the content and its tag, whatever the preconditions. */
export function wholeAnswer(content: Content, mimeType: string): Answer {
  const { bytes } = content;
  const length = String(bytes.byteLength);
  const headers = ['Content-Type', mimeType, 'Content-Length', length, ...validationHeaders(content)];
  return { status: 200, headers, body: bytes };
}

// RFC 4825 9: what changes at any time is revalidated each time
function validationHeaders({ tag, staleSince }: Pick<Content, 'tag' | 'staleSince'>): readonly string[] {
  return ['ETag', quotedTag(tag), 'Cache-Control', 'no-cache', ...staleMark(staleSince)];
}

function staleMark(staleSince: string | undefined): readonly string[] {
  if (staleSince === undefined) return [];
  const seconds = Math.max(1, Math.floor((Date.now() - Date.parse(staleSince)) / 1000));
  return ['Cache-Status', `mcgw; hit; ttl=-${seconds}; detail=stale`];
}

// Entity tags: one strong tag for each content, and the preconditions of requests that compare them (RFC 9110 clause 13).

import { createHash } from 'node:crypto';
import type { EntityTagList, Preconditions } from './documents.ts';

/**
 * Strong entity tag of a document, without quotes: the first 16 bytes of SHA-256 over its bytes in base64url, 22 characters.
 * The same bytes always have the same tag, so that an idempotent PUT changes nothing that anybody could see.
 */
export function entityTag(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest().subarray(0, 16).toString('base64url');
}

/** Strong comparison, RFC 9110 clause 8.8.3.2: a weak tag (`W/…`) never matches. `current` undefined = nothing is there. */
export function matchesStrongly(list: EntityTagList, current: string | undefined): boolean {
  if (current === undefined) return false;
  return list === '*' || list.includes(current);
}

/** Weak comparison, RFC 9110 clause 8.8.3.2: a leading `W/` does not count. */
export function matchesWeakly(list: EntityTagList, current: string | undefined): boolean {
  if (current === undefined) return false;
  return list === '*' || list.some((tag) => (tag.startsWith('W/') ? tag.slice(2) : tag) === current);
}

/**
 * Whether a write may go on, given the tag of what is there (undefined = nothing). RFC 9110 clauses 13.1.1 and 13.1.2:
 * If-Match compares strongly, If-None-Match weakly.
 */
export function preconditionsHold(preconditions: Preconditions, current: string | undefined): boolean {
  const { ifMatch, ifNoneMatch } = preconditions;
  if (ifMatch !== undefined && !matchesStrongly(ifMatch, current)) return false;
  return ifNoneMatch === undefined || !matchesWeakly(ifNoneMatch, current);
}

// Entity tags in header fields: always quoted when sent, read with and without quotes. RFC 9110 clauses 8.8.3 and 13.1.
import type { EntityTagList, Preconditions } from '../documents/documents.ts';
import { Refusal } from '../refusals.ts';

/** An entity tag as a header field carries it. */
export function quotedTag(tag: string): string {
  return `"${tag}"`;
}

/** The opaque tag in an ETag header field, without quotes; undefined when there is none that can be used. `W/` is dropped. */
export function parseEntityTag(value: string | undefined): string | undefined {
  const tag = value === undefined ? null : /^(?:W\/)?"([\x21\x23-\x7e\x80-\xff]+)"$/.exec(value.trim());
  return tag?.[1];
}

/**
 * Entity tags of an If-Match (`strong`) or If-None-Match (`weak` comparison) field. A weak tag never equals anything in the strong
 * comparison and is left out there, so that the list may come out empty. Throws `bad-request` when the field is malformed.
 */
export function parseEntityTagList(value: string, comparison: 'strong' | 'weak'): EntityTagList {
  const text = value.trim();
  if (text === '*') return '*';
  const tags: string[] = [];
  // RFC 9110 8.8.3: a quoted tag may contain a comma, so the field is scanned rather than split
  const item = /[ \t]*(?:(W\/)?(?:"([\x21\x23-\x7e\x80-\xff]*)"|([\x21\x23-\x2b\x2d-\x7e\x80-\xff]+)))?[ \t]*(,|$)/y;
  let seen = false;
  while (item.lastIndex < text.length) {
    const [all, weak, quoted, bare] = item.exec(text) ?? [];
    const tag = quoted ?? bare;
    // RFC 9110 8.8.3: within quotes an asterisk is a tag like any other
    if (all === undefined || bare === '*') throw malformed();
    if (tag === undefined) continue;
    seen = true;
    if (weak === undefined || comparison === 'weak') tags.push(tag);
  }
  if (!seen) throw malformed();
  return tags;
}

/** The preconditions of a request. Throws `bad-request` when a field is malformed. */
export function preconditionsOf(headers: {
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
}): Preconditions {
  const ifMatch = headers['if-match'];
  const ifNoneMatch = headers['if-none-match'];
  if (ifMatch === undefined && ifNoneMatch === undefined) return none;
  return {
    ifMatch: ifMatch === undefined ? undefined : parseEntityTagList(ifMatch, 'strong'),
    ifNoneMatch: ifNoneMatch === undefined ? undefined : parseEntityTagList(ifNoneMatch, 'weak'),
  };
}

/** True when the list names the tag, or anything at all. */
export function listsTag(list: EntityTagList, tag: string): boolean {
  return list === '*' || list.includes(tag);
}

const none: Preconditions = {};

function malformed(): Refusal {
  return new Refusal('bad-request', { phrase: 'If-Match or If-None-Match is malformed' });
}

// Reads the values of management requests; what cannot be understood is a `bad-request` that says what was expected.
import type { Request } from 'express';
import type { Preconditions } from '../documents/documents.ts';
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import { instantForms, readInstant } from './instants.ts';

/** The canonical group ID in the path parameter `groupId`. */
export function groupIdOf(request: Request): string {
  return canonicalGroupId(request.params.groupId);
}

/** The canonical form of a group ID from outside. */
function canonicalGroupId(text: unknown): string {
  const canonical = typeof text === 'string' ? canonicalUri(text) : undefined;
  if (canonical === undefined) throw new Refusal('bad-request', { phrase: 'The group ID is no URI' });
  return canonical;
}

/** A path parameter as text. */
export function pathValue(request: Request, name: string): string {
  const value = request.params[name];
  return typeof value === 'string' ? value : '';
}

/** Throws `bad-request` with the name of the first query parameter that is not `known`, stands there twice or has no value. */
export function checkQuery(request: Request, known: readonly string[]): void {
  const wrong = Object.keys(request.query).find((name) => !known.includes(name));
  if (wrong !== undefined) {
    const names = known.length === 0 ? 'there are none here' : `there are ${known.join(', ')}`;
    throw new Refusal('bad-request', { phrase: `Unknown query parameter ${JSON.stringify(wrong)}: ${names}` });
  }
  for (const name of known) queryValue(request, name);
}

/** True, false or, left out, `fallback`. */
export function queryFlag(request: Request, name: string, fallback: boolean): boolean {
  const value = queryValue(request, name);
  if (value === undefined) return fallback;
  if (value === 'true' || value === 'false') return value === 'true';
  throw new Refusal('bad-request', { phrase: `The query parameter ${name} must be true or false` });
}

/** A query parameter that may be left out and stands there at most once. */
export function queryValue(request: Request, name: string): string | undefined {
  const value = request.query[name];
  if (value === undefined || (typeof value === 'string' && value !== '')) return value;
  throw new Refusal('bad-request', { phrase: `The query parameter ${name} needs one value` });
}

/** A whole number in the query between 0 and `max`, or `fallback`. */
export function queryNumber(request: Request, name: string, fallback: number, max: number): number {
  const value = queryValue(request, name);
  if (value === undefined) return fallback;
  const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
  if (number <= max) return number;
  throw new Refusal('bad-request', { phrase: `The query parameter ${name} must be a whole number up to ${max}` });
}

/** An instant in the query, or a span before `now` (milliseconds since 1970), in the form in which the journal has them. */
export function queryInstant(request: Request, name: string, now: number): string | undefined {
  const value = queryValue(request, name);
  if (value === undefined) return undefined;
  const instant = readInstant(value, now);
  if (instant !== undefined) return instant;
  throw new Refusal('bad-request', { phrase: `The query parameter ${name} must be ${instantForms}` });
}

/** The group ID in a JSON body `{ "groupId": … }`. */
export function bodyGroupId(request: Request): string {
  const body: unknown = request.body;
  const groupId = typeof body === 'object' && body !== null && 'groupId' in body ? body.groupId : undefined;
  if (typeof groupId !== 'string') {
    throw new Refusal('bad-request', { phrase: 'The body must be JSON with a groupId' });
  }
  return canonicalGroupId(groupId);
}

/** A flag in a JSON body; left out, it is false. */
export function bodyFlag(request: Request, name: string): boolean {
  const body: unknown = request.body;
  const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined;
  if (value === undefined) return false;
  if (typeof value === 'boolean') return value;
  throw new Refusal('bad-request', { phrase: `${name} must be true or false` });
}

/** The pattern over group IDs in a JSON body `{ "groups": … }`; undefined when there is none. */
export function bodyPattern(request: Request): string | undefined {
  const body: unknown = request.body;
  const pattern = typeof body === 'object' && body !== null && 'groups' in body ? body.groups : undefined;
  if (pattern === undefined) return undefined;
  if (typeof pattern === 'string' && pattern !== '') return pattern;
  throw new Refusal('bad-request', { phrase: 'groups must be a pattern over group IDs' });
}

/** Throws `bad-request` when a JSON body has both of these members. */
export function checkOneOf(request: Request, one: string, other: string): void {
  const body: unknown = request.body;
  if (typeof body !== 'object' || body === null || !(one in body && other in body)) return;
  throw new Refusal('bad-request', { phrase: `The body must have either ${one} or ${other}` });
}

/** If-Match and If-None-Match (RFC 9110 clause 13.1). */
export function preconditionsOf(request: Request): Preconditions {
  return { ifMatch: tagList(request, 'If-Match'), ifNoneMatch: tagList(request, 'If-None-Match') };
}

function tagList(request: Request, name: 'If-Match' | 'If-None-Match'): Preconditions['ifMatch'] {
  const value = request.get(name)?.trim();
  if (value === undefined || value === '*') return value;
  // RFC 9110 8.8.3: a tag may contain a comma, so the field is scanned rather than split
  const item = /[ \t]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)")?[ \t]*(?:,|$)/y;
  const found: { readonly tag: string; readonly weak: boolean }[] = [];
  while (item.lastIndex < value.length) {
    const [all, weak, tag] = item.exec(value) ?? [];
    if (all === undefined) throw new Refusal('bad-request', { phrase: `${name} must be * or a list of entity tags` });
    if (tag !== undefined) found.push({ tag, weak: weak !== undefined });
  }
  if (found.length === 0) throw new Refusal('bad-request', { phrase: `${name} holds no entity tag` });
  // RFC 9110 8.8.3.2: in the strong comparison a weak tag equals nothing
  return found.filter(({ weak }) => !weak || name === 'If-None-Match').map(({ tag }) => tag);
}

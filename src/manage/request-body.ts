// The JSON body of a management request, read as the table of operations says. What cannot be understood is refused: a member that is
// misspelt, or a body that is overlooked, would widen what is done.
import express, { type Request, type RequestHandler } from 'express';
import { keysAt } from '../config/schema-walk.ts';
import { Refusal } from '../refusals.ts';
import type { Operation } from './operations.ts';

/** Octets of the largest body of an operation that says nothing else. */
const usualSize = 16_384;

/** The handlers that read and check the body of an operation; none for those that read their own. */
export function bodyHandlers({ method, body, bodyBytes = usualSize }: Operation): readonly RequestHandler[] {
  if (body === 'group document' || method === 'get') return [];
  return [
    checkMediaType,
    express.json({ limit: bodyBytes, type: () => true, strict: false }),
    (request, _response, next) => {
      checkMembers(request, body);
      next();
    },
  ];
}

// A body without a media type is taken to be what belongs here.
function checkMediaType(...[request, , next]: Parameters<RequestHandler>): void {
  if (request.get('content-type') !== undefined && hasBody(request) && request.is(['json', '+json']) === false) {
    throw new Refusal('unsupported-media-type', { phrase: 'The body must be application/json' });
  }
  next();
}

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function checkMembers(request: Request, schema: Operation['body']): void {
  const body: unknown = request.body;
  if (body === undefined || schema === 'group document') return;
  if (!isGroupOfMembers(body)) throw new Refusal('bad-request', { phrase: 'The body must be a JSON object' });
  const check = (members: object, path: readonly string[]): void => {
    const known = schema === undefined ? [] : keysAt(schema, path);
    for (const [name, value] of Object.entries(members)) {
      if (!known.includes(name)) throw unknownMember([...path, name], known);
      const below = schema === undefined ? [] : keysAt(schema, [...path, name]);
      if (below.length > 0 && isGroupOfMembers(value)) check(value, [...path, name]);
    }
  };
  check(body, []);
}

function isGroupOfMembers(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unknownMember(path: readonly string[], known: readonly string[]): Refusal {
  const names = known.length === 0 ? 'there are none here' : `there are ${[...new Set(known)].join(', ')}`;
  return new Refusal('bad-request', { phrase: `Unknown member ${JSON.stringify(path.join('.'))}: ${names}` });
}

// Who acts through the management API: the operator whose token a request carries, and which groups it may act on.
// An operator without patterns may do everything; one with patterns gets nothing that is not known to be about its groups.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Request, RequestHandler, Response } from 'express';
import type { Configuration } from '../config/schema.ts';
import type { AdministratorPrincipal } from '../identity/principal.ts';
import { canonicalUri, matchesPattern } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { Operation } from './operations.ts';
import { answerRefusal } from './problem-answer.ts';

export interface OperatorToken {
  /** In the journal. */
  readonly name: string;
  readonly token: string;
  /** Patterns over group IDs; absent = all groups and everything else. */
  readonly groups?: readonly string[] | undefined;
}

/** The operators of a configuration: the one of `manage.token`, and those with tokens of their own. */
export function configuredOperators({ manage }: Configuration): readonly OperatorToken[] {
  return manage === undefined ? [] : [{ name: 'operator', token: manage.token }, ...manage.operators];
}

/** Lets those pass that show a token of these operators; who it is, `operatorOf` tells. RFC 6750 clauses 2.1 and 3. */
export function authorised(operators: () => readonly OperatorToken[]): RequestHandler {
  return (request, response, next) => {
    const shown = bearerToken(request);
    const found = typeof shown === 'string' ? holderOf(shown, operators()) : undefined;
    if (found !== undefined) {
      response.locals.operator = { role: 'administrator', identity: found.name, groups: found.groups };
      next();
      return;
    }
    const { challenge, refusal } = typeof shown === 'string' ? wrongToken : shown;
    response.set('WWW-Authenticate', challenge);
    answerRefusal(response, new Refusal(...refusal));
  };
}

/** Name of the operator whose token a request shows; undefined when it shows none of theirs. */
export function operatorNamed(operators: readonly OperatorToken[], request: IncomingMessage): string | undefined {
  const shown = bearerToken(request);
  return typeof shown === 'string' ? holderOf(shown, operators)?.name : undefined;
}

interface NoToken {
  readonly challenge: string;
  readonly refusal: ConstructorParameters<typeof Refusal>;
}

const noToken: NoToken = { challenge: 'Bearer', refusal: ['credentials-required'] };
const wrongToken: NoToken = {
  challenge: 'Bearer error="invalid_token"',
  refusal: [
    'token-invalid',
    { phrase: 'The token is neither manage.token nor one of manage.operators of this gateway' },
  ],
};
const twoTokens: NoToken = {
  challenge: 'Bearer error="invalid_request"',
  refusal: ['bad-request', { phrase: 'The header field Authorization stands there more than once' }],
};

function bearerToken(request: IncomingMessage): string | NoToken {
  const [first, ...more] = request.headersDistinct.authorization ?? [];
  // RFC 6750 3.1: which of two is meant, nobody can say
  if (more.length > 0) return twoTokens;
  return /^Bearer +([^\s]+)$/i.exec(first ?? '')?.[1] ?? noToken;
}

/** Who asks, behind `authorised`. */
export function operatorOf(response: Response): AdministratorPrincipal {
  return response.locals.operator as AdministratorPrincipal;
}

/** Throws `forbidden` when the operator is limited to groups and the operation is not known to be about one of them. */
export function checkReach(operation: Operation, request: Request, response: Response): void {
  const operator = operatorOf(response);
  if (operator.groups === undefined || operation.limited !== undefined) return;
  const { groupId } = request.params;
  if (operation.path.includes('{groupId}') && typeof groupId === 'string') checkGroup(operator, groupId);
  else checkUnlimited(operator);
}

/** Throws `forbidden` when the operator is limited to groups. */
export function checkUnlimited({ groups }: AdministratorPrincipal): void {
  if (groups !== undefined) throw new Refusal('forbidden', { phrase: 'This operator may act on its groups only' });
}

/** Throws `forbidden` when the operator may not act on the group. */
export function checkGroup(operator: AdministratorPrincipal, groupId: string): void {
  if (!mayAct(operator, canonicalUri(groupId) ?? groupId)) {
    throw new Refusal('forbidden', { phrase: 'This operator may not act on this group' });
  }
}

/** Whether the operator may act on the group, by its canonical ID. */
export function mayAct({ groups }: AdministratorPrincipal, groupId: string): boolean {
  return groups === undefined || groups.some((pattern) => matchesPattern(pattern, groupId));
}

function holderOf(given: string, operators: readonly OperatorToken[]): OperatorToken | undefined {
  const digestOfGiven = digest(given);
  // All are looked at, so that the time tells nothing about which one it was
  return operators.filter(({ token }) => timingSafeEqual(digest(token), digestOfGiven))[0];
}

// Digests have one length, so that the comparison tells nothing about the token's.
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

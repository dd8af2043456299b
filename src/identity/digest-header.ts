// The Authorization header field of the Digest scheme as clients really send it, taken apart in one pass.
// RFC 7616 clause 3.4, RFC 9110 clause 11.4, RFC 8187 clause 3.2.
import { Refusal } from '../refusals.ts';

/** What a Digest Authorization header field says. Text is as on the wire: one character per octet, save for `username`. */
export interface DigestAuthorization {
  /** The user's name, or its hash when `userhash` is set. */
  readonly username: string;
  readonly userhash: boolean;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  /** Hexadecimal, lower case. */
  readonly response: string;
  /** As sent; RFC 7616 clause 3.3: MD5 when absent. */
  readonly algorithm: string;
  /** Undefined when the client knows no quality of protection (RFC 2069). */
  readonly protection: DigestProtection | undefined;
}

/** What a client that knows a quality of protection adds; `nc` counts the requests of a nonce, `nonceCount` is its text as sent. */
export interface DigestProtection {
  readonly qop: string;
  readonly nc: number;
  readonly nonceCount: string;
  readonly cnonce: string;
}

/** Longest header field looked at, characters. */
const longestHeader = 16 * 1024;
const mostParameters = 32;
const scheme = /^digest[ \t]+/i;

/** True when the header field is of the Digest scheme, sound or not. */
export function isDigest(authorization: string): boolean {
  return /^digest([ \t]|$)/i.test(authorization);
}

/**
 * Parses the value of an Authorization header field. Throws the Refusal `bad-request` when it is not of the Digest scheme, malformed, too
 * long, lacks a parameter or has one twice.
 */
export function parseDigestAuthorization(authorization: string): DigestAuthorization {
  if (authorization.length > longestHeader) throw malformed('the header field is too long');
  const start = scheme.exec(authorization)?.[0].length;
  if (start === undefined) throw malformed('not of the Digest scheme');
  // Octets above 0xFF do not exist; cut off they would turn into other characters when hashed
  if (/[^\t\x20-\x7e\x80-\xff]/.test(authorization)) throw malformed('a control character');
  const parameters = parseParameters(authorization, start);
  const required = (name: string): string => {
    const value = parameters.get(name);
    if (value === undefined) throw malformed(`${name} is missing`);
    return value;
  };
  const userhash = parseFlag(parameters.get('userhash'));
  return {
    username: parseUsername(parameters.get('username'), parameters.get('username*'), userhash),
    userhash,
    realm: required('realm'),
    nonce: required('nonce'),
    uri: required('uri'),
    response: matching(/^[0-9a-f]+$/i, 'response', required('response')).toLowerCase(),
    algorithm: parameters.get('algorithm') ?? 'MD5',
    protection: parseProtection(parameters),
  };
}

function parseParameters(text: string, start: number): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  // Sticky expressions: each character is looked at a bounded number of times
  const separator = /[ \t,]*/y;
  const nameAndEquals = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*/y;
  const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
  const quoted = /"((?:[^"\\]|\\.)*)"/y;
  let at = start;
  const take = (expression: RegExp): RegExpExecArray | null => {
    expression.lastIndex = at;
    const match = expression.exec(text);
    if (match !== null) at = expression.lastIndex;
    return match;
  };
  take(separator);
  while (at < text.length) {
    const name = take(nameAndEquals)?.[1]?.toLowerCase();
    if (name === undefined) throw malformed('a parameter is malformed');
    if (parameters.has(name)) throw malformed('a parameter stands twice');
    if (parameters.size === mostParameters) throw malformed('too many parameters');
    let value: string | undefined;
    if (name === 'uri' && text[at] === '"') {
      const end = closingQuote(text, at + 1);
      value = end === undefined ? undefined : text.slice(at + 1, end);
      at = (end ?? at) + 1;
    } else {
      value = text[at] === '"' ? take(quoted)?.[1] : take(token)?.[0];
    }
    if (value === undefined) throw malformed('the value of a parameter is malformed');
    parameters.set(name, value.replace(/\\(.)/g, '$1'));
    // RFC 9110 5.6.1: a comma between elements, and empty elements do not count
    const gap = take(separator)?.[0] ?? '';
    if (at < text.length && !gap.includes(',')) throw malformed('no comma between parameters');
  }
  return parameters;
}

// Some XCAP clients copy the quotes of a node selector into the value as they are, so a quote ends it only where the next parameter
// or nothing follows
function closingQuote(text: string, from: number): number | undefined {
  const ending = /[ \t]*(?:$|,[ \t,]*(?:$|[!#$%&'*+\-.^_`|~0-9A-Za-z]+[ \t]*=))/y;
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') {
      ending.lastIndex = at + 1;
      if (ending.test(text)) return at;
    }
  }
  return undefined;
}

function parseUsername(plain: string | undefined, extended: string | undefined, userhash: boolean): string {
  // RFC 7616 3.4: both at once MUST be treated as an error, and a hashed name needs no extended notation
  if (extended === undefined) {
    if (plain === undefined) throw malformed('username is missing');
    return utf8(plain);
  }
  if (plain !== undefined || userhash) throw malformed('username* does not go with username or userhash');
  const encoded = /^utf-8'[^']*'(.*)$/i.exec(extended)?.[1];
  if (encoded === undefined) throw malformed('username* is malformed');
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw malformed('username* is malformed');
  }
}

// RFC 7616 4: names are UTF-8; a client of the older RFC may still mean ISO 8859-1
function utf8(octets: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(octets, 'latin1'));
  } catch {
    return octets;
  }
}

function parseProtection(parameters: ReadonlyMap<string, string>): DigestAuthorization['protection'] {
  const [qop, nc, cnonce] = ['qop', 'nc', 'cnonce'].map((name) => parameters.get(name));
  if (qop === undefined) return undefined;
  // RFC 7616 3.5: exactly eight digits; RFC 7616 3.4: the first request counts as one
  const nonceCount = matching(/^[0-9a-f]{8}$/i, 'nc', nc ?? '');
  const count = Number.parseInt(nonceCount, 16);
  if (count === 0) throw malformed('nc is malformed');
  if (cnonce === undefined) throw malformed('cnonce is missing');
  return { qop: qop.toLowerCase(), nc: count, nonceCount, cnonce };
}

function parseFlag(value: string | undefined): boolean {
  return value !== undefined && matching(/^(true|false)$/i, 'userhash', value).toLowerCase() === 'true';
}

function matching(expression: RegExp, name: string, value: string): string {
  if (!expression.test(value)) throw malformed(`${name} is malformed`);
  return value;
}

// Nothing of the field is repeated: it may hold a password typed into the wrong place
function malformed(cause: string): Refusal {
  return new Refusal('bad-request', {
    phrase: 'The Digest credentials cannot be understood',
    cause: `Digest credentials: ${cause}`,
  });
}

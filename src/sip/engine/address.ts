// Addresses in header fields (RFC 3261 20.10, 25.1): From, To, Contact, Route and Record-Route values, and the few facts
// of a SIP URI that routing needs.
import {
  COLON,
  COMMA,
  digits,
  EQUAL,
  hostEnd,
  LESS,
  parameterValueEnd,
  QUOTE,
  quotedEnd,
  SEMICOLON,
  SP,
  skipSpace,
  TAB,
  tokenEnd,
} from './grammar.ts';

/** One name-addr or addr-spec with its parameters. */
export interface Address {
  /** Display name and URI as written, without the parameters behind them. */
  readonly text: string;
  readonly uri: string;
  /** The `tag` parameter, '' when absent. */
  readonly tag: string;
}

/**
 * Reads a header field value that must be exactly one address.
 * @returns undefined when the value breaks the grammar: unbalanced quotes, blanks in the URI, a comma, an empty parameter
 */
export function parseAddress(value: string): Address | undefined {
  let at = skipSpace(value, 0);
  const start = at;
  let uri: string;
  if (value.charCodeAt(at) === QUOTE) {
    at = quotedEnd(value, at);
    if (at < 0) return undefined;
    at = skipSpace(value, at);
    if (value.charCodeAt(at) !== LESS) return undefined;
  } else {
    const open = value.indexOf('<', at);
    if (open >= 0 && isDisplayName(value, at, open)) at = open;
  }
  if (value.charCodeAt(at) === LESS) {
    const close = value.indexOf('>', at);
    if (close < 0) return undefined;
    uri = value.slice(at + 1, close);
    at = close + 1;
  } else {
    const from = at;
    while (at < value.length && !endsAddrSpec(value.charCodeAt(at))) at++;
    uri = value.slice(from, at);
    // RFC 3261 20.10: a URI with a question mark or a comma must be enclosed in angle brackets.
    if (uri.indexOf('?') >= 0) return undefined;
  }
  if (!isPlainUri(uri)) return undefined;
  const text = value.slice(start, at);
  const tag = parseParameters(value, at);
  return tag === undefined ? undefined : { text, uri, tag };
}

function isDisplayName(value: string, from: number, to: number): boolean {
  for (let at = from; at < to; ) {
    const code = value.charCodeAt(at);
    if (code === SP || code === TAB || code > 127) at++;
    else {
      const end = tokenEnd(value, at);
      if (end === at) return false;
      at = end;
    }
  }
  return true;
}

function endsAddrSpec(code: number): boolean {
  return code === SEMICOLON || code === COMMA || code === SP || code === TAB || code === LESS;
}

/** True for a text with a scheme and without blanks, brackets, quotes or control characters. */
export function isPlainUri(uri: string): boolean {
  const colon = uri.indexOf(':');
  if (colon < 1 || colon === uri.length - 1) return false;
  for (let at = 0; at < uri.length; at++) {
    const code = uri.charCodeAt(at);
    if (code <= SP || code === QUOTE || code === LESS || code === 62 || code >= 127) return false;
  }
  return tokenEnd(uri, 0) === colon;
}

/** Checks parameters from `from` to the end; answers the tag ('' when absent) or undefined when the grammar is broken. */
function parseParameters(value: string, from: number): string | undefined {
  let tag = '';
  let at = skipSpace(value, from);
  while (at < value.length) {
    if (value.charCodeAt(at) !== SEMICOLON) return undefined;
    at = skipSpace(value, at + 1);
    const nameEnd = tokenEnd(value, at);
    if (nameEnd === at) return undefined;
    const isTag = nameEnd - at === 3 && value.slice(at, nameEnd).toLowerCase() === 'tag';
    at = skipSpace(value, nameEnd);
    if (value.charCodeAt(at) === EQUAL) {
      at = skipSpace(value, at + 1);
      const end = value.charCodeAt(at) === QUOTE ? quotedEnd(value, at) : parameterValueEnd(value, at);
      if (end <= at) return undefined;
      if (isTag) tag = value.slice(at, end);
      at = skipSpace(value, end);
    }
  }
  return tag;
}

/** What routing needs of a SIP or SIPS URI. */
export interface SipUri {
  readonly scheme: 'sip' | 'sips';
  readonly user: string;
  /** Lower case; an IPv6 address without its brackets. */
  readonly host: string;
  readonly port: number | undefined;
  readonly transport: string | undefined;
  readonly maddr: string | undefined;
  readonly loose: boolean;
  /** True when `?headers` follow. */
  readonly headers: boolean;
}

/**
 * Reads a SIP or SIPS URI (RFC 3261 19.1).
 * @returns undefined when it is of another scheme or has no valid host
 */
export function parseSipUri(uri: string): SipUri | undefined {
  const colon = uri.indexOf(':');
  const scheme = uri.slice(0, colon).toLowerCase();
  if (scheme !== 'sip' && scheme !== 'sips') return undefined;
  const question = uri.indexOf('?', colon);
  // A question mark may stand in the user part, and so may a semicolon (RFC 4475 3.1.1.2, 3.1.1.9).
  const signAt = uri.lastIndexOf('@');
  let at = signAt > colon ? signAt + 1 : colon + 1;
  const user = signAt > colon ? uri.slice(colon + 1, signAt) : '';
  let host: string;
  if (uri.charAt(at) === '[') {
    const close = uri.indexOf(']', at);
    if (close < 0) return undefined;
    host = uri.slice(at + 1, close);
    at = close + 1;
  } else {
    const end = hostEnd(uri, at);
    host = uri.slice(at, end);
    at = end;
  }
  if (host === '') return undefined;
  let port: number | undefined;
  if (uri.charCodeAt(at) === COLON) {
    let end = at + 1;
    while (end < uri.length && uri.charCodeAt(end) >= 48 && uri.charCodeAt(end) <= 57) end++;
    port = digits(uri.slice(at + 1, end), 65535);
    if (port < 1) return undefined;
    at = end;
  }
  if (at < uri.length && uri.charAt(at) !== ';' && uri.charAt(at) !== '?') return undefined;
  const headersAt = question >= at ? question : uri.length;
  let transport: string | undefined;
  let maddr: string | undefined;
  let loose = false;
  if (uri.charAt(at) === ';') {
    for (const parameter of uri.slice(at + 1, headersAt).split(';')) {
      const equal = parameter.indexOf('=');
      const name = (equal < 0 ? parameter : parameter.slice(0, equal)).toLowerCase();
      if (name === 'lr') loose = true;
      else if (name === 'transport') transport = parameter.slice(equal + 1).toLowerCase();
      else if (name === 'maddr') maddr = parameter.slice(equal + 1).toLowerCase();
    }
  }
  return { scheme, user, host: host.toLowerCase(), port, transport, maddr, loose, headers: headersAt < uri.length };
}

/** A host for a URI, a Via or a listening address: IPv6 addresses get their brackets. */
export function bracketed(host: string): string {
  return host.indexOf(':') >= 0 && !host.startsWith('[') ? `[${host}]` : host;
}

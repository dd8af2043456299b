// The Via header field value (RFC 3261 20.42, 25.1) and what a server writes into it (RFC 3261 18.2.1, RFC 3581 4).
import { bracketed } from './address.ts';
import {
  COLON,
  digits,
  EQUAL,
  hostEnd,
  parameterValueEnd,
  QUOTE,
  quotedEnd,
  SEMICOLON,
  skipSpace,
  tokenEnd,
} from './grammar.ts';

/** One Via value. */
export interface Via {
  /** `SIP/2.0/UDP sent-by`, blanks normalised. */
  readonly head: string;
  /** Protocol version, `2.0`. */
  readonly version: string;
  /** Upper case: UDP, TCP, TLS, WS, WSS or something unknown. */
  readonly transport: string;
  /** Lower case; an IPv6 address without its brackets. */
  readonly host: string;
  readonly port: number | undefined;
  /** '' when absent. */
  readonly branch: string;
  /** True when the client asked for the response on the port it sent from. */
  readonly rport: boolean;
  /** The other parameters as written. */
  readonly others: readonly string[];
  /** False when something behind the sent-by breaks the grammar; the rest is then ignored. */
  readonly wellFormed: boolean;
}

/**
 * Reads one Via value.
 * @returns undefined when not even protocol and sent-by can be read, so that no answer can be addressed
 */
export function parseVia(value: string): Via | undefined {
  const nameEnd = tokenEnd(value, 0);
  let at = skipSpace(value, nameEnd);
  if (value.slice(0, nameEnd).toUpperCase() !== 'SIP' || value.charAt(at) !== '/') return undefined;
  at = skipSpace(value, at + 1);
  const versionEnd = tokenEnd(value, at);
  const version = value.slice(at, versionEnd);
  at = skipSpace(value, versionEnd);
  if (value.charAt(at) !== '/') return undefined;
  at = skipSpace(value, at + 1);
  const transportEnd = tokenEnd(value, at);
  const transport = value.slice(at, transportEnd).toUpperCase();
  if (transport === '') return undefined;
  at = skipSpace(value, transportEnd);
  let host: string;
  if (value.charAt(at) === '[') {
    const close = value.indexOf(']', at);
    if (close < 0) return undefined;
    host = value.slice(at + 1, close);
    at = close + 1;
  } else {
    const end = hostEnd(value, at);
    host = value.slice(at, end);
    at = end;
  }
  if (host === '') return undefined;
  at = skipSpace(value, at);
  let port: number | undefined;
  let wellFormed = version === '2.0';
  if (value.charCodeAt(at) === COLON) {
    at = skipSpace(value, at + 1);
    const end = tokenEnd(value, at);
    port = digits(value.slice(at, end), 65535);
    if (port < 1) return undefined;
    at = skipSpace(value, end);
  }
  const head = `SIP/${version}/${transport} ${bracketed(host)}${port === undefined ? '' : `:${port}`}`;
  const others: string[] = [];
  let branch = '';
  let rport = false;
  while (at < value.length) {
    const next = skipSpace(value, at + 1);
    const end = tokenEnd(value, next);
    if (value.charCodeAt(at) !== SEMICOLON || end === next) {
      wellFormed = false;
      break;
    }
    const name = value.slice(next, end);
    at = skipSpace(value, end);
    let content: string | undefined;
    if (value.charCodeAt(at) === EQUAL) {
      at = skipSpace(value, at + 1);
      const contentEnd = value.charCodeAt(at) === QUOTE ? quotedEnd(value, at) : parameterValueEnd(value, at);
      if (contentEnd <= at) {
        wellFormed = false;
        break;
      }
      content = value.slice(at, contentEnd);
      at = skipSpace(value, contentEnd);
    }
    const lower = name.toLowerCase();
    if (lower === 'branch') branch = content ?? '';
    else if (lower === 'rport') rport = true;
    else if (lower !== 'received') others.push(content === undefined ? name : `${name}=${content}`);
  }
  return { head, version, transport, host: host.toLowerCase(), port, branch, rport, others, wellFormed };
}

/**
 * The Via value with the source of the request filled in: `rport` when the client asked for it, and `received` when it did
 * or when the sent-by is another host (RFC 3261 18.2.1, RFC 3581 4).
 */
export function stampVia(via: Via, address: string, port: number): string {
  let text = via.head;
  if (via.rport) text += `;rport=${port}`;
  if (via.rport || via.host !== address) text += `;received=${address}`;
  if (via.branch !== '') text += `;branch=${via.branch}`;
  for (const parameter of via.others) text += `;${parameter}`;
  return text;
}

// The SIP parser: octets in, a message or a refusal out (RFC 3261 7, 25.1). Strict and linear: one pass over the head,
// bounded in octets, fields and value length, and never a thrown exception.
import { type Address, isPlainUri, parseAddress, parseSipUri } from './address.ts';
import { digits, isToken, splitValues, tokenEnd, unfold } from './grammar.ts';
import { headerName } from './header-names.ts';
import type { Field, SipMessage } from './message.ts';
import { parseVia, type Via } from './via.ts';

/** Octets of start line and header fields that are read; more is 513. */
export const HEAD_LIMIT = 32_768;
const FIELD_LIMIT = 200;
const VALUE_LIMIT = 8_192;
const CSEQ_LIMIT = 2 ** 31 - 1;

/** A request that cannot be processed but can be answered, or (status 0) a message to be dropped. */
export interface Unparsed {
  readonly kind: 'unparsed';
  readonly status: number;
  /** What is wrong, for the reason phrase. */
  readonly cause: string;
  /** Header fields that the answer repeats; only when status is not 0. */
  readonly fields: readonly Field[];
  readonly via: Via | undefined;
}

/** Start line and header fields before the body is known. */
export interface Head {
  readonly startLine: string;
  readonly fields: readonly Field[];
  /** Octets of the body as declared, or undefined when there is no Content-Length. */
  readonly contentLength: number | undefined;
  /** The first thing found wrong, '' when nothing is. */
  readonly wrong: string;
  readonly status: number;
  /** Octets up to and including the empty line. */
  readonly size: number;
}

/**
 * Reads one message from a datagram: octets behind Content-Length are noise (RFC 3261 18.3).
 * @param octets the whole datagram
 */
export function parseDatagram(octets: Buffer): SipMessage | Unparsed {
  let start = 0;
  // RFC 3261 7.5: empty lines before the start line are ignored.
  while (octets[start] === 13 && octets[start + 1] === 10) start += 2;
  const end = octets.indexOf('\r\n\r\n', start, 'latin1');
  if (end < 0) return finish(readHead(octets, start, octets.length, 'no empty line behind the header'), '');
  const head = readHead(octets, start, end, '');
  const length = head.contentLength ?? octets.length - end - 4;
  const available = octets.length - end - 4;
  const cut = available < length ? 'Content-Length is larger than the body' : '';
  return finish(head, octets.toString('latin1', end + 4, end + 4 + Math.min(length, available)), cut);
}

/**
 * Reads start line and header fields.
 * @param end index of the CRLF CRLF that ends them
 * @param fault something that is already known to be wrong, or ''
 */
export function readHead(octets: Buffer, start: number, end: number, fault: string): Head {
  let wrong = fault;
  let status = 400;
  let stop = end;
  if (end - start > HEAD_LIMIT) {
    wrong ||= 'header too large';
    status = 513;
    stop = Math.max(start, octets.lastIndexOf('\r\n', start + HEAD_LIMIT, 'latin1'));
  }
  const blanks = scanOctets(octets, start, stop);
  if (blanks === 'broken') return { startLine: '', fields: [], contentLength: undefined, wrong, status: 0, size: 0 };
  const text = octets.toString('latin1', start, stop);
  let lineEnd = text.indexOf('\r\n');
  if (lineEnd < 0) lineEnd = text.length;
  const startLine = text.slice(0, lineEnd);
  const fields: Field[] = [];
  let seen = 0;
  let contentLength: number | undefined;
  let at = lineEnd + 2;
  while (at < text.length) {
    let eol = text.indexOf('\r\n', at);
    while (eol >= 0 && isBlank(text.charCodeAt(eol + 2))) eol = text.indexOf('\r\n', eol + 2);
    if (eol < 0) eol = text.length;
    if (fields.length >= FIELD_LIMIT) {
      wrong ||= 'too many header fields';
      break;
    }
    const nameEnd = tokenEnd(text, at);
    let colon = nameEnd;
    while (isBlank(text.charCodeAt(colon))) colon++;
    if (nameEnd === at || text.charCodeAt(colon) !== 58) {
      wrong ||= 'a line is not a header field';
      fields.push({ key: '', name: '', value: '' });
      at = eol + 2;
      continue;
    }
    const known = headerName(text.slice(at, nameEnd));
    let value = text.slice(colon + 1, eol).trim();
    if (value.length > VALUE_LIMIT) {
      wrong ||= `${known.name} is too long`;
      value = '';
    }
    if (blanks === 'some') {
      const clean = unfold(value);
      if (clean === undefined) wrong ||= `${known.name} holds a control character`;
      value = clean ?? '';
    }
    if (known.once !== 0) {
      if ((seen & known.once) !== 0) wrong ||= `more than one ${known.name}`;
      seen |= known.once;
      if (known.key === 'content-length') {
        contentLength = digits(value, 2 ** 31);
        if (contentLength < 0) {
          wrong ||= 'invalid Content-Length';
          contentLength = undefined;
        }
      }
    }
    addField(fields, known.key, known.name, value);
    at = eol + 2;
  }
  return { startLine, fields, contentLength, wrong, status, size: end + 4 - start };
}

function addField(fields: Field[], key: string, name: string, value: string): void {
  const list = key === 'via' || key === 'route' || key === 'record-route';
  if (!list || value.indexOf(',') < 0) {
    fields.push({ key, name, value });
    return;
  }
  for (const part of splitValues(value)) fields.push({ key, name, value: part });
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

/** One look at every octet: 'none' when no value needs unfolding, 'broken' when line ends are not CRLF. */
function scanOctets(octets: Buffer, start: number, end: number): 'none' | 'some' | 'broken' {
  let blanks = false;
  for (let at = start; at < end; at++) {
    const code = octets[at] ?? 0;
    if (code > 32 && code !== 127) continue;
    if (code === 32) {
      if (octets[at + 1] === 32) blanks = true;
    } else if (code === 13) {
      if (octets[at + 1] !== 10) return 'broken';
      const next = octets[at + 2];
      if (next === 32 || next === 9) blanks = true;
      at++;
    } else if (code === 10) return 'broken';
    else blanks = true;
  }
  return blanks ? 'some' : 'none';
}

/** Puts head and body together and checks what every element needs before it may process the message (RFC 3261 8.1.1). */
export function finish(head: Head, body: string, fault = ''): SipMessage | Unparsed {
  const { fields, startLine } = head;
  let wrong = head.wrong || fault;
  let status = head.status;
  const response = startLine.startsWith('SIP/');
  let via: Via | undefined;
  let vias = 0;
  let from: Address | undefined;
  let to: Address | undefined;
  let callId = '';
  let cseqText = '';
  for (const { key, value } of fields) {
    switch (key) {
      case 'via':
        if (vias === 0) via = parseVia(value);
        vias++;
        break;
      case 'from':
        from ??= parseAddress(value);
        if (from === undefined) wrong ||= 'invalid From';
        break;
      case 'to':
        to ??= parseAddress(value);
        if (to === undefined) wrong ||= 'invalid To';
        break;
      case 'call-id':
        callId ||= value;
        wrong ||= wrongField(key, value);
        break;
      case 'cseq':
        cseqText ||= value;
        break;
      default:
        wrong ||= wrongField(key, value);
    }
  }
  if (from === undefined) wrong ||= 'no From';
  if (to === undefined) wrong ||= 'no To';
  if (callId === '') wrong ||= 'no Call-ID';
  const blank = cseqText.indexOf(' ');
  const cseq = digits(cseqText.slice(0, blank < 0 ? 0 : blank), CSEQ_LIMIT);
  const cseqMethod = cseqText.slice(blank + 1);
  if (cseq < 0 || !isToken(cseqMethod)) wrong ||= cseqText === '' ? 'no CSeq' : 'invalid CSeq';
  const size = head.size + body.length;

  if (response) {
    const code = digits(startLine.slice(8, 11), 699);
    if (wrong || !via?.wellFormed || !from || !to) return DROPPED;
    if (!startLine.startsWith('SIP/2.0 ') || code < 100 || startLine.charCodeAt(11) !== 32) return DROPPED;
    const reason = startLine.slice(12);
    return {
      kind: 'response',
      status: code,
      reason,
      cseqMethod,
      vias,
      fields,
      body,
      size,
      via,
      from,
      to,
      callId,
      cseq,
    };
  }
  if (via === undefined) return DROPPED;

  const methodEnd = tokenEnd(startLine, 0);
  const method = startLine.slice(0, methodEnd);
  const versionAt = startLine.lastIndexOf(' ');
  const uri = startLine.slice(methodEnd + 1, versionAt);
  const version = startLine.slice(versionAt + 1);
  if (status === 400 && /^SIP\/\d+\.\d+$/i.test(version.slice(0, 20)) && version.toUpperCase() !== 'SIP/2.0') {
    wrong = 'only SIP/2.0';
    status = 505;
  }
  if (method === '' || startLine.charCodeAt(methodEnd) !== 32 || !isRequestUri(uri)) wrong ||= 'invalid Request-Line';
  if (version.toUpperCase() !== 'SIP/2.0') wrong ||= 'invalid SIP version';
  if (!via.wellFormed) wrong ||= 'invalid Via';
  if (method !== cseqMethod) wrong ||= 'CSeq names another method';
  if (wrong || status === 0 || !from || !to) {
    // An ACK is never answered (RFC 3261 17).
    if (method === 'ACK' || status === 0) return DROPPED;
    return { kind: 'unparsed', status, cause: wrong, fields, via };
  }
  return { kind: 'request', method, uri, fields, body, size, via, from, to, callId, cseq };
}

/** What is wrong with the value of a field that decides where messages go or for how long, '' when nothing is. */
export function wrongField(key: string, value: string): string {
  switch (key) {
    case 'call-id':
      return isCallId(value) ? '' : 'invalid Call-ID';
    case 'contact':
      return value === '*' || splitValues(value).every((part) => parseAddress(part) !== undefined)
        ? ''
        : 'invalid Contact';
    case 'max-forwards':
      return digits(value, 255) < 0 ? 'invalid Max-Forwards' : '';
    case 'expires':
      return digits(value, Number.MAX_VALUE) < 0 ? 'invalid Expires' : '';
    default:
      return '';
  }
}

const DROPPED: Unparsed = { kind: 'unparsed', status: 0, cause: 'dropped', fields: [], via: undefined };

function isRequestUri(uri: string): boolean {
  if (!isPlainUri(uri)) return false;
  const scheme = uri.slice(0, 5).toLowerCase();
  if (!scheme.startsWith('sip:') && scheme !== 'sips:') return true;
  // RFC 3261 19.1.1 table 1: a Request-URI has no header components.
  return parseSipUri(uri)?.headers === false;
}

function isCallId(value: string): boolean {
  if (value === '') return false;
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    // '|' would break the control protocol's fields and is no word character (RFC 3261 25.1).
    if (code <= 32 || code >= 127 || code === 124 || code === 44 || code === 59) return false;
  }
  return true;
}

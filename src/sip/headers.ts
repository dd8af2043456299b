// Header fields as the SIP face reads them: compact names known, values scanned once from left to right, because the
// parsers that drachtio-srf brings back-track on hostile values.
import { parseAddress } from './engine/address.ts';
import {
  digits,
  EQUAL,
  parameterValueEnd,
  QUOTE,
  quotedEnd,
  SEMICOLON,
  skipSpace,
  splitValues,
  tokenEnd,
} from './engine/grammar.ts';

/** Header fields by lower-case name, values of repeated fields joined with commas. */
export type HeaderFields = Readonly<Record<string, string | undefined>>;

// RFC 3261 7.3.3, RFC 6665 8.2: a real drachtio-server passes these on as they came.
const compact: Readonly<Record<string, string>> = {
  event: 'o',
  'allow-events': 'u',
  'content-type': 'c',
  'content-encoding': 'e',
  contact: 'm',
  from: 'f',
  to: 't',
  'call-id': 'i',
  supported: 'k',
};

/**
 * Value of a header field, looked for under its full and its compact name.
 * @param name lower-case full name
 * @returns the trimmed value, or undefined when the field is absent
 */
export function hdr(headers: HeaderFields, name: string): string | undefined {
  const own = Object.hasOwn(headers, name) ? headers[name] : undefined;
  const short = compact[name];
  const value = own ?? (short !== undefined && Object.hasOwn(headers, short) ? headers[short] : undefined);
  return value?.trim();
}

/** A value with parameters: an event type, a media type, a token of an Accept list. */
export interface ParameterisedValue {
  /** As written, without white space around it. */
  readonly value: string;
  /** Names in lower case; quoted values without quotes; a parameter without value is ''. */
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * Reads `value *(;name[=value])`, RFC 3261 clause 25.1.
 * @returns undefined when the grammar is broken or a parameter is repeated
 */
export function parseParameterised(text: string): ParameterisedValue | undefined {
  const semicolon = text.indexOf(';');
  const value = (semicolon < 0 ? text : text.slice(0, semicolon)).trim();
  if (value === '' || /[\s,"]/.test(value)) return undefined;
  const parameters = new Map<string, string>();
  let at = semicolon < 0 ? text.length : semicolon;
  while (at < text.length) {
    if (text.charCodeAt(at) !== SEMICOLON) return undefined;
    at = skipSpace(text, at + 1);
    const nameEnd = tokenEnd(text, at);
    const name = text.slice(at, nameEnd).toLowerCase();
    if (name === '' || parameters.has(name)) return undefined;
    at = skipSpace(text, nameEnd);
    let parameter = '';
    if (text.charCodeAt(at) === EQUAL) {
      at = skipSpace(text, at + 1);
      const quoted = text.charCodeAt(at) === QUOTE;
      const end = quoted
        ? quotedEnd(text, at)
        : name === 'boundary'
          ? boundaryEnd(text, at)
          : parameterValueEnd(text, at);
      if (end <= at) return undefined;
      parameter = quoted ? text.slice(at + 1, end - 1).replace(/\\(.)/g, '$1') : text.slice(at, end);
      at = skipSpace(text, end);
    }
    parameters.set(name, parameter);
  }
  return { value, parameters };
}

/** RFC 2046 5.1.1 wants a boundary quoted that is no token; not everybody does it, and what is meant is plain. */
function boundaryEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && /[0-9A-Za-z'()+_\-./:=?]/.test(text.charAt(at))) at++;
  return at;
}

/**
 * Whether an Accept field lets this media type through. Absent means the default of the event package; empty, that nothing is acceptable
 * (RFC 3261 clause 20.1). Of ranges (`application/*`, `*` + `/*`) and the type itself the most specific decides; `q=0` there says no.
 */
export function accepts(accept: string | undefined, mediaType: string): boolean {
  if (accept === undefined) return true;
  const ranges = ['*/*', `${mediaType.slice(0, mediaType.indexOf('/'))}/*`, mediaType];
  const wanted = ranges.map(() => 0);
  let most = -1;
  for (const item of splitValues(accept)) {
    const parsed = parseParameterised(item);
    const place = parsed === undefined ? -1 : ranges.indexOf(parsed.value.toLowerCase());
    if (parsed === undefined || place < 0) continue;
    most = Math.max(most, place);
    wanted[place] = Math.max(wanted[place] ?? 0, Number(parsed.parameters.get('q') ?? '1'));
  }
  return (wanted[most] ?? 0) > 0;
}

/** Tokens of a comma separated field such as Require, in lower case; empty when the field is absent. */
export function tokenList(value: string | undefined): readonly string[] {
  if (value === undefined) return [];
  return splitValues(value)
    .map((token) => token.trim().toLowerCase())
    .filter((token) => token !== '');
}

/**
 * Reads a delta-seconds value as an unsigned 32 bit number; larger ones count as the largest (RFC 3261 clause 20.19).
 * @returns undefined when the text is no number
 */
export function deltaSeconds(text: string): number | undefined {
  if (!/^\d{1,40}$/.test(text)) return undefined;
  const value = digits(text, 0xffff_ffff);
  return value < 0 ? 0xffff_ffff : value;
}

/** The `tag` of a From or To value; '' when there is none or the value is broken. */
export function tagOf(value: string | undefined): string {
  return value === undefined ? '' : (parseAddress(value)?.tag ?? '');
}

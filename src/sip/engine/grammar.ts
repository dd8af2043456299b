// The lexical ground of SIP (RFC 3261 clause 25.1): tokens, linear white space, quoted strings, scanned by index in
// one direction so that no input can make the work grow faster than its length.

const TOKEN = table("-.!%*_+`'~");
const HOST = table('-._');
const PARAMETER_VALUE = table("-.!%*_+`'~[]:");

/** Character codes that the scanners compare with. */
export const SP = 32;
export const TAB = 9;
export const QUOTE = 34;
export const COMMA = 44;
export const COLON = 58;
export const SEMICOLON = 59;
export const LESS = 60;
export const EQUAL = 61;
const GREATER = 62;
const BACKSLASH = 92;

function table(marks: string): Uint8Array {
  const codes = new Uint8Array(256);
  for (let code = 48; code < 58; code++) codes[code] = 1;
  for (let code = 65; code < 91; code++) codes[code] = codes[code + 32] = 1;
  for (let index = 0; index < marks.length; index++) codes[marks.charCodeAt(index)] = 1;
  return codes;
}

function runEnd(codes: Uint8Array, text: string, from: number): number {
  let at = from;
  while (at < text.length && codes[text.charCodeAt(at)] === 1) at++;
  return at;
}

/** Index behind the longest token that starts at `from` (`from` itself when there is none). */
export function tokenEnd(text: string, from: number): number {
  return runEnd(TOKEN, text, from);
}

/** Index behind the longest host name or IPv4 address that starts at `from`. */
export function hostEnd(text: string, from: number): number {
  return runEnd(HOST, text, from);
}

/** Index behind the longest unquoted parameter value (token or host, RFC 3261 25.1 gen-value) that starts at `from`. */
export function parameterValueEnd(text: string, from: number): number {
  return runEnd(PARAMETER_VALUE, text, from);
}

/** True when the whole text is one token. */
export function isToken(text: string): boolean {
  return text.length > 0 && tokenEnd(text, 0) === text.length;
}

/** Index of the first character at or behind `from` that is neither space nor tab. */
export function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code !== SP && code !== TAB) break;
    at++;
  }
  return at;
}

/** Index behind the quoted string that opens at `from`, or -1 when it is not closed. */
export function quotedEnd(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return at + 1;
  }
  return -1;
}

/**
 * Value of a run of decimal digits that fills the whole text, leading zeros allowed.
 * @param most the largest value accepted
 * @returns the number, or -1 when the text is something else or the value is larger than `most`
 */
export function digits(text: string, most: number): number {
  if (text.length === 0) return -1;
  let value = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
    if (value > most) return -1;
  }
  return value;
}

/**
 * Splits a header field value at the commas that stand outside quoted strings and angle brackets (RFC 3261 7.3.1).
 * @returns the trimmed parts; an empty part is kept so that the caller can refuse it
 */
export function splitValues(value: string): string[] {
  if (value.indexOf(',') < 0) return [value];
  const parts: string[] = [];
  let start = 0;
  let bracketed = false;
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code === QUOTE && !bracketed) {
      const end = quotedEnd(value, at);
      if (end < 0) break;
      at = end - 1;
    } else if (code === LESS) bracketed = true;
    else if (code === GREATER) bracketed = false;
    else if (code === COMMA && !bracketed) {
      parts.push(value.slice(start, at).trim());
      start = at + 1;
    }
  }
  parts.push(value.slice(start).trim());
  return parts;
}

/**
 * Unfolds a header field value: every run of line ends, spaces and tabs outside quoted strings becomes one space
 * (RFC 3261 7.3.1); inside them only folds do.
 * @returns the value, or undefined when it holds a control character that is not a quoted pair
 */
export function unfold(value: string): string | undefined {
  let out = '';
  let copied = 0;
  let quoted = false;
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code === QUOTE) quoted = !quoted;
    else if (code === BACKSLASH && quoted) {
      at++;
      const next = value.charCodeAt(at);
      if (next === 13 || next === 10) return undefined;
    } else if (code <= SP || code === 127) {
      let end = at;
      let folded = false;
      while (end < value.length && isSpaceOrLineEnd(value.charCodeAt(end))) {
        if (value.charCodeAt(end) === 13) folded = true;
        end++;
      }
      if (end === at) return undefined;
      if (!quoted || folded) {
        out += `${value.slice(copied, at)} `;
        copied = end;
      }
      at = end - 1;
    }
  }
  return copied === 0 ? value : out + value.slice(copied);
}

function isSpaceOrLineEnd(code: number): boolean {
  return code === SP || code === TAB || code === 13 || code === 10;
}

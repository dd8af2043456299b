// Canonical form of MC service IDs, group IDs and PSIs, so that equal identities are equal strings.
// RFC 3261 clause 19.1.4 and RFC 4826 clause 5.
import { isIPv6 } from 'node:net';

// RFC 3261 25.1: unreserved and user-unreserved, and the colon before a password
const plainInUser = /[A-Za-z0-9\-_.!~*'()&=+$,;?/:]/;
// RFC 3261 25.1: unreserved and param-unreserved, and the sign between name and value
const plainInParameter = /[A-Za-z0-9\-_.!~*'()[\]/:&+$=]/;
const hostName = /^[a-z0-9_]([a-z0-9._-]*[a-z0-9_.])?$/;
const badEscape = /%(?![0-9A-Fa-f]{2})/;

/** What most identities look like; such a text is canonical as it stands. */
const plainIdentity = /^sips?:[A-Za-z0-9._-]+@[a-z0-9]+(?:[.-][a-z0-9]+)*$/;

/** Longest text taken for a URI, characters. */
const longestUri = 4096;

/**
 * Canonical form of a SIP, SIPS or TEL URI: lower-case scheme, host and parameters, parameters sorted by name, needless
 * percent-encoding undone and missing percent-encoding added, headers dropped. Other URIs come back unchanged but for the case of
 * their scheme. Returns undefined when the text is no URI, or a SIP URI whose host could be read in two ways.
 */
export function canonicalUri(text: string): string | undefined {
  if (text.length > longestUri) return undefined;
  if (plainIdentity.test(text)) return text;
  const trimmed = text.trim();
  const colon = trimmed.indexOf(':');
  if (colon < 1 || colon === trimmed.length - 1 || /[\s"<>\p{Cc}\p{Cs}]/u.test(trimmed)) return undefined;
  const scheme = trimmed.slice(0, colon).toLowerCase();
  const rest = trimmed.slice(colon + 1);
  if (scheme === 'sip' || scheme === 'sips') return canonicalSip(scheme, rest);
  if (scheme === 'tel') return canonicalTel(rest);
  return /^[a-z][a-z0-9+.-]*$/.test(scheme) ? `${scheme}:${rest}` : undefined;
}

/** The lower-case host of a canonical SIP URI; undefined for `tel:` and others, which have no domain. */
export function uriDomain(canonical: string): string | undefined {
  if (!/^sips?:/.test(canonical)) return undefined;
  const from = Math.max(canonical.lastIndexOf('@'), canonical.indexOf(':')) + 1;
  const host = /^(\[[^\]]*\]|[^:;?]*)/.exec(canonical.slice(from))?.[1];
  return host === '' ? undefined : host;
}

/**
 * True when `pattern`, in which `*` stands for any run of characters, covers the whole canonical URI. A pattern without `*` is
 * compared in canonical form; in one with `*` the scheme and what follows the `@` match whatever their case.
 */
export function matchesPattern(pattern: string, canonical: string): boolean {
  if (!pattern.includes('*')) return (canonicalUri(pattern) ?? pattern) === canonical;
  const pieces = foldedPattern(pattern).split('*');
  const first = pieces[0] ?? '';
  const last = pieces.at(-1) ?? '';
  if (!canonical.startsWith(first)) return false;
  let position = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = canonical.indexOf(piece, position);
    if (found < 0) return false;
    position = found + piece.length;
  }
  return canonical.length - last.length >= position && canonical.endsWith(last);
}

function foldedPattern(pattern: string): string {
  const folded = pattern.replace(/^[A-Za-z][A-Za-z0-9+.-]*:/, (scheme) => scheme.toLowerCase());
  const at = folded.lastIndexOf('@');
  return at < 0 ? folded : folded.slice(0, at) + folded.slice(at).toLowerCase();
}

function canonicalSip(scheme: string, rest: string): string | undefined {
  const at = rest.indexOf('@');
  // RFC 3261 25.1: a raw `@` stands once at most; with two, readers would disagree about the host
  if (at !== rest.lastIndexOf('@') || badEscape.test(rest)) return undefined;
  const user = at < 0 ? undefined : recode(rest.slice(0, at), plainInUser, ':');
  if (user === '') return undefined;
  const afterUser = rest.slice(at + 1);
  const question = afterUser.indexOf('?');
  const [hostPort = '', ...parameters] = (question < 0 ? afterUser : afterUser.slice(0, question)).split(';');
  const host = canonicalHost(hostPort.toLowerCase());
  if (host === undefined) return undefined;
  return `${scheme}:${user === undefined ? '' : `${user}@`}${host}${canonicalParameters(parameters)}`;
}

function canonicalHost(hostPort: string): string | undefined {
  const [, host = '', port] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(hostPort) ?? [];
  const valid = host.startsWith('[') ? isIPv6(host.slice(1, -1)) : hostName.test(host) && !host.includes('..');
  if (!valid || Number(port ?? 0) > 65535) return undefined;
  return port === undefined ? host : `${host}:${Number(port)}`;
}

function canonicalParameters(parameters: readonly string[]): string {
  return parameters
    .filter((parameter) => parameter !== '')
    .map((parameter) => {
      const [name = '', ...value] = recode(parameter, plainInParameter, '=').toLowerCase().split('=');
      return { name, text: value.length === 0 ? name : `${name}=${value.join('=')}` };
    })
    .sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0))
    .map((parameter) => `;${parameter.text}`)
    .join('');
}

// RFC 4826 5: exactly what the grammar of the part does not allow is percent-encoded. A `separator` that arrives encoded stays so:
// it is not the one that separates a password or a value.
function recode(text: string, plain: RegExp, separator: string): string {
  if (!/[^A-Za-z0-9\-_.:;=+]/.test(text)) return text;
  return text.replace(/%([0-9A-Fa-f]{2})|./gsu, (unit, hex: string | undefined) => {
    if (hex === undefined) return plain.test(unit) ? unit : encodeURIComponent(unit);
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return character !== separator && plain.test(character) ? character : unit.toUpperCase();
  });
}

function canonicalTel(rest: string): string | undefined {
  const [number = '', ...parameters] = rest.split(';');
  const digits = withoutSeparators(number);
  // RFC 3966 3: a global number has digits only, a local one also A to F, * and #
  if (!/^(\+[0-9]+|[0-9a-f*#]+)$/.test(digits)) return undefined;
  const sorted = parameters
    .filter((parameter) => parameter !== '')
    .map((parameter) => parameter.toLowerCase().replace(/^(ext=|phone-context=\+)(.*)$/, canonicalDigits))
    .sort();
  return `tel:${digits}${sorted.map((parameter) => `;${parameter}`).join('')}`;
}

function canonicalDigits(_all: string, name: string, digits: string): string {
  return name + withoutSeparators(digits);
}

// RFC 3966 4: visual separators do not count in comparisons
function withoutSeparators(digits: string): string {
  return digits.replace(/[-.()]/g, '').toLowerCase();
}

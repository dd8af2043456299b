// Values of X-3GPP-Asserted-Identity (TS 24.109) and P-Asserted-Identity (RFC 3325 clause 9.1): lists of identities that a trusted
// element vouches for, quoted, bare or as name-addr.
import { canonicalUri } from './uri.ts';

/** More identities than this in one request are no honest assertion. */
const mostIdentities = 16;
const longestValue = 8192;

/**
 * The canonical identities named by one or more header field values, in order and without repetition. Each value is a comma
 * separated list of `"uri"`, `uri`, `<uri>` or `"display name" <uri>`. Returns undefined when any part is malformed, since half of an
 * assertion must not be believed.
 */
export function parseAssertedIdentity(values: readonly string[]): readonly string[] | undefined {
  const identities: string[] = [];
  for (const value of values) {
    if (value.length > longestValue) return undefined;
    for (const item of splitList(value) ?? ['']) {
      const identity = parseItem(item);
      if (identity === undefined || identities.length === mostIdentities) return undefined;
      if (!identities.includes(identity)) identities.push(identity);
    }
  }
  return identities.length === 0 ? undefined : identities;
}

/**
 * The canonical identities that P-Asserted-Identity names in a SIP request: one, or a SIP or SIPS URI and a TEL URI (RFC 3325 clause 9.1).
 * Returns undefined for everything else, and when any part is malformed.
 */
export function parseSipAssertedIdentity(values: readonly string[]): readonly string[] | undefined {
  const identities = parseAssertedIdentity(values);
  if (identities === undefined || identities.length === 0) return undefined;
  const written = values.flatMap((value) => splitList(value) ?? []).length;
  const numbers = identities.filter((identity) => identity.startsWith('tel:')).length;
  if (written > 2 || (written === 2 && (identities.length !== 2 || numbers !== 1))) return undefined;
  return identities;
}

// RFC 9110 5.6.1: a recipient ignores empty list elements
function splitList(value: string): readonly string[] | undefined {
  const items: string[] = [];
  let from = 0;
  let quoted = false;
  let angled = false;
  for (let at = 0; at < value.length; at++) {
    const character = value[at];
    if (quoted) {
      if (character === '\\') at++;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = !angled;
    else if (character === '<') angled = true;
    else if (character === '>') angled = false;
    else if (character === ',' && !angled) {
      items.push(value.slice(from, at).trim());
      from = at + 1;
    }
  }
  if (quoted || angled) return undefined;
  items.push(value.slice(from).trim());
  return items.filter((item) => item !== '');
}

function parseItem(item: string): string | undefined {
  if (item.endsWith('>')) return parseNameAddr(item);
  if (item.startsWith('"')) return /^"[^"\\]*"$/.test(item) ? canonicalUri(item.slice(1, -1)) : undefined;
  return canonicalUri(item);
}

// RFC 3261 25.1: name-addr, whose display name is a quoted string or a row of tokens
function parseNameAddr(item: string): string | undefined {
  const angle = item.lastIndexOf('<');
  const displayName = item.slice(0, angle).trim();
  if (angle < 0 || !/^("([^"\\]|\\.)*"|[A-Za-z0-9\-.!%*_+`'~ \t]*)$/s.test(displayName)) return undefined;
  return canonicalUri(item.slice(angle + 1, -1));
}

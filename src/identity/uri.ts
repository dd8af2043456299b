// Canonical form of MC service IDs, group IDs and PSIs, so that equal identities are equal strings.
// RFC 3261 clause 19.1.4 and RFC 4826 clause 5.

const unreservedInUser = /[A-Za-z0-9\-_.!~*'()&=+$,;?/]/;

/**
 * Canonical form of a SIP, SIPS or TEL URI: lower-case scheme, host and parameters, parameters sorted, needless percent-encoding
 * undone, headers dropped. Other URIs come back unchanged but for the case of their scheme.
 * Returns undefined when the text is no URI at all.
 */
export function canonicalUri(text: string): string | undefined {
  const trimmed = text.trim();
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):(.+)$/.exec(trimmed);
  if (match === null || /[\s"<>\u0000-\u001f\u007f]/.test(trimmed)) return undefined;
  const scheme = (match[1] ?? '').toLowerCase();
  const rest = match[2] ?? '';
  if (scheme === 'sip' || scheme === 'sips') return canonicalSip(scheme, rest);
  if (scheme === 'tel') return canonicalTel(rest);
  return `${scheme}:${rest}`;
}

/** The lower-case host of a canonical SIP URI; undefined for `tel:` and others, which have no domain. */
export function uriDomain(canonical: string): string | undefined {
  if (!/^sips?:/.test(canonical)) return undefined;
  const afterUser = canonical.slice(canonical.lastIndexOf('@') + 1).replace(/^sips?:/, '');
  const host = /^(\[[^\]]*\]|[^:;?]*)/.exec(afterUser)?.[1];
  return host === '' ? undefined : host;
}

/** True when `pattern`, in which `*` stands for any run of characters, covers the whole canonical URI. Linear in both lengths. */
export function matchesPattern(pattern: string, canonical: string): boolean {
  const pieces = pattern.split('*');
  const first = pieces[0] ?? '';
  if (pieces.length === 1) return (canonicalUri(pattern) ?? pattern) === canonical;
  if (!canonical.startsWith(first)) return false;
  let position = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = canonical.indexOf(piece, position);
    if (found < 0) return false;
    position = found + piece.length;
  }
  const last = pieces.at(-1) ?? '';
  return canonical.length - last.length >= position && canonical.endsWith(last);
}

function canonicalSip(scheme: string, rest: string): string | undefined {
  const withoutHeaders = cutAfterUser(rest, '?');
  const at = withoutHeaders.lastIndexOf('@');
  const user = at < 0 ? '' : canonicalUser(withoutHeaders.slice(0, at));
  const [hostPort = '', ...parameters] = withoutHeaders.slice(at + 1).split(';');
  if (user === undefined || hostPort === '') return undefined;
  const sorted = parameters
    .filter((parameter) => parameter !== '')
    .map((parameter) => parameter.toLowerCase())
    .sort();
  const tail = sorted.map((parameter) => `;${parameter}`).join('');
  return `${scheme}:${at < 0 ? '' : `${user}@`}${hostPort.toLowerCase()}${tail}`;
}

// RFC 3261 25.1: `?` and `;` may stand in a user part, so headers are looked for behind the last `@`.
function cutAfterUser(rest: string, mark: string): string {
  const from = rest.lastIndexOf('@') + 1;
  const found = rest.indexOf(mark, from);
  return found < 0 ? rest : rest.slice(0, found);
}

function canonicalUser(user: string): string | undefined {
  if (user === '' || /%(?![0-9A-Fa-f]{2})/.test(user)) return undefined;
  return user.replace(/%([0-9A-Fa-f]{2})/g, (escaped, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return unreservedInUser.test(character) ? character : escaped.toUpperCase();
  });
}

function canonicalTel(rest: string): string | undefined {
  const [number = '', ...parameters] = rest.split(';');
  // RFC 3966 5: visual separators do not count in comparisons
  const digits = number.replace(/[-.()]/g, '').toLowerCase();
  if (!/^\+?[0-9a-f*#]+$/.test(digits)) return undefined;
  const sorted = parameters.map((parameter) => parameter.toLowerCase()).sort();
  return `tel:${digits}${sorted.map((parameter) => `;${parameter}`).join('')}`;
}

// Header field names: compact forms, the canonical spelling and which fields may occur only once
// (RFC 3261 7.3.3 and 20; RFC 6665, RFC 3841, RFC 3515, RFC 3892, RFC 4028, RFC 4474, RFC 8224 for the later letters).

/** What the parser knows of a header field name. */
export interface HeaderName {
  /** Lower case; what fields are compared by. */
  readonly key: string;
  /** Spelling for the wire. */
  readonly name: string;
  /** Bit of a field that must not be repeated, 0 for others. */
  readonly once: number;
}

const COMPACT: Readonly<Record<string, string>> = {
  a: 'Accept-Contact',
  b: 'Referred-By',
  c: 'Content-Type',
  d: 'Request-Disposition',
  e: 'Content-Encoding',
  f: 'From',
  i: 'Call-ID',
  j: 'Reject-Contact',
  k: 'Supported',
  l: 'Content-Length',
  m: 'Contact',
  n: 'Identity-Info',
  o: 'Event',
  r: 'Refer-To',
  s: 'Subject',
  t: 'To',
  u: 'Allow-Events',
  v: 'Via',
  x: 'Session-Expires',
  y: 'Identity',
};

const ONCE = [
  'From',
  'To',
  'Call-ID',
  'CSeq',
  'Content-Length',
  'Max-Forwards',
  'Content-Type',
  'Expires',
  'Event',
  'Subscription-State',
  'Min-Expires',
  'Retry-After',
];

const OTHERS = [
  ...['Accept', 'Accept-Encoding', 'Accept-Language', 'Allow', 'Authorization', 'Contact', 'Content-Disposition'],
  ...['Date', 'MIME-Version', 'Organization', 'P-Access-Network-Info', 'P-Asserted-Identity', 'P-Asserted-Service'],
  ...['P-Charging-Vector', 'P-Preferred-Identity', 'P-Preferred-Service', 'Path', 'Priority', 'Privacy'],
  ...['Proxy-Authenticate', 'Proxy-Authorization', 'Proxy-Require', 'Reason', 'Record-Route', 'Require', 'Route'],
  ...['RSeq', 'Server', 'SIP-ETag', 'SIP-If-Match', 'Suppress-If-Match', 'Timestamp', 'Unsupported', 'User-Agent'],
  ...['Via', 'Warning', 'WWW-Authenticate', ...Object.values(COMPACT)],
];

const known = new Map<string, HeaderName>();
for (const name of [...OTHERS, ...ONCE]) {
  const entry = { key: name.toLowerCase(), name, once: ONCE.includes(name) ? 1 << ONCE.indexOf(name) : 0 };
  known.set(name, entry).set(entry.key, entry).set(name.toUpperCase(), entry);
}
for (const [letter, name] of Object.entries(COMPACT)) {
  const entry = known.get(name);
  if (entry) known.set(letter, entry).set(letter.toUpperCase(), entry);
}

/**
 * What is known of a header field name, compact forms expanded.
 * @param name a token in any spelling
 */
export function headerName(name: string): HeaderName {
  const entry = known.get(name);
  if (entry) return entry;
  const key = name.toLowerCase();
  return known.get(key) ?? { key, name, once: 0 };
}

/**
 * The spelling for the wire of a name that an application wrote in lower case: `subscription-state` becomes
 * `Subscription-State`; names with capitals and `x-` names stay as they are.
 */
export function wireName(name: string): string {
  const entry = known.get(name);
  if (entry) return entry.name;
  if (name.startsWith('x-') || name !== name.toLowerCase()) return name;
  return name
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('-');
}

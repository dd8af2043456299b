// The one table of protocol refusals: condition -> stable code -> HTTP status -> xcap-error element -> phrase.
// Rooms throw a Refusal by its code; each face renders it in one place.

/** How one refusal appears to a peer. `element` is set for those that RFC 4825 clause 11 gives an xcap-error element (always 409). */
export interface RefusalRow {
  readonly status: number;
  readonly element?: XcapErrorElement;
  readonly phrase: string;
}

/** Children of `xcap-error`, RFC 4825 clause 11.2. */
export type XcapErrorElement =
  | 'not-well-formed'
  | 'not-xml-frag'
  | 'no-parent'
  | 'schema-validation-error'
  | 'not-xml-att-value'
  | 'cannot-insert'
  | 'cannot-delete'
  | 'uniqueness-failure'
  | 'constraint-failure'
  | 'not-utf-8';

const table = {
  // RFC 4825 clause 11: what a 409 names
  'not-well-formed': { status: 409, element: 'not-well-formed', phrase: 'The body is not a well-formed XML document' },
  'not-utf-8': { status: 409, element: 'not-utf-8', phrase: 'The body is not encoded in UTF-8' },
  'not-xml-frag': {
    status: 409,
    element: 'not-xml-frag',
    phrase: 'The body is not a well-balanced fragment of exactly one element',
  },
  'not-xml-att-value': {
    status: 409,
    element: 'not-xml-att-value',
    phrase: 'The body is not a quoted XML attribute value',
  },
  'no-parent': { status: 409, element: 'no-parent', phrase: 'The parent of the addressed resource does not exist' },
  'schema-validation-error': {
    status: 409,
    element: 'schema-validation-error',
    phrase: 'The document does not conform to its schema',
  },
  'cannot-insert': {
    status: 409,
    element: 'cannot-insert',
    phrase: 'A GET on the same URI would not return what was put',
  },
  'cannot-delete': {
    status: 409,
    element: 'cannot-delete',
    phrase: 'The same URI would still select an element after the deletion',
  },
  'uniqueness-failure': {
    status: 409,
    element: 'uniqueness-failure',
    phrase: 'A value that must be unique is already taken',
  },
  'constraint-failure': {
    status: 409,
    element: 'constraint-failure',
    phrase: 'The document breaks a rule of its application usage',
  },

  // RFC 4825 clause 8 and HTTP
  'bad-request': { status: 400, phrase: 'The request cannot be understood' },
  'unbound-prefix': { status: 400, phrase: 'The selector uses a prefix that the query does not bind' },
  'credentials-required': { status: 401, phrase: 'Credentials are required' },
  'token-invalid': { status: 401, phrase: 'The access token cannot be verified' },
  'credentials-missing': { status: 403, phrase: 'The request carries no credentials' },
  'credentials-refused': { status: 403, phrase: 'The credentials of the request are not accepted' },
  // RFC 6750 clause 3.1
  'insufficient-scope': { status: 403, phrase: 'The access token was not issued for group management' },
  'identity-not-trusted': { status: 403, phrase: 'An asserted identity is not accepted from this sender' },
  forbidden: { status: 403, phrase: 'The caller has no right to do this' },
  'not-found': { status: 404, phrase: 'No such resource' },
  'unknown-application-usage': { status: 404, phrase: 'No such application usage' },
  'unknown-xui': { status: 404, phrase: 'No such XCAP user identifier here' },
  'selector-not-understood': { status: 404, phrase: 'The node selector is not understood' },
  'method-not-allowed': { status: 405, phrase: 'The resource does not support this method' },
  'request-timeout': { status: 408, phrase: 'The request did not arrive in time' },
  'precondition-failed': { status: 412, phrase: 'The precondition of the request does not hold' },
  'document-too-large': { status: 413, phrase: 'The body is larger than this server accepts' },
  'uri-too-long': { status: 414, phrase: 'The request target is longer than this server accepts' },
  'unsupported-media-type': { status: 415, phrase: 'The media type of the body does not fit the resource' },
  'expectation-failed': { status: 417, phrase: 'The expectation of the request cannot be met' },
  // RFC 6585 clause 4
  'too-many-attempts': { status: 429, phrase: 'Too many attempts with wrong credentials, try again later' },
  'header-too-large': { status: 431, phrase: 'The header is larger than this server accepts' },
  'not-implemented': { status: 501, phrase: 'The operation is not implemented' },
  'rate-exceeded': { status: 429, phrase: 'Too many requests, try again later' },
  unavailable: { status: 503, phrase: 'The server cannot answer now, try again' },
  'http-version-not-supported': { status: 505, phrase: 'This server speaks HTTP/1.1' },

  // TS 23.280 clause 10.2.7: preconditions of the two flows, told inside the agreement only
  'group-not-homed-here': { status: 404, phrase: 'The group is not defined in this system' },
  'partner-not-authoritative': { status: 403, phrase: 'The sender is not the home of this group' },
  'agreement-does-not-cover': { status: 403, phrase: 'The agreement does not cover this group' },
  'agreement-not-active': { status: 403, phrase: 'The agreement with the partner is not active' },
  'no-member-of-partner': { status: 409, phrase: 'No member of the group belongs to the partner' },
  'partner-not-addressed': { status: 502, phrase: 'No address is configured for the partner' },
  'partner-unknown': { status: 404, phrase: 'No such partner is configured' },
  'partner-unreachable': { status: 504, phrase: 'The home system of the group cannot be reached' },
  'partner-busy': { status: 503, phrase: 'The home system of the group asks to be left alone for now' },
  'partner-refused': { status: 502, phrase: 'The home system of the group refused the request' },

  // RFC 6665 and RFC 5875: refusals of a SUBSCRIBE
  'subscription-body-missing': { status: 400, phrase: 'The subscription names no resources' },
  'interval-too-brief': { status: 423, phrase: 'Interval Too Brief' },
  'subscription-does-not-exist': { status: 481, phrase: 'Subscription Does Not Exist' },
  'not-acceptable': { status: 406, phrase: 'Not Acceptable' },
  'bad-event': { status: 489, phrase: 'Bad Event' },

  // RFC 3261 clauses 8.2.2.2 and 8.2.2.3
  'merged-request': { status: 482, phrase: 'A subscription of this Call-ID and From tag exists' },
  'unsupported-uri-scheme': { status: 416, phrase: 'A sips: URI is reached over TLS alone' },
  'bad-extension': { status: 420, phrase: 'The request requires an extension that is not supported' },
} as const satisfies Record<string, RefusalRow>;

/** Stable names of all refusals; they appear in answers, logs, metrics and the journal. */
export type RefusalCode = keyof typeof table;

/** What a refusal may carry beside its row. */
export interface RefusalDetail {
  /** Replaces the row's phrase; for the peer to read. */
  readonly phrase?: string | undefined;
  /** The true reason, for the journal and the log alone; never sent to a peer. */
  readonly cause?: string | undefined;
  /** `no-parent`: URI of the closest ancestor that exists, RFC 4825 clause 11.1. */
  readonly ancestor?: string | undefined;
  /** `uniqueness-failure`: the offending nodes and free values for them, RFC 4825 clause 11.1. */
  readonly exists?: readonly { readonly field: string; readonly altValues: readonly string[] }[] | undefined;
  /** `method-not-allowed`: methods the resource supports. */
  readonly allow?: readonly string[] | undefined;
  /** `unsupported-media-type`, `not-acceptable`: types that would be accepted. */
  readonly accept?: readonly string[] | undefined;
  /** `unsupported-media-type`: content codings that would be accepted. */
  readonly acceptEncoding?: readonly string[] | undefined;
  /** Values of WWW-Authenticate; `credentials-required` and `token-invalid` have a Bearer challenge without. */
  readonly challenges?: readonly string[] | undefined;
  /** `bad-extension`: option tags that are not supported. */
  readonly unsupported?: readonly string[] | undefined;
  /** `interval-too-brief`: shortest accepted duration, seconds. */
  readonly minimumExpires?: number | undefined;
  /** `unavailable`, `partner-busy`, `too-many-attempts`, `rate-exceeded`: seconds after which a retry makes sense. */
  readonly retryAfter?: number | undefined;
}

/** A protocol refusal thrown by name. */
export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly detail: RefusalDetail;

  constructor(code: RefusalCode, detail: RefusalDetail = {}) {
    super(detail.phrase ?? table[code].phrase);
    this.name = 'Refusal';
    this.code = code;
    this.detail = detail;
  }

  get row(): RefusalRow {
    return table[this.code];
  }

  /** The phrase a peer may read. */
  get phrase(): string {
    return this.message;
  }
}

// The configuration of one gateway: this schema is the source of the types, the checks and docs/CONFIGURATION.md.
// Only keys that are built are here; everything else is an unknown key and refused.
import { isIP } from 'node:net';
import { z } from 'zod';

const text = z.string().min(1);
const port = z.int().min(0).max(65535);
const fileName = text;
const systemName = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'must be lower-case letters, digits and hyphens');
const sipUri = z.string().regex(/^sips?:[^\s]+$/i, 'must be a sip: URI');
const identity = z.string().regex(/^(sips?|tel):[^\s]+$/i, 'must be a sip: or tel: URI');
const httpUri = z.string().regex(/^https?:\/\/[^\s?#/]+\/?[^\s?#]*$/i, 'must be an http: or https: URI without query');
const domain = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'must be a domain name')
  .transform((name) => name.toLowerCase());
const secret = text.min(8, 'must have at least 8 characters');
const instant = z.iso.datetime({
  offset: true,
  error: 'must be a date and time with zone, such as 2026-01-31T00:00:00Z',
});
const addressRange = z.string().refine(isAddressRange, 'must be an IP address or a CIDR range such as 10.0.0.0/8');

const clientCa = 'file: CA that client certificates must chain to, PEM';
const listener = listenerWith(clientCa);
const ownListener = listenerWith(`${clientCa}; SIP, SIPS and TEL URIs in a certificate say who is calling`);

const administrator = z.union(
  [
    identity.transform((id): { id: string; groups?: readonly string[] | undefined } => ({ id })),
    z.strictObject({
      id: identity.describe('MC service ID of the administrator'),
      groups: z.array(text).optional().describe('patterns over group IDs it may act on; absent = all'),
    }),
  ],
  { error: 'must be a sip: or tel: URI, or { id: URI, groups: [PATTERN, …] }' },
);

const system = z
  .strictObject({
    name: systemName.describe('short name of this MC system'),
    domains: z.array(domain).min(1).describe('groups and identities whose host is here are homed here'),
    gms: sipUri.describe('public service identity of this group management server'),
    groupCreationXui: sipUri.optional().describe('XUI below which administrators create groups'),
    servers: z.array(sipUri).default([]).describe('public service identities of own MC service servers'),
    administrators: z
      .array(administrator)
      .default([])
      .describe('MC service IDs that may create and change groups; `{ id, groups }` limits one to patterns'),
    servedUsers: z.array(identity).default([]).describe('users of other systems receiving service here'),
    awayUsers: z.array(identity).default([]).describe('own users receiving service elsewhere'),
  })
  .describe('who we are and whom we serve');

const groupPatterns = z.array(
  z.strictObject({
    groups: text.describe('pattern over canonical group IDs; `*` stands for any run of characters'),
    services: z
      .array(z.enum(['mcptt', 'mcvideo', 'mcdata']))
      .optional()
      .describe('services that may be shared; absent = all'),
  }),
);

const agreement = z
  .strictObject({
    state: z
      .enum(['dormant', 'active', 'suspended'])
      .default('active')
      .describe('only an active agreement lets anything pass'),
    validFrom: instant.optional().describe('not active before'),
    validUntil: instant.optional().describe('not active from then on'),
    theyProvide: groupPatterns.default([]).describe('groups the partner may provide to us'),
    weRequest: groupPatterns.default([]).describe('groups we may request from the partner'),
    weProvide: groupPatterns.default([]).describe('groups we provide to the partner'),
    theyRequest: groupPatterns.default([]).describe('groups the partner may request from us'),
    thirdSystemMembers: z
      .enum(['keep', 'drop', 'refuse'])
      .default('keep')
      .describe(
        'members that belong to neither system: cross the border, are left out, or keep the group from crossing',
      ),
    atEnd: z
      .enum(['freeze', 'withdraw'])
      .default('freeze')
      .describe('after `validUntil`: what was exchanged stays as it is, or is withdrawn there and removed here'),
    accept: z
      .enum(['automatic', 'manual'])
      .default('automatic')
      .describe('what arrives is served at once, or only after `mcgw group release`'),
  })
  .describe('what may pass between the systems; everything not named is refused');

const certificate = z.union(
  [
    z.strictObject({ san: text.describe('DNS name, IP address or URI in the certificate (subjectAltName)') }),
    z.strictObject({
      spki: z
        .string()
        .regex(/^[A-Za-z0-9+/]{43}=$/, 'must be the base64 SHA-256 of the public key')
        .describe('base64 SHA-256 of the public key (SubjectPublicKeyInfo)'),
    }),
  ],
  { error: 'must be { san: NAME } or { spki: HASH }' },
);

const partner = z.strictObject({
  name: systemName.describe('name of the partner in logs, commands and the journal'),
  domains: z.array(domain).min(1).describe('domains homed at the partner; exact, subdomains are not implied'),
  gms: sipUri.describe('public service identity of the partner GMS'),
  servedUsers: z
    .array(identity)
    .optional()
    .describe('users of other systems, ours included, that receive service from the partner'),
  xcapRoots: z.array(httpUri).default([]).describe('XCAP roots of the partner in order of preference, with failover'),
  certificates: z
    .array(certificate)
    .min(1)
    .describe('certificates by which the partner is recognised, each by `{ san }` or by `{ spki }`'),
  tls: z
    .strictObject({
      ca: fileName.optional().describe('file: CA that certificates of the partner chain to, PEM'),
      crl: fileName.optional().describe(crlMeaning('`ca`')),
    })
    .optional()
    .describe('CA of the partner, when it is not that of `interconnect.listen.tls.clientCa`'),
  sip: z.array(sipUri).default([]).describe('SIP next hops towards the partner in order, may be proxies'),
  sipFrom: z.array(addressRange).default([]).describe('addresses from which the partner PSI is believed over SIP'),
  agreement,
  provide: z
    .strictObject({
      to: z
        .union(
          [
            z.enum(['byGroupID', 'none']),
            z.strictObject({
              users: identity.describe('XUI at the partner below which we PUT, each document named by its group ID'),
            }),
          ],
          { error: 'must be byGroupID, none or { users: XUI }' },
        )
        .default('byGroupID')
        .describe('where we PUT at the partner: by group ID, or in a user tree; `none` = the partner pulls'),
    })
    .prefault({})
    .describe('how our groups reach the partner'),
  limits: z
    .strictObject({
      requestsPerSecond: z
        .number()
        .positive()
        .default(1000)
        .describe('requests of the partner to our CSC-16 face, on average; twice as many at once; beyond it 429'),
      concurrentRequests: z.int().min(1).default(64).describe('of these under way at once; beyond it 503'),
      bytesInFlight: z
        .int()
        .min(0)
        .optional()
        .describe(
          'memory for its request bodies that are not answered yet, bytes; at least one of the largest documents; absent = `limits.bodiesInFlightBytesPerCaller`',
        ),
      connections: z.int().min(1).default(128).describe('connections it may keep open at our CSC-16 face'),
      subscribesPerSecond: z
        .number()
        .positive()
        .default(100)
        .describe('SUBSCRIBEs of the partner, refreshes included, on average; twice as many at once; beyond it 503'),
      subscriptions: z.int().min(0).default(2000).describe('subscriptions it may have at once; beyond it 503'),
    })
    .prefault({})
    .describe('what the partner may cost us, so that it never costs another partner anything'),
  canaries: z
    .array(identity)
    .default([])
    .describe(
      'IDs of groups, ours or theirs, agreed for `mcgw partner test`: they are stored and answered but never served; none = one marked `mcgw-canary` inside the patterns of the agreement',
    ),
  inboundPolicy: fileName.optional().describe('file: policy applied to what the partner provides'),
  outboundPolicy: fileName.optional().describe('file: policy applied to what leaves for the partner'),
});

const applicationUsage = z.strictObject({
  // RFC 4825 5.1: a segment of the path, never one of those that mean something else
  auid: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._~!$&'()*+,;=:@-]*$/,
      'must be an AUID: one path segment that starts with a letter or digit',
    )
    .describe('application unique ID, such as `rls-services` or `com.example.rota`'),
  mimeType: z
    .string()
    .regex(/^[A-Za-z0-9!#$&^_.+-]+\/[A-Za-z0-9!#$&^_.+-]+$/, 'must be a media type without parameters')
    .transform((type) => type.toLowerCase())
    .describe('media type of whole documents, without parameters'),
  defaultDocumentNamespace: text
    .optional()
    .describe('namespace of element names without prefix in node selectors; absent = none'),
  schema: fileName
    .optional()
    .describe('file: XML schema that documents must conform to; it may include others of its folder; absent = any XML'),
});

export const configurationSchema = z.strictObject({
  system,
  xcap: z
    .strictObject({ listen: ownListener, root: httpUri.describe('XCAP root URI as clients see it') })
    .describe('reference points CSC-2 and CSC-3: XCAP for own clients and servers'),
  interconnect: z
    .strictObject({
      listen: listener,
      root: httpUri.describe('XCAP root URI as partners see it'),
      httpProxy: z
        .string()
        .regex(/^https?:\/\/[^\s?#/]+\/?$/i, 'must be an http: or https: URI without path')
        .optional()
        .describe('proxy through which partners are reached, by CONNECT'),
      edgeProxies: z
        .array(addressRange)
        .default([])
        .describe('addresses of our own proxies that convey the certificates of partners (RFC 9440 Client-Cert)'),
      retry: z
        .strictObject({
          first: z.number().positive().default(1).describe('seconds before the first retry of a delivery'),
          ceiling: z.number().positive().default(300).describe('longest pause between retries, seconds'),
        })
        .prefault({}),
      brake: z
        .strictObject({
          share: z
            .number()
            .min(0)
            .max(1)
            .default(0.25)
            .describe("share of a partner's groups that may be withdrawn or removed within the window; 1 = all"),
          atLeast: z.int().min(0).default(10).describe('so many may always be'),
          window: z.number().positive().default(3600).describe('seconds over which they are counted'),
        })
        .prefault({})
        .describe('what goes beyond waits until an operator releases it'),
      revalidate: z.number().positive().default(300).describe('seconds between revalidations of foreign groups'),
      timeout: z.number().positive().default(10).describe('seconds a partner may take to answer'),
      patience: z
        .number()
        .positive()
        .default(5)
        .describe(
          'seconds an own server waits for a group of a partner; then it gets 504, and a NOTIFY when the group comes',
        ),
      catchUpRate: z
        .number()
        .positive()
        .max(10_000)
        .default(50)
        .describe('requests a second to one partner, at most, for groups that it told to have changed'),
      failureMemory: z
        .number()
        .min(0)
        .max(3600)
        .default(3)
        .describe('seconds during which a group that its home did not give is not asked for again'),
    })
    .optional()
    .describe('reference point CSC-16: XCAP for partner systems; absent = no partner can reach us'),
  sip: z
    .strictObject({
      listen: z
        .array(
          z
            .string()
            .regex(/^(udp|tcp|tls|wss?):(\[[0-9a-fA-F:.]+\]|[^:\s[\]]+):\d{1,5}$/, {
              error: 'must be udp:, tcp:, tls:, ws: or wss: followed by ADDRESS:PORT, IPv6 in brackets',
              abort: true,
            })
            .refine(
              (value) => Number(value.slice(value.lastIndexOf(':') + 1)) <= 65535,
              'must have a port up to 65535',
            ),
        )
        .min(1)
        .describe('`udp:ADDRESS:PORT`, or with `tcp`, `tls`, `ws` or `wss` in front; IPv6 in brackets'),
      tls: z
        .strictObject({
          cert: fileName.describe('file: certificate chain, PEM; it names the host of the SIP URIs'),
          key: fileName.describe('file: private key, PEM'),
          ca: fileName
            .optional()
            .describe(
              'file: CA that certificates of SIP peers must chain to, PEM; absent = the CAs of Node.js, and none is asked of clients',
            ),
          crl: fileName.optional().describe(crlMeaning('`ca`')),
          requireClientCertificate: z
            .boolean()
            .optional()
            .describe(
              'true = `tls:` and `wss:` listeners turn away whoever shows no certificate of `ca`; otherwise one is asked for and may be missing',
            ),
        })
        .optional()
        .describe('TLS of the embedded engine, for `tls:` and `wss:` listeners and for connections it makes'),
      engine: z
        .union(
          [
            z.literal('embedded'),
            z.strictObject({
              drachtio: z
                .strictObject({
                  host: text.describe('where its control port listens'),
                  port: port.describe('its control port, usually 9022'),
                  secret: text.describe('its control secret'),
                  largestFrame: z
                    .int()
                    .min(4000)
                    .max(1048576)
                    .default(12000)
                    .describe(
                      'octets of the largest control frame it takes; 12000 for a drachtio-server, 1048576 for `mcgw engine`. What does not fit goes out in parts or by reference',
                    ),
                  tls: z
                    .strictObject({
                      port: port.describe('second control port of the same host, over TLS'),
                      cert: fileName.describe('file: certificate chain, PEM'),
                      key: fileName.describe('file: private key, PEM'),
                      clientCa: fileName
                        .optional()
                        .describe(
                          'file: CA that certificates of applications must chain to, PEM; absent = none is asked for',
                        ),
                    })
                    .optional()
                    .describe(
                      'TLS of the control port, which `mcgw engine` offers to other applications; `mcgw serve` uses the plain one',
                    ),
                })
                .describe('a running drachtio-server'),
            }),
          ],
          { error: 'must be embedded or { drachtio: { host, port, secret } }' },
        )
        .default('embedded')
        .describe('`embedded`, or a running drachtio-server'),
      outboundProxy: sipUri.optional().describe('next hop of all our requests outside a dialog'),
      natDetection: z
        .enum(['auto', 'always', 'never'])
        .default('auto')
        .describe(
          'over UDP, where NOTIFYs go when the Contact of a subscriber is not where its requests come from and no proxy records itself: `never` to that source (RFC 3261 12.2.1.1), `always` to it (as a drachtio-server does), or, `auto`, to it only when the Contact names another address of a private network. But for `never`, the other one is tried when nobody answers. For the embedded engine and `mcgw engine`',
        ),
      atShutdown: z
        .enum(['deactivate', 'keep'])
        .optional()
        .describe(
          'on SIGTERM, subscriptions are ended with `deactivated`, so that subscribers come back at once; or kept, to go on after the next start as after a crash. Absent = `deactivate` with the embedded engine, `keep` with one that runs on',
        ),
      minimumExpires: z
        .int()
        .min(0)
        .max(3600)
        .default(60)
        .describe('seconds; shorter subscriptions are refused with 423'),
      maximumExpires: z.int().min(60).default(86400).describe('seconds; longer subscriptions are shortened'),
      minimumNotifyInterval: z
        .strictObject({
          servers: z.number().min(0).default(0).describe('for own MC service servers'),
          partners: z.number().min(0).default(0).describe('for partner systems'),
          clients: z.number().min(0).default(5).describe('for group management clients'),
        })
        .prefault({})
        .describe('seconds between two NOTIFYs of one subscription; the first is immediate'),
      timers: z
        .strictObject({
          t1: z.int().min(10).max(10000).default(500).describe('RFC 3261 timer T1, milliseconds'),
          t2: z
            .int()
            .min(10)
            .max(60000)
            .default(4000)
            .describe('RFC 3261 timer T2, milliseconds: longest pause between two retransmissions'),
        })
        .prefault({}),
    })
    .optional()
    .describe('SIP SUBSCRIBE and NOTIFY; absent = no subscriptions'),
  identity: z
    .strictObject({
      trustedProxies: z
        .array(addressRange)
        .default([])
        .describe('addresses or CIDR ranges; only these may assert X-3GPP-Asserted-Identity and P-Asserted-Identity'),
      missingCredentials: z
        .literal([403, 401])
        .default(403)
        .describe(
          'status for a request without credentials: 403 as TS 24.482, 401 for RFC 6750 clients; with `digest` always 401',
        ),
      tokens: z
        .strictObject({
          issuer: text.optional().describe('what tokens must say in `iss`; absent = not looked at'),
          audience: text.optional().describe('our name, which tokens must have in `aud`; absent = not looked at'),
          jwks: text.describe(
            'file, or https: URL (http: on a loopback address), with the keys of the identity management server as JSON Web Key Set',
          ),
          scopes: z
            .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'must be a scope without spaces and quotes'))
            .min(1)
            .optional()
            .describe('scopes of which a token must have one; absent = those of group management in TS 33.180'),
        })
        .optional()
        .describe('access tokens of TS 33.180; absent = they are refused'),
      digest: z
        .strictObject({
          realm: z
            .string()
            .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII')
            .describe('realm of the challenges and of the users'),
          users: fileName.describe('file: users, one line each as `mcgw digest-user` prints them'),
          algorithms: z
            .array(z.enum(['SHA-256', 'MD5']))
            .min(1)
            .optional()
            .describe('offered and accepted, most preferred first; absent = SHA-256 and MD5'),
          acceptMissingQop: z
            .boolean()
            .default(false)
            .describe('accept MD5 without `qop`, as clients of RFC 2069 answer'),
        })
        .optional()
        .describe('HTTP Digest (RFC 7616) for XCAP clients without tokens; absent = it is refused'),
    })
    .prefault({})
    .describe('how callers on our own faces are recognised'),
  storage: z
    .strictObject({
      sqlite: fileName.describe('file: SQLite database, created when absent'),
      journal: z
        .strictObject({
          days: z.number().positive().max(36500).default(365).describe('older entries are removed'),
          rows: z.int().min(1000).default(1_000_000).describe('beyond so many the oldest entries are removed'),
        })
        .prefault({})
        .describe('how much of the journal is kept'),
    })
    .describe('where documents, deliveries, subscriptions and the journal are kept'),
  applicationUsages: z
    .array(applicationUsage)
    .default([])
    .describe(
      'XCAP application usages beside the built-in ones (group documents, `resource-lists`, `xcap-caps`, the directory)',
    ),
  compatibility: z
    .strictObject({
      bareAttributeValues: z
        .boolean()
        .default(false)
        .describe('accept the body of an attribute PUT without the quotes that RFC 4825 demands'),
    })
    .prefault({})
    .describe('concessions to older clients'),
  limits: z
    .strictObject({
      documentBytes: z
        .int()
        .min(1024)
        .max(64 * 1024 * 1024)
        .default(4 * 1024 * 1024)
        .describe('largest document accepted, bytes'),
      bodiesInFlightBytes: z
        .int()
        .min(0)
        .default(64 * 1024 * 1024)
        .describe(
          'memory for request bodies of one XCAP face that are not answered yet, bytes; at least two of the largest documents; beyond it 503',
        ),
      bodiesInFlightBytesPerCaller: z
        .int()
        .min(0)
        .default(16 * 1024 * 1024)
        .describe('of this for one user, server or partner, bytes; at least one of the largest documents'),
      elementDepth: z.int().min(8).max(250).default(64).describe('deepest nesting of elements accepted'),
      cacheBytes: z
        .int()
        .min(0)
        .default(64 * 1024 * 1024)
        .describe('memory for documents kept ready, bytes'),
    })
    .prefault({})
    .describe('bounds on what one request may cost'),
  partners: z.array(partner).default([]).describe('partner MC systems'),
  manage: z
    .strictObject({
      listen: listener,
      token: secret.describe('bearer token of the operator who may do everything, `operator` in the journal'),
      operators: z
        .array(
          z.strictObject({
            name: text.describe('name in the journal'),
            token: secret.describe('bearer token of this operator alone'),
            groups: z
              .array(text)
              .min(1)
              .optional()
              .describe('patterns over group IDs it may act on; absent = everything'),
          }),
        )
        .default([])
        .describe('operators with tokens of their own'),
    })
    .optional()
    .describe('management API, health and metrics; absent = none'),
  logging: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .describe('least severity written; one JSON object per line on standard error'),
    })
    .prefault({}),
});

/** A checked configuration with every default filled in. File names are absolute after loading. */
export type Configuration = z.infer<typeof configurationSchema>;
export type SystemConfiguration = Configuration['system'];
export type ListenerConfiguration = Configuration['xcap']['listen'];
export type PartnerConfiguration = Configuration['partners'][number];
export type AgreementConfiguration = PartnerConfiguration['agreement'];
export type GroupPattern = AgreementConfiguration['weProvide'][number];
export type ApplicationUsageConfiguration = Configuration['applicationUsages'][number];
export type McService = 'mcptt' | 'mcvideo' | 'mcdata';

/** AUIDs that come with the gateway; no configuration can give them another meaning. */
export const builtInAuids = [
  'org.openmobilealliance.groups',
  'resource-lists',
  'xcap-caps',
  'org.openmobilealliance.xcap-directory',
] as const;

// What a client certificate is good for differs from face to face
function listenerWith(clientCaMeaning: string) {
  const tls = z
    .strictObject({
      cert: fileName.describe('file: certificate chain, PEM'),
      key: fileName.describe('file: private key, PEM'),
      clientCa: fileName.optional().describe(clientCaMeaning),
      crl: fileName.optional().describe(crlMeaning('`clientCa`')),
    })
    .describe('server side of TLS; absent = plain TCP');
  return z.strictObject({
    host: text.default('127.0.0.1').describe('address to bind'),
    port: port.describe('port to bind; 0 = any free one, which then replaces a port 0 in `root`'),
    tls: tls.optional(),
  });
}

function crlMeaning(authorities: string): string {
  return `file: certificate revocation lists of every CA in ${authorities}, PEM; read again at SIGHUP`;
}

function isAddressRange(value: string): boolean {
  const [address = '', prefix, ...rest] = value.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

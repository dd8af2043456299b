// The configuration of one gateway: this schema is the source of the types, the checks and docs/CONFIGURATION.md.
// Only keys that are built are here; everything else is an unknown key and refused.
import { z } from 'zod';
import { partner } from './partner-schema.ts';
import {
  addressRange,
  crlMeaning,
  domain,
  fileName,
  httpUri,
  identity,
  port,
  postgresUrl,
  secret,
  sipUri,
  systemName,
  text,
} from './schema-values.ts';
import { sip } from './sip-schema.ts';

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
  sip,
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
      sqlite: fileName
        .optional()
        .describe('file: SQLite database, created when absent; this or `postgres` is required'),
      postgres: postgresUrl
        .optional()
        .describe(
          'URL of a PostgreSQL database instead, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with the parameters `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `host`, `port`, `options`, `application_name` and `connect_timeout` as libpq has them; without a password PGPASSWORD is taken',
        ),
      journal: z
        .strictObject({
          days: z.number().positive().max(36500).default(365).describe('older entries are removed'),
          rows: z.int().min(1000).default(1_000_000).describe('beyond so many the oldest entries are removed'),
        })
        .prefault({})
        .describe('how much of the journal is kept'),
      policyVersions: z
        .int()
        .min(2)
        .max(1000)
        .default(20)
        .describe(
          'versions of the policy of each partner and direction that are kept, the one in force among them; older texts are removed unless a stored group was derived by them',
        ),
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

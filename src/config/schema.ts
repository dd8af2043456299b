// The configuration of one gateway: this schema is the source of the types, the checks and docs/CONFIGURATION.md.
// Only keys that are built are here; everything else is an unknown key and refused.
import { z } from 'zod';

const text = z.string().min(1);
const port = z.int().min(0).max(65535);
const fileName = text.describe('path, relative to the configuration file');
const sipUri = z.string().regex(/^sips?:[^\s]+$/i, 'must be a sip: URI');
const httpUri = z.string().regex(/^https?:\/\/[^\s?#]+$/i, 'must be an http: or https: URI without query');
const domain = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'must be a domain name')
  .transform((name) => name.toLowerCase());
const secret = text.min(8, 'must have at least 8 characters');
const instant = z.iso.datetime({ offset: true });

const tlsListener = z
  .strictObject({
    cert: fileName.describe('certificate chain, PEM'),
    key: fileName.describe('private key, PEM'),
    clientCa: fileName.optional().describe('CA that client certificates must chain to, PEM'),
  })
  .describe('server side TLS; absent = plain TCP');

const listener = z.strictObject({
  host: text.default('127.0.0.1').describe('address to bind'),
  port: port.describe('port to bind; 0 = any free one'),
  tls: tlsListener.optional(),
});

const system = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/, 'must be lower-case letters, digits and hyphens')
    .describe('short name of this MC system'),
  domains: z.array(domain).min(1).describe('groups and identities whose host is here are homed here'),
  gms: sipUri.describe('public service identity of this group management server'),
  groupCreationXui: sipUri.optional().describe('XUI below which administrators create groups'),
  servers: z.array(sipUri).default([]).describe('public service identities of own MC service servers'),
  administrators: z
    .array(
      z.union([
        text.transform((id): { id: string; groups?: readonly string[] | undefined } => ({ id })),
        z.strictObject({ id: text, groups: z.array(text).optional() }),
      ]),
    )
    .default([])
    .describe('MC service IDs that may create and change groups; { id, groups } limits one to patterns'),
  servedUsers: z.array(text).default([]).describe('users of other systems receiving service here'),
  awayUsers: z.array(text).default([]).describe('own users receiving service elsewhere'),
});

const groupPatterns = z.array(
  z.strictObject({
    groups: text.describe('pattern over canonical group IDs; * stands for any run of characters'),
    services: z
      .array(z.enum(['mcptt', 'mcvideo', 'mcdata']))
      .optional()
      .describe('services that may be shared; absent = all'),
  }),
);

const agreement = z
  .strictObject({
    state: z.enum(['dormant', 'active', 'suspended']).default('active'),
    validFrom: instant.optional(),
    validUntil: instant.optional(),
    theyProvide: groupPatterns.default([]).describe('groups the partner may provide to us'),
    weRequest: groupPatterns.default([]).describe('groups we may request from the partner'),
    weProvide: groupPatterns.default([]).describe('groups we provide to the partner'),
    theyRequest: groupPatterns.default([]).describe('groups the partner may request from us'),
  })
  .describe('everything not named is refused');

const partner = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'must be lower-case letters, digits and hyphens'),
  domains: z.array(domain).min(1).describe('exact; subdomains are not implied'),
  gms: sipUri.describe('public service identity of the partner GMS'),
  xcapRoots: z.array(httpUri).default([]).describe('in order of preference, with failover'),
  certificates: z
    .array(
      z.union([
        z.strictObject({ san: text }),
        z.strictObject({ spki: z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'must be the base64 SHA-256 of the key') }),
      ]),
    )
    .min(1)
    .describe('certificates by which the partner is recognised'),
  tls: z
    .strictObject({ ca: fileName.optional() })
    .optional()
    .describe('CA of the partner, when it is not that of interconnect.listen.tls.clientCa'),
  sip: z.array(sipUri).default([]).describe('next hops in order'),
  sipFrom: z.array(text).default([]).describe('addresses from which the partner PSI is believed over SIP'),
  agreement,
  provide: z
    .strictObject({ to: z.enum(['byGroupID', 'none']).default('byGroupID') })
    .prefault({})
    .describe('how our groups reach the partner; none = the partner pulls'),
  inboundPolicy: fileName.optional(),
  outboundPolicy: fileName.optional(),
});

export const configurationSchema = z.strictObject({
  system,
  xcap: z
    .strictObject({ listen: listener, root: httpUri.describe('XCAP root URI as clients see it') })
    .describe('CSC-2 and CSC-3'),
  interconnect: z
    .strictObject({
      listen: listener,
      root: httpUri.describe('XCAP root URI as partners see it'),
      retry: z
        .strictObject({
          first: z.number().positive().default(1).describe('seconds before the first retry'),
          ceiling: z.number().positive().default(300).describe('longest pause between retries, seconds'),
        })
        .prefault({}),
      revalidate: z.number().positive().default(300).describe('seconds between revalidations of foreign groups'),
      timeout: z.number().positive().default(10).describe('seconds a partner may take to answer'),
    })
    .optional()
    .describe('CSC-16; absent = no partner can reach us'),
  sip: z
    .strictObject({
      listen: z
        .array(
          z
            .string()
            .regex(/^(udp|tcp):(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/, 'must be udp:HOST:PORT or tcp:HOST:PORT'),
        )
        .min(1),
      engine: z
        .union([
          z.literal('embedded'),
          z.strictObject({ drachtio: z.strictObject({ host: text, port, secret: text }) }),
        ])
        .default('embedded'),
      outboundProxy: sipUri.optional(),
      minimumExpires: z
        .int()
        .min(0)
        .max(3600)
        .default(60)
        .describe('seconds; shorter subscriptions are refused with 423'),
      maximumExpires: z.int().min(60).default(86400).describe('seconds; longer subscriptions are shortened'),
      minimumNotifyInterval: z
        .strictObject({
          servers: z.number().min(0).default(0),
          partners: z.number().min(0).default(0),
          clients: z.number().min(0).default(5),
        })
        .prefault({})
        .describe('seconds between two NOTIFYs of one subscription; the first is immediate'),
      timers: z.strictObject({ t1: z.int().min(10).max(10000).default(500).describe('milliseconds') }).prefault({}),
    })
    .optional()
    .describe('absent = no subscriptions'),
  identity: z
    .strictObject({
      trustedProxies: z
        .array(text)
        .default([])
        .describe('addresses or CIDR ranges; only these may assert X-3GPP-Asserted-Identity and P-Asserted-Identity'),
      missingCredentials: z
        .union([z.literal(403), z.literal(401)])
        .default(403)
        .describe('status for a request without credentials: 403 as TS 24.482, 401 for RFC 6750 clients'),
    })
    .prefault({}),
  storage: z.strictObject({ sqlite: fileName }),
  limits: z
    .strictObject({
      documentBytes: z
        .int()
        .min(1024)
        .max(64 * 1024 * 1024)
        .default(4 * 1024 * 1024),
      elementDepth: z.int().min(8).max(250).default(64),
      cacheBytes: z
        .int()
        .min(0)
        .default(64 * 1024 * 1024),
    })
    .prefault({}),
  partners: z.array(partner).default([]),
  manage: z
    .strictObject({ listen: listener, token: secret.describe('bearer token of operators') })
    .optional()
    .describe('management API; absent = none'),
  logging: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') }).prefault({}),
});

/** A checked configuration with every default filled in. File names are absolute after loading. */
export type Configuration = z.infer<typeof configurationSchema>;
export type SystemConfiguration = Configuration['system'];
export type PartnerConfiguration = Configuration['partners'][number];
export type AgreementConfiguration = PartnerConfiguration['agreement'];
export type GroupPattern = AgreementConfiguration['weProvide'][number];
export type McService = 'mcptt' | 'mcvideo' | 'mcdata';

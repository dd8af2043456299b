// What the configuration says of a partner system: who it is, how it is reached, what was agreed, what it may cost.
import { z } from 'zod';
import {
  addressRange,
  crlMeaning,
  domain,
  fileName,
  httpUri,
  identity,
  instant,
  sipUri,
  systemName,
  text,
} from './schema-values.ts';

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

/** One entry of `partners`. */
export const partner = z.strictObject({
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

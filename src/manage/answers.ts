// The JSON that the management API answers, as schemas: what listings.ts describes to TypeScript, told to readers of the OpenAPI document.
// Objects are strict, so that an answer with a field that is not described fails its test.
import { z } from 'zod';
import type { PreviewedGroup } from '../interconnect/policy-preview.ts';
import type { PolicyInForce, PolicyVersion } from '../interconnect/policy-versions.ts';
import type {
  DeliveryProgress,
  PartnerTest,
  PullOutcome,
  PullProgress,
  Reconciliation,
} from '../interconnect/ports.ts';
import type { JournalRecord } from '../store/store.ts';
import type {
  HeldGroup,
  ListedDelivery,
  ListedGroup,
  ListedOverlay,
  ListedPartner,
  ListedSubscription,
  ProfileEntry,
  Provenance,
  RefusedGroup,
  ShownEdit,
} from './listings.ts';

/** A schema whose values can be used as `T`. */
type Of<T> = z.ZodType<T>;

const instant = z.iso.datetime().describe('ISO 8601, UTC');
const groupId = z.string().describe('canonical group ID');
const partnerName = z.string().describe('name of the partner in the configuration');
const tag = z.string().describe('strong entity tag without its quotes');
const count = z.int().min(0);

export const problem = z.strictObject({
  code: z.string().describe('stable name of the refusal'),
  phrase: z.string().describe('what is wrong, for people'),
});

const groupFields = {
  groupId,
  home: z.boolean().describe('true when the group is defined in this system'),
  partner: partnerName.optional(),
  tag,
  size: count.describe('bytes of the served document'),
  modified: instant,
  sourceTag: tag.optional().describe('foreign groups: tag of the document as it came, on our CSC-16 face'),
  primaryTag: tag.optional().describe('foreign groups: tag that the primary gave it'),
  policy: z.string().optional(),
  policyVersion: z.int().optional(),
  appliedRules: z.array(z.string()).readonly().optional(),
  staleSince: instant.optional().describe('the primary cannot be asked whether the copy is current since then'),
  heldSince: instant.optional().describe('newer content waits for a release since then'),
};

export const listedGroup: Of<ListedGroup> = z.strictObject(groupFields);

export const group = z.strictObject({
  ...groupFields,
  lists: z
    .array(
      z.strictObject({
        groupId: z.string().describe('as written in the document'),
        displayName: z.string().optional(),
        owner: z.string().optional(),
        services: z.array(z.string()),
        regrouped: z.boolean().describe('on-network-regrouped: part of a temporary group now'),
        temporary: z.boolean().describe('on-network-temporary: a temporary group'),
        members: z.array(
          z.strictObject({
            uri: z.string(),
            displayName: z.string().optional(),
            mcvideoId: z.string().optional(),
            mcdataId: z.string().optional(),
            participantType: z.string().optional(),
            userPriority: z.number().optional(),
            required: z.boolean().describe('must acknowledge before a call proceeds: on-network-required'),
          }),
        ),
      }),
    )
    .describe('the list-service elements of the document'),
});

const heldGroup: Of<HeldGroup> = z.strictObject({
  groupId,
  partner: partnerName,
  sourceTag: tag.describe('tag of the content that waits'),
  servedTag: tag.optional().describe('tag of what is served meanwhile; absent = nothing is'),
  policy: z.string(),
  policyVersion: z.int(),
  heldSince: instant,
});

const profileEntry: Of<ProfileEntry> = z.strictObject({
  groupId,
  partner: partnerName,
  gms: z.string().describe('PSI of the GMS to subscribe at'),
  xcapRoot: z.string(),
});

const refusalFields = {
  policy: z.string(),
  policyVersion: z.number(),
  policyDigest: z.string().optional(),
  code: z.string(),
  cause: z.string(),
  at: instant,
};

const refusedGroup: Of<RefusedGroup> = z.strictObject({ groupId, partner: partnerName, ...refusalFields });

export const groups = z.union([
  z.strictObject({
    groups: z.array(listedGroup),
    next: z.string().optional().describe('value of `after` for the next page; absent = this was the last'),
  }),
  z.strictObject({ held: z.array(heldGroup) }).describe('with held=true'),
  z.strictObject({ profile: z.array(profileEntry) }).describe('with profile=true'),
  z.strictObject({ refused: z.array(refusedGroup) }),
]);

export const groupWritten = z.strictObject({ groupId, tag, created: z.boolean(), changed: z.boolean() });

export const groupDeleted = z.strictObject({ groupId, deleted: z.literal(true) });

/** What the pull or the release of one group came to. */
export const pulled: Of<PullOutcome & { readonly groupId: string }> = z.discriminatedUnion('outcome', [
  z.strictObject({ groupId, outcome: z.literal('stored'), changed: z.boolean(), tag }),
  z.strictObject({ groupId, outcome: z.literal('unchanged') }),
  z.strictObject({ groupId, outcome: z.literal('removed') }),
]);

const progressFields = {
  queued: count.describe('waiting for their turn, those in flight left out'),
  inFlight: count,
  delivered: count,
  parked: count.describe('refused for good'),
  braked: count.describe('waiting for an operator'),
  oldest: instant.optional().describe('when the oldest delivery that is not done was queued'),
  circuit: z.enum(['closed', 'open', 'half-open']),
  until: instant.optional().describe('with an open circuit: nothing is sent before'),
};
const deliveryProgress: Of<Omit<DeliveryProgress, 'partner'>> = z.strictObject(progressFields);

const listedPartner: Of<ListedPartner> = z.strictObject({
  name: partnerName,
  domains: z.array(z.string()),
  gms: z.string(),
  xcapRoots: z.array(z.string()),
  state: z.string().describe('state of the agreement as configured'),
  active: z.boolean().describe('the agreement is active and its time has come and not gone'),
  groupsHeld: count.describe('foreign groups of this partner that are stored here'),
  groupsStale: count,
  groupsHeldBack: count.describe('foreign groups with content that waits for a release'),
  homes: z
    .array(z.string())
    .optional()
    .describe('of a partner that is not configured: the configured partners that are the home of its groups now'),
  deliveries: deliveryProgress,
});

export const partners = z.strictObject({ partners: z.array(listedPartner) });

export const pullProgress: Of<PullProgress> = z.strictObject({
  pattern: z.string(),
  started: instant,
  finished: instant.optional().describe('absent = it runs'),
  total: count.describe('groups to be asked for'),
  stored: count,
  unchanged: count,
  removed: count,
  failed: count,
  failures: z.array(z.strictObject({ groupId, code: z.string() })).describe('the first of them'),
});

export const reconciliation: Of<Reconciliation> = z.strictObject({
  pattern: z.string(),
  repair: z.boolean(),
  started: instant,
  finished: instant.optional().describe('absent = it runs'),
  directory: z.string().optional().describe('whether the partner listed its groups'),
  total: count.describe('groups to be compared'),
  equal: count,
  differs: count,
  missingHere: count,
  missingThere: count,
  unknown: count.describe('could not be compared'),
  repaired: count.describe('repairs queued or done'),
  findings: z
    .array(
      z.strictObject({
        groupId,
        state: z.enum(['differs', 'missing here', 'missing there', 'unknown']),
        home: z.enum(['here', 'there']).optional().describe('where the group is defined'),
        detail: z.string().optional(),
        repair: z.string().optional().describe('what was done about it'),
      }),
    )
    .describe('all that is not equal, the first 10,000 of them'),
  findingsLeftOut: count,
});

export const partnerTest: Of<PartnerTest> = z.strictObject({
  partner: partnerName,
  at: instant,
  passed: z.boolean().describe('nothing fails'),
  steps: z.array(
    z.strictObject({
      step: z.enum(['agreement', 'tls', 'identity', 'get', 'subscribe', 'notify', 'put', 'delete']),
      result: z.enum(['works', 'fails', 'skipped']),
      detail: z.string().optional().describe('what was seen'),
      advice: z.string().optional().describe('what to do about it'),
      milliseconds: z.number(),
    }),
  ),
});

export const partnerForgotten = z.strictObject({
  partner: partnerName,
  groups: count.describe('groups removed'),
  deliveries: count.describe('deliveries dropped'),
});

export const delivery: Of<ListedDelivery> = z.strictObject({
  partner: partnerName,
  groupId,
  action: z.enum(['provide', 'withdraw']),
  state: z.enum(['queued', 'delivered', 'parked', 'braked']),
  sequence: z.int().describe('of the commit that queued it'),
  attempts: count,
  notBefore: instant.optional(),
  partnerTag: tag.optional().describe('tag that the last success answered for what the partner holds'),
  outcome: z.string().optional().describe('of the last attempt at this content'),
  urgent: z.boolean().optional().describe('with regroup markers: it overtakes what is not'),
  queued: instant,
});

export const deliveries = z.strictObject({ deliveries: z.array(delivery) });

const deliveryNamed = { partner: partnerName, groupId };

export const deliveryRetried = z.strictObject({ ...deliveryNamed, retried: z.literal(true) });

export const deliveryDropped = z.strictObject({ ...deliveryNamed, dropped: z.literal(true) });

export const deliveryReleased = z.strictObject({ ...deliveryNamed, released: z.literal(1) });

export const brakeReleased = z.strictObject({
  partner: partnerName,
  released: count.describe('number of withdrawals that are sent now'),
});

const subscription: Of<ListedSubscription> = z.strictObject({
  id: z.string(),
  subscriber: z.string().describe('identity of the subscriber'),
  role: z.string(),
  resources: z.array(z.string()).describe('entries of the resource list, as subscribed'),
  expires: instant,
  told: count.describe('number of resources whose state the subscriber was told'),
  outstanding: z.boolean().describe('a NOTIFY waits for its answer'),
});

export const subscriptions = z.strictObject({ subscriptions: z.array(subscription) });

export const journalRecord: Of<JournalRecord> = z.strictObject({
  sequence: z.int(),
  at: instant,
  actor: z.string().describe('identity of who acted, or `system`'),
  action: z.string(),
  subject: z.string().describe('group ID or path of a document'),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
});

export const journal = z.strictObject({ entries: z.array(journalRecord) });

export const journalVerdict = z.strictObject({
  intact: z.boolean(),
  entries: count.describe('entries looked at'),
  erased: count.describe('of these, entries from which a text was erased'),
  first: z.int().optional(),
  last: z.int().optional(),
  anchor: z.string().describe('to be kept elsewhere: proves later that nothing up to here was changed or removed'),
  anchorRemoved: z
    .literal(true)
    .optional()
    .describe('the entry of the anchor that was given is older than what is kept: it proves nothing any more'),
  broken: z
    .strictObject({ sequence: z.int(), why: z.string() })
    .optional()
    .describe('the first entry that is not as it was written'),
});

export const personErased = z.strictObject({
  entries: count.describe('entries of the journal'),
  localEdits: count.describe('local edits that the person had made'),
  policyVersions: count.describe('policy versions that the person had brought into force'),
});

const policyVersion: Of<PolicyVersion> = z.strictObject({
  digest: z.string().describe('of the texts of the policy; empty for the policy `none`'),
  policy: z.string(),
  version: z.number(),
  at: instant.describe('since when'),
  actor: z.string(),
  how: z.enum(['file', 'activated', 'rolled-back']),
});

const policyInForce: Of<PolicyInForce> = z.strictObject({
  partner: partnerName,
  direction: z.enum(['inbound', 'outbound']),
  active: policyVersion,
  earlier: z.array(policyVersion).describe('newest first; a rollback goes to the first of them'),
  differsFromFile: z.boolean().describe('the file on disk says something else'),
  inLine: z.boolean().describe('all groups are as this version wants them'),
  derivation: z
    .strictObject({
      policy: z.string(),
      policyVersion: z.number(),
      started: instant,
      finished: instant.optional().describe('absent = it runs'),
      total: count,
      changed: count,
      unchanged: count,
      refused: count.describe('groups that the policy does not accept: what was served stays'),
    })
    .optional()
    .describe('the derivation by changed settings that runs or ran last'),
});

export const policies = z.strictObject({ policies: z.array(policyInForce) });

const previewedGroup: Of<PreviewedGroup> = z.strictObject({
  groupId,
  partner: partnerName,
  direction: z.enum(['inbound', 'outbound']),
  outcome: z.enum(['changed', 'unchanged', 'refused']),
  rules: z.array(z.strictObject({ rule: z.string(), changes: count })),
  before: tag.optional(),
  after: tag.optional(),
  conflicts: count.optional().describe('local edits that would not apply'),
  code: z.string().optional(),
  cause: z.string().optional(),
});

export const planLine = z.union([
  z.strictObject({ group: previewedGroup }),
  z.strictObject({ progress: count.describe('groups looked at so far') }),
  z.strictObject({
    summary: z.strictObject({
      policy: z.string(),
      version: z.number(),
      total: count,
      changed: count,
      unchanged: count,
      refused: count,
      rules: z.array(z.strictObject({ rule: z.string(), groups: count, changes: count })),
    }),
  }),
]);

const shownEdit: Of<ShownEdit> = z.strictObject({
  number: z.int(),
  at: instant,
  actor: z.string(),
  action: z.enum(['node-put', 'node-delete']),
  node: z.string().describe('node selector of the request that made it'),
  operations: z.array(
    z.strictObject({
      directive: z.enum(['add', 'replace', 'remove']),
      sel: z.string(),
      pos: z.string().optional(),
      type: z.string().optional(),
      ws: z.string().optional(),
      namespaces: z.record(z.string(), z.string()),
      content: z.string(),
    }),
  ),
  conflict: z.strictObject({ since: instant, why: z.string() }).optional().describe('absent = it applies'),
});

const listedOverlay: Of<ListedOverlay> = z.strictObject({
  groupId,
  edits: count,
  conflicting: count.describe('of these, edits that do not apply now'),
  servedTag: tag.optional().describe('absent = the group is not here'),
});

export const overlays = z.strictObject({ overlays: z.array(listedOverlay), next: z.string().optional() });

export const overlay = z.strictObject({ groupId, edits: z.array(shownEdit) });

export const provenance: Of<Provenance> = z.strictObject({
  groupId,
  source: z.strictObject({
    partner: partnerName,
    tag,
    primaryTag: tag.optional(),
    received: instant,
    sent: instant.optional(),
    staleSince: instant.optional(),
    heldSince: instant.optional(),
    size: count,
  }),
  policy: z.strictObject({ name: z.string(), version: z.number(), digest: z.string().optional() }),
  derivedAt: instant.optional(),
  derivedTag: tag.optional().describe('of what the policy made, before local edits'),
  rules: z.array(
    z.strictObject({
      rule: z.string(),
      kind: z.string(),
      changes: z.array(
        z.strictObject({ path: z.string(), before: z.string().optional(), after: z.string().optional() }),
      ),
      unlisted: count.optional(),
    }),
  ),
  refused: z
    .strictObject(refusalFields)
    .optional()
    .describe('a newer policy that does not accept the source: what is served is older'),
  overlay: z.array(shownEdit),
  served: z.strictObject({ tag, modified: instant, size: count }).optional().describe('absent = nothing is served'),
  notified: z
    .array(z.strictObject({ at: instant, tag: tag.optional(), subscribers: z.array(z.string()) }))
    .describe('newest first'),
});

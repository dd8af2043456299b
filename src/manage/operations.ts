// The operations of the management API below /api/v1: one table, from which queries are checked and the OpenAPI document is made.
// A route that is not in it, and a row without a route, fail the test of the document.
import { z } from 'zod';
import type { RefusalCode } from '../refusals.ts';
import * as answers from './answers.ts';
import { instantForms } from './instants.ts';

export type OperationMethod = 'get' | 'put' | 'post' | 'delete';

/** One parameter in the query; all may be left out. */
export interface QueryParameter {
  readonly description: string;
  readonly schema: z.ZodType;
}

export interface OperationAnswer {
  readonly status: number;
  readonly description: string;
  readonly schema: z.ZodType;
}

export interface Operation {
  readonly method: OperationMethod;
  /** Below /api/v1, with parameters in braces. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  readonly query?: Readonly<Record<string, QueryParameter>>;
  /** JSON body, or the group document of TS 24.481. */
  readonly body?: z.ZodType | 'group document';
  /** Octets of the largest JSON body, where it is more than a few lines. */
  readonly bodyBytes?: number;
  /** If-Match and If-None-Match are looked at. */
  readonly conditional?: true;
  readonly answers: readonly OperationAnswer[];
  /** A group document instead of JSON when the Accept header field prefers it. */
  readonly orDocument?: true;
  /**
   * What an operator gets who is limited to groups, where the path names none: `filtered` its groups only, `checked` what the body names if it
   * is one of them, `harmless` all, as it tells nothing about groups. Absent = nothing.
   */
  readonly limited?: 'filtered' | 'checked' | 'harmless';
  /** What it may be refused with beside what every operation may. */
  readonly refusals?: readonly RefusalCode[];
}

const ok = (description: string, schema: z.ZodType): readonly OperationAnswer[] => [
  { status: 200, description, schema },
];
const accepted = (description: string, schema: z.ZodType): OperationAnswer => ({ status: 202, description, schema });

const partner: QueryParameter = { description: 'only those of this partner', schema: z.string() };
const groupIdBody = z.strictObject({ groupId: z.string() });

/** A policy with the files that it includes. */
const policyBytes = 16 * 1024 * 1024;

const policyBody = z.strictObject({
  source: z
    .strictObject({
      file: z.string().describe('name of the policy file; keys of pseudonyms are looked for in its folder'),
      text: z.string(),
      files: z.record(z.string(), z.string()).optional().describe('included files by name'),
    })
    .optional()
    .describe('absent = the files of the partner as they are now'),
  partner: z.string().optional().describe('absent = all policies with the name of this one'),
  direction: z.enum(['inbound', 'outbound']).optional(),
});

const journalFilter: Readonly<Record<string, QueryParameter>> = {
  after: { description: 'only entries behind this sequence', schema: z.int().min(0) },
  subject: { description: 'only entries about this group ID or path', schema: z.string() },
  actor: { description: 'only what this identity did', schema: z.string() },
  action: { description: 'only entries of this kind', schema: z.string() },
  since: { description: `only entries from then on: ${instantForms}`, schema: z.string() },
  until: { description: 'only entries before then, written alike', schema: z.string() },
};

/** Every operation, in the order of the document. */
export const operations: readonly Operation[] = [
  {
    method: 'get',
    path: '/groups',
    id: 'listGroups',
    limited: 'filtered',
    summary: 'Groups that this system serves, a page at a time; with held or profile, another view of foreign groups',
    query: {
      after: { description: 'cursor: `next` of the page before', schema: z.string() },
      limit: { description: 'groups on a page', schema: z.int().min(0).max(10_000).default(1000) },
      partner,
      held: { description: 'foreign groups with content that waits for a release', schema: z.boolean() },
      refused: { description: 'foreign groups whose source the policy of now does not accept', schema: z.boolean() },
      profile: { description: 'what user profiles must say about foreign groups', schema: z.boolean() },
    },
    answers: ok('A page of groups', answers.groups),
  },
  {
    method: 'get',
    path: '/groups/{groupId}',
    id: 'readGroup',
    summary: 'One group as it is served here',
    answers: ok('The group', answers.group),
    orDocument: true,
    refusals: ['not-found'],
  },
  {
    method: 'put',
    path: '/groups/{groupId}',
    id: 'writeGroup',
    summary: 'Create or replace a group that is defined in this system',
    body: 'group document',
    conditional: true,
    answers: [
      { status: 200, description: 'Replaced', schema: answers.groupWritten },
      { status: 201, description: 'Created', schema: answers.groupWritten },
    ],
    refusals: [
      'group-not-homed-here',
      'not-well-formed',
      'schema-validation-error',
      'constraint-failure',
      'uniqueness-failure',
      'precondition-failed',
      'document-too-large',
      'unsupported-media-type',
    ],
  },
  {
    method: 'delete',
    path: '/groups/{groupId}',
    id: 'deleteGroup',
    summary: 'Delete a group that is defined in this system',
    conditional: true,
    answers: ok('Deleted', answers.groupDeleted),
    refusals: ['not-found', 'group-not-homed-here', 'precondition-failed'],
  },
  {
    method: 'post',
    path: '/groups/{groupId}/release',
    id: 'releaseGroup',
    summary: 'Serve content of a foreign group that waits for an operator (accept: manual)',
    answers: ok('What came of it', answers.pulled),
    refusals: ['not-found'],
  },
  {
    method: 'get',
    path: '/partners',
    id: 'listPartners',
    limited: 'harmless',
    summary: 'Partners, their agreements and how far their deliveries are',
    answers: ok('All partners', answers.partners),
  },
  {
    method: 'post',
    path: '/partners/{partner}/pull',
    id: 'pull',
    limited: 'checked',
    summary: 'Ask the partner for one group, or for all known ones that match a pattern',
    body: z.union([groupIdBody, z.strictObject({ groups: z.string().describe('pattern over group IDs') })]),
    answers: [
      { status: 200, description: 'What came of the one group', schema: answers.pulled },
      accepted('The pull of all runs', answers.pullProgress),
    ],
    refusals: [
      'partner-unknown',
      'partner-not-authoritative',
      'partner-busy',
      'partner-unreachable',
      'partner-refused',
    ],
  },
  {
    method: 'get',
    path: '/partners/{partner}/pull',
    id: 'pullProgress',
    summary: 'How far the pull by pattern is that runs or ran last',
    answers: ok('Its progress', answers.pullProgress),
    refusals: ['partner-unknown', 'not-found'],
  },
  {
    method: 'post',
    path: '/partners/{partner}/push',
    id: 'push',
    limited: 'checked',
    summary: 'Queue the delivery of one of our groups to the partner',
    body: groupIdBody,
    answers: [accepted('The delivery', answers.delivery)],
    refusals: ['partner-unknown', 'group-not-homed-here', 'agreement-does-not-cover', 'no-member-of-partner'],
  },
  {
    method: 'post',
    path: '/partners/{partner}/reconcile',
    id: 'reconcile',
    summary: 'Compare both sides group by group at the live partner; with repair, bring them in line',
    body: z.strictObject({
      groups: z.string().default('*').describe('pattern over group IDs'),
      repair: z.boolean().default(false).describe('queue deliveries and requests for what differs'),
    }),
    answers: [accepted('The comparison runs', answers.reconciliation)],
    refusals: ['partner-unknown', 'partner-not-addressed'],
  },
  {
    method: 'get',
    path: '/partners/{partner}/reconcile',
    id: 'reconciliation',
    summary: 'How far the comparison is that runs or ran last, and what it found',
    answers: ok('Its progress', answers.reconciliation),
    refusals: ['partner-unknown', 'not-found'],
  },
  {
    method: 'post',
    path: '/partners/{partner}/test',
    id: 'testPartner',
    summary:
      'Try TLS, identity, GET, SUBSCRIBE with its NOTIFY, and PUT and DELETE of a canary against the live partner',
    answers: ok('What works', answers.partnerTest),
    refusals: ['partner-unknown'],
  },
  {
    method: 'delete',
    path: '/partners/{partner}',
    id: 'forgetPartner',
    summary: 'Remove all that is kept of a partner that is configured no more',
    answers: ok('What was removed', answers.partnerForgotten),
    refusals: ['partner-unknown', 'not-found', 'forbidden'],
  },
  {
    method: 'get',
    path: '/deliveries',
    id: 'listDeliveries',
    limited: 'filtered',
    summary: 'The outbox',
    query: {
      partner,
      state: { description: 'only those in this state', schema: z.enum(['queued', 'delivered', 'parked', 'braked']) },
    },
    answers: ok('Deliveries', answers.deliveries),
  },
  {
    method: 'post',
    path: '/deliveries/{partner}/{groupId}/retry',
    id: 'retryDelivery',
    summary: 'Try a parked or waiting delivery now',
    answers: ok('Queued for now', answers.deliveryRetried),
    refusals: ['partner-unknown', 'not-found'],
  },
  {
    method: 'post',
    path: '/deliveries/{partner}/release',
    id: 'releaseBrake',
    summary: 'Let go everything that the brake holds for a partner',
    answers: ok('Released', answers.brakeReleased),
    refusals: ['partner-unknown'],
  },
  {
    method: 'post',
    path: '/deliveries/{partner}/{groupId}/release',
    id: 'releaseDelivery',
    summary: 'Let go one delivery that the brake holds',
    answers: ok('Released', answers.deliveryReleased),
    refusals: ['partner-unknown', 'not-found'],
  },
  {
    method: 'delete',
    path: '/deliveries/{partner}/{groupId}',
    id: 'dropDelivery',
    summary: 'Forget a delivery',
    answers: ok('Dropped', answers.deliveryDropped),
    refusals: ['partner-unknown', 'not-found'],
  },
  {
    method: 'get',
    path: '/subscriptions',
    id: 'listSubscriptions',
    summary: 'SIP subscriptions of others to us',
    answers: ok('Subscriptions', answers.subscriptions),
  },
  {
    method: 'get',
    path: '/journal',
    id: 'readJournal',
    summary: 'What was done, by whom, oldest first',
    query: {
      ...journalFilter,
      limit: { description: 'entries at most', schema: z.int().min(1).max(1000).default(200) },
    },
    answers: ok('Entries', answers.journal),
  },
  {
    method: 'get',
    path: '/journal/export',
    id: 'exportJournal',
    summary: 'Entries of the journal as JSON lines (application/x-ndjson), streamed',
    query: journalFilter,
    answers: ok('One entry on each line', answers.journalRecord),
  },
  {
    method: 'get',
    path: '/journal/verification',
    id: 'verifyJournal',
    summary: 'Whether the hash chain of the journal holds, and the first entry at which it does not',
    query: {
      anchor: {
        description: 'SEQUENCE:HASH of an earlier verification, that must be in the chain',
        schema: z.string(),
      },
    },
    answers: ok('The verdict', answers.journalVerdict),
  },
  {
    method: 'post',
    path: '/journal/erasure',
    id: 'erasePerson',
    summary:
      'Take a person out of the journal, whose chain still holds, and out of the authors of local edits and policy versions',
    body: z.strictObject({ person: z.string().describe('URI of an identity') }),
    answers: ok('From how many places the person was taken', answers.personErased),
  },
  {
    method: 'get',
    path: '/groups/{groupId}/provenance',
    id: 'explainGroup',
    summary:
      'Where the served copy of a foreign group comes from: source, policy, rules, local edits, who was notified',
    answers: ok('Its provenance', answers.provenance),
    refusals: ['not-found'],
  },
  {
    method: 'get',
    path: '/provenance',
    id: 'exportProvenance',
    summary: 'The provenance of all foreign groups as JSON lines (application/x-ndjson), streamed',
    query: { partner },
    answers: ok('One group on each line', answers.provenance),
    refusals: ['partner-unknown'],
  },
  {
    method: 'get',
    path: '/overlays',
    id: 'listOverlays',
    summary: 'Local edits of foreign groups, counted for each group',
    query: {
      after: { description: '`next` of the page before', schema: z.string() },
      limit: { description: 'groups on a page', schema: z.int().min(0).max(10_000).default(1000) },
    },
    answers: ok('A page of overlays', answers.overlays),
  },
  {
    method: 'get',
    path: '/overlays/{groupId}',
    id: 'showOverlay',
    summary: 'The local edits of one foreign group as RFC 5261 operations, with what conflicts',
    answers: ok('The edits', answers.overlay),
    refusals: ['not-found'],
  },
  {
    method: 'delete',
    path: '/overlays/{groupId}',
    id: 'dropOverlay',
    summary: 'Drop all local edits of a group and derive it again',
    answers: ok('What is left', answers.overlay),
    refusals: ['not-found', 'constraint-failure'],
  },
  {
    method: 'delete',
    path: '/overlays/{groupId}/edits/{edit}',
    id: 'dropEdit',
    summary: 'Drop one local edit and derive the group again',
    answers: ok('What is left', answers.overlay),
    refusals: ['not-found', 'constraint-failure'],
  },
  {
    method: 'post',
    path: '/overlays/{groupId}/rebase',
    id: 'rebaseOverlay',
    summary: 'Drop the edits that conflict, or let one edit act at another selector',
    bodyBytes: 65_536,
    body: z.strictObject({ edit: z.int().optional(), select: z.string().optional().describe('selector of RFC 5261') }),
    answers: ok('The edits', answers.overlay),
    refusals: ['not-found', 'constraint-failure'],
  },
  {
    method: 'get',
    path: '/policies',
    id: 'listPolicies',
    summary: 'The policy in force for each partner and direction, and those before it',
    answers: ok('Policies', answers.policies),
  },
  {
    method: 'post',
    path: '/policies/plan',
    id: 'planPolicy',
    summary: 'What a policy would do to all stored groups, as JSON lines (application/x-ndjson); changes nothing',
    body: policyBody,
    bodyBytes: policyBytes,
    answers: ok('Groups that change or would be refused, then the sums', answers.planLine),
    refusals: ['partner-unknown', 'not-found'],
  },
  {
    method: 'post',
    path: '/policies/activate',
    id: 'activatePolicy',
    summary: 'Bring a policy into force; groups are derived again in the background',
    body: policyBody,
    bodyBytes: policyBytes,
    answers: [accepted('The policies that are in force now', answers.policies)],
    refusals: ['partner-unknown', 'not-found'],
  },
  {
    method: 'post',
    path: '/policies/rollback',
    id: 'rollbackPolicy',
    summary: 'Bring the version before into force again',
    body: z.strictObject({ partner: z.string(), direction: z.enum(['inbound', 'outbound']).optional() }),
    answers: [accepted('The policies that are in force now', answers.policies)],
    refusals: ['partner-unknown', 'not-found'],
  },
  {
    method: 'get',
    path: '/openapi.json',
    id: 'describe',
    limited: 'harmless',
    summary: 'This description',
    answers: ok('OpenAPI 3.1', z.looseObject({ openapi: z.string() })),
  },
];

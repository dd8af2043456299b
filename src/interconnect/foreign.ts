// Foreign groups as this system keeps them: source checked, policy applied, result checked, both stored together.
// Provision, request, revalidation and a changed policy all end here.
import type { ForeignGroup, Preconditions, PutOutcome } from '../documents/documents.ts';
import type { PolicyContext } from '../policy/policy.ts';
import { Refusal, type RefusalCode } from '../refusals.ts';
import type { InterconnectionContext } from './context.ts';
import { contextOf, derive } from './derive.ts';
import { entry, type InterconnectionAction } from './journal.ts';
import type { PartnerSettings } from './partners.ts';

/** One arrival of a foreign group. */
export interface Arrival {
  readonly partner: PartnerSettings;
  readonly groupId: string;
  readonly source: Uint8Array;
  readonly primaryTag?: string | undefined;
  /** Compare the tag of the source held. */
  readonly preconditions: Preconditions;
  readonly actor: string;
  readonly action: InterconnectionAction;
}

/**
 * TS 23.280 clause 10.2.7, modify and store: durable when it resolves. Throws the Refusal of a source that is no valid document of the
 * group, of a policy, or of a precondition; nothing is stored then.
 */
export async function storeForeign(context: InterconnectionContext, arrival: Arrival): Promise<PutOutcome> {
  return context.foreignWrites.run(arrival.groupId, () => store(context, arrival));
}

async function store(context: InterconnectionContext, arrival: Arrival): Promise<PutOutcome> {
  const { documents } = context;
  const { partner, groupId, source, actor } = arrival;
  await documents.checkGroup(groupId, source);
  const { inbound } = partner;
  const { isServed } = context.current().partners;
  const rulesSee = contextOf(partner, 'inbound', groupId, isServed);
  const derivation = await inbound.apply(source, rulesSee);
  const appliedRules = derivation.applied.map(({ rule }) => rule);
  const detail = {
    partner: partner.configuration.name,
    policy: inbound.name,
    policyVersion: inbound.version,
    rules: appliedRules.join(', '),
  };
  const group: ForeignGroup = {
    groupId,
    partner: partner.configuration.name,
    source,
    primaryTag: arrival.primaryTag ?? (await knownTag(context, groupId, source)),
    served: derivation.bytes,
    policy: inbound.name,
    policyVersion: inbound.version,
    appliedRules,
    actor,
    journal: [entry(context.clock, actor, arrival.action, groupId, detail)],
  };
  try {
    return await documents.putForeign(group, arrival.preconditions);
  } catch (error) {
    if (error instanceof Refusal && contentFaults.has(error.code)) await nameCulprit(context, arrival, rulesSee);
    throw error;
  }
}

/** The primary's tag of bytes that are held already: who provides does not tell it, and without it revalidation is not conditional. */
async function knownTag(
  { documents }: InterconnectionContext,
  groupId: string,
  source: Uint8Array,
): Promise<string | undefined> {
  const held = await documents.findSource(groupId);
  return held !== undefined && Buffer.compare(held.bytes, source) === 0 ? held.primaryTag : undefined;
}

/** What putForeign refuses because of the derived document itself. */
const contentFaults: ReadonlySet<RefusalCode> = new Set([
  'not-well-formed',
  'not-utf-8',
  'schema-validation-error',
  'uniqueness-failure',
  'constraint-failure',
  'document-too-large',
]);

/** Derives once more, judging every step, so that the refusal names the rule that broke the document. */
async function nameCulprit(
  context: InterconnectionContext,
  { partner, source }: Arrival,
  rulesSee: PolicyContext,
): Promise<void> {
  await derive(context.documents, partner.inbound, source, rulesSee);
}

/**
 * Applies the policy of now to the kept source of a foreign group. An unchanged result causes no NOTIFY. Throws the Refusal of a policy
 * that does not accept the source any more; what was served before is then left as it is.
 */
export async function deriveAgain(
  context: InterconnectionContext,
  partner: PartnerSettings,
  groupId: string,
): Promise<void> {
  const held = await context.documents.findSource(groupId);
  if (held === undefined || held.partner !== partner.configuration.name) return;
  await storeForeign(context, {
    partner,
    groupId,
    source: held.bytes,
    primaryTag: held.primaryTag,
    preconditions: { ifMatch: [held.tag] },
    actor: 'system',
    action: 'derivation-renewed',
  });
}

// Foreign groups as this system keeps them: source checked, policy applied, result checked, both stored together.
// Provision, request, revalidation and a changed policy all end here.
import type { ForeignGroup, Preconditions, PutOutcome } from '../documents/documents.ts';
import type { OverlayChange } from '../documents/overlay.ts';
import type { PolicyContext } from '../policy/policy.ts';
import { Refusal, type RefusalCode } from '../refusals.ts';
import type { SourceRecord } from '../store/store.ts';
import { judgeAgreement, listsOf, notActive } from './agreement.ts';
import { isCanary } from './canary.ts';
import type { InterconnectionContext } from './context.ts';
import { contextOf, derive } from './derive.ts';
import { entry, type InterconnectionAction } from './journal.ts';
import type { PartnerSettings } from './partners.ts';

/** One arrival of a foreign group. */
export interface Arrival {
  readonly partner: PartnerSettings;
  readonly groupId: string;
  readonly source: Uint8Array;
  /** Absent = as known of the same bytes: who provides does not tell it, and without it revalidation is not conditional. */
  readonly primaryTag?: string | undefined;
  /** When the primary sent it, by its own clock: ISO 8601. */
  readonly sent?: string | undefined;
  /** Compare the tag of the source held. */
  readonly preconditions: Preconditions;
  readonly actor: string;
  readonly action: InterconnectionAction;
  /** Only what was released is derived again; the source, held already, goes on waiting. */
  readonly released?: Uint8Array | undefined;
  /** Changes the local edits of the group before they are replayed. */
  readonly overlay?: OverlayChange | undefined;
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
  const { groupId, source, actor } = arrival;
  // Settings may have changed while it waited for its turn: what is stored after a change is derived by what is in force then.
  const partner = context.current().partners.named(arrival.partner.configuration.name) ?? arrival.partner;
  await documents.checkGroup(groupId, source);
  const held = await documents.findSource(groupId);
  const isSame = held !== undefined && areSame(held.bytes, source);
  if (!isSame && isOlder(arrival.sent, held)) {
    throw new Refusal('precondition-failed', {
      cause: `sent ${arrival.sent}, but what is held was sent ${held?.sent}`,
    });
  }
  // What is served already needs no release, neither when nothing newer came nor when the primary went back to it.
  const servedNow = held?.heldSince === undefined ? held?.bytes : held.released;
  const isReleased = arrival.action === 'group-released' || (servedNow !== undefined && areSame(servedNow, source));
  // What is there to be tried with is kept and answered like any other group, and reaches nobody.
  const hold =
    isCanary(partner.configuration, groupId) || (partner.configuration.agreement.accept === 'manual' && !isReleased);
  const { inbound } = partner;
  const rulesSee = contextOf(partner, 'inbound', groupId, context.current().partners);
  const derivation = await inbound.apply(arrival.released ?? source, rulesSee);
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
    primaryTag: arrival.primaryTag ?? (isSame ? held?.primaryTag : undefined),
    served: hold && arrival.released === undefined ? undefined : derivation.bytes,
    released: arrival.released,
    // The same content once more must not make what came in between look new.
    sent: isSame ? later(arrival.sent, held?.sent) : arrival.sent,
    policy: inbound.name,
    policyVersion: inbound.version,
    appliedRules,
    derivation: { policyDigest: inbound.digest, rules: derivation.applied },
    overlay: arrival.overlay,
    actor,
    journal: [entry(context.clock, actor, arrival.action, groupId, hold ? { ...detail, held: true } : detail)],
  };
  // What is only kept must be as sound as what is served: its release shall not fail for reasons known now.
  if (hold && arrival.released === undefined) await nameCulprit(context, { ...arrival, partner }, rulesSee);
  try {
    const outcome = await documents.putForeign(group, arrival.preconditions);
    context.staleness.forget(groupId);
    return outcome;
  } catch (error) {
    if (error instanceof Refusal && contentFaults.has(error.code))
      await nameCulprit(context, { ...arrival, partner }, rulesSee);
    throw error;
  }
}

function areSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

function later(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Date.parse(one) < Date.parse(other) ? other : one;
}

/** A sender whose clock was ahead by more than this when a message came cannot be compared with, milliseconds. */
export const clockTolerance = 60_000;

/** True for a message that its sender originated before what is held, ISO 8601: it was replayed, or held up on its way. */
export function isOlder(sent: string | undefined, held: SourceRecord | undefined): boolean {
  if (sent === undefined || held?.sent === undefined) return false;
  if (Date.parse(held.sent) - Date.parse(held.received) > clockTolerance) return false;
  return Date.parse(sent) < Date.parse(held.sent);
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
  { partner, source, released }: Arrival,
  rulesSee: PolicyContext,
): Promise<void> {
  await derive(context.documents, partner.inbound, released ?? source, rulesSee);
}

/**
 * Applies the policy of now to the kept source of a foreign group; where newer bytes wait for a release, to those that were released
 * before. An unchanged result causes no NOTIFY. Resolves with undefined when there is nothing to derive. Throws the Refusal of a policy
 * that does not accept the source any more; what was served before is then left as it is.
 */
export async function deriveAgain(
  context: InterconnectionContext,
  partner: PartnerSettings,
  groupId: string,
): Promise<PutOutcome | undefined> {
  return context.foreignWrites.run(groupId, async () => {
    const held = await context.documents.findSource(groupId);
    if (held === undefined || held.partner !== partner.configuration.name) return undefined;
    return deriveHeld(context, partner, held, again(partner, held, 'system', 'derivation-renewed'));
  });
}

/**
 * Changes the local edits of a foreign group and derives it again, in one commit. Throws the Refusal of `change`, and of a policy that does
 * not accept the source any more; nothing is changed then.
 */
export async function changeLocalEdits(
  context: InterconnectionContext,
  groupId: string,
  change: OverlayChange,
  actor: string,
): Promise<void> {
  await context.foreignWrites.run(groupId, async () => {
    const held = await context.documents.findSource(groupId);
    const partner = held && context.current().partners.named(held.partner);
    const derived =
      held === undefined || partner === undefined
        ? undefined
        : await deriveHeld(context, partner, held, {
            ...again(partner, held, actor, 'overlay-changed'),
            overlay: change,
          });
    // Nothing is served that they could be replayed on.
    if (derived === undefined) await context.documents.changeOverlay(groupId, change, actor);
  });
}

async function deriveHeld(
  context: InterconnectionContext,
  partner: PartnerSettings,
  held: SourceRecord,
  arrival: Arrival,
): Promise<PutOutcome | undefined> {
  if (held.heldSince === undefined || partner.configuration.agreement.accept === 'automatic') {
    return store(context, arrival);
  }
  // Policy acts on what is held at its release.
  return held.released === undefined ? undefined : store(context, { ...arrival, released: held.released });
}

/**
 * Serves what waited for an operator, by the policy of now. Throws `not-found` when nothing of this group waits, and the Refusal of a
 * policy that does not accept it any more.
 */
export async function releaseForeign(
  context: InterconnectionContext,
  groupId: string,
  actor: string,
): Promise<PutOutcome> {
  return context.foreignWrites.run(groupId, async () => {
    const held = await context.documents.findSource(groupId);
    if (held?.heldSince === undefined)
      throw new Refusal('not-found', { phrase: 'Nothing of this group waits for a release' });
    const partner = context.current().partners.named(held.partner);
    if (partner === undefined) throw new Refusal('partner-unknown');
    const verdict = judgeAgreement(partner.configuration.agreement, listsOf.inbound, groupId, context.clock.now());
    if (verdict.verdict === 'not-covered') throw new Refusal('agreement-does-not-cover');
    if (verdict.verdict === 'not-active') throw notActive(verdict.why);
    if (isCanary(partner.configuration, groupId))
      throw new Refusal('forbidden', { phrase: 'The group is a canary: it is never served' });
    return store(context, again(partner, held, actor, 'group-released'));
  });
}

function again(
  partner: PartnerSettings,
  held: SourceRecord,
  actor: string,
  action: 'derivation-renewed' | 'group-released' | 'overlay-changed',
): Arrival {
  const { groupId, bytes: source, primaryTag, sent, tag } = held;
  return { partner, groupId, source, primaryTag, sent, preconditions: { ifMatch: [tag] }, actor, action };
}

// What another policy would do to all groups that are stored, without changing anything: for each group, whether and by which rules.
import { setImmediate } from 'node:timers/promises';
import { groupsAuid } from '../documents/application-usage.ts';
import { entityTag } from '../documents/entity-tag.ts';
import type { Policy, PolicyContext } from '../policy/policy.ts';
import { Refusal } from '../refusals.ts';
import { judgeAgreement, listsOf } from './agreement.ts';
import type { InterconnectionContext } from './context.ts';
import { contextOf, derive } from './derive.ts';
import { causeOf } from './journal.ts';
import { hasMemberOf, type PartnerSettings } from './partners.ts';

/** What the policy would do to one group. */
export interface PreviewedGroup {
  readonly groupId: string;
  readonly partner: string;
  readonly direction: PolicyContext['direction'];
  /** `refused`: what is there now would stay; towards a partner, nothing more would be provided. */
  readonly outcome: 'changed' | 'unchanged' | 'refused';
  /** Rules that change something, with how many places. */
  readonly rules: readonly { readonly rule: string; readonly changes: number }[];
  /** Tags of what is served or provided now, and of what would be. */
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  /** Local edits that would not apply. */
  readonly conflicts?: number | undefined;
  readonly code?: string | undefined;
  readonly cause?: string | undefined;
}

const pageSize = 500;

/** Runs `policy` over all stored groups that `partner`'s policy of this direction acts on. Changes nothing. */
export async function* previewPolicy(
  context: InterconnectionContext,
  partner: PartnerSettings,
  direction: PolicyContext['direction'],
  policy: Policy,
): AsyncGenerator<PreviewedGroup> {
  const groups = direction === 'inbound' ? foreignGroups(context, partner) : homeGroups(context, partner);
  const about = { partner: partner.configuration.name, direction };
  for await (const groupId of groups) {
    const preview = direction === 'inbound' ? previewInbound : previewOutbound;
    try {
      const found = await preview(context, partner, groupId, policy);
      if (found !== undefined) yield { groupId, ...about, ...found };
    } catch (error) {
      if (!(error instanceof Refusal) || error.code === 'unavailable') throw error;
      yield { groupId, ...about, outcome: 'refused', rules: [], ...causeOf(error) };
    }
    await setImmediate();
  }
}

type Preview = Omit<PreviewedGroup, 'groupId' | 'partner' | 'direction'>;

async function previewInbound(
  context: InterconnectionContext,
  partner: PartnerSettings,
  groupId: string,
  policy: Policy,
): Promise<Preview | undefined> {
  const { documents } = context;
  const held = await documents.findSource(groupId);
  const source = held?.heldSince === undefined ? held?.bytes : held.released;
  if (source === undefined) return undefined;
  const { bytes, applied } = await derive(documents, policy, source, rulesSee(context, partner, 'inbound', groupId));
  const { tag, conflicts } = await documents.previewForeign(groupId, bytes);
  const before = (await documents.findGroup(groupId))?.tag;
  return { ...compared(before, tag), rules: counted(applied), ...(conflicts === 0 ? {} : { conflicts }) };
}

async function previewOutbound(
  context: InterconnectionContext,
  partner: PartnerSettings,
  groupId: string,
  policy: Policy,
): Promise<Preview | undefined> {
  const { documents } = context;
  const document = await documents.findGroup(groupId);
  if (document?.group === undefined || !hasMemberOf(partner.configuration, document.group)) return undefined;
  const sees = rulesSee(context, partner, 'outbound', groupId);
  const { bytes, applied } = await derive(documents, policy, document.bytes, sees);
  const before = await derive(documents, partner.outbound, document.bytes, sees).then(
    (now) => entityTag(now.bytes),
    () => undefined,
  );
  return { ...compared(before, entityTag(bytes)), rules: counted(applied) };
}

function rulesSee(
  context: InterconnectionContext,
  partner: PartnerSettings,
  direction: PolicyContext['direction'],
  groupId: string,
): PolicyContext {
  return contextOf(partner, direction, groupId, context.current().partners);
}

function compared(before: string | undefined, after: string): Pick<PreviewedGroup, 'outcome' | 'before' | 'after'> {
  return { outcome: before === after ? 'unchanged' : 'changed', ...(before === undefined ? {} : { before }), after };
}

function counted(applied: Awaited<ReturnType<typeof derive>>['applied']): PreviewedGroup['rules'] {
  return applied.map(({ rule, changes, unlisted = 0 }) => ({ rule, changes: changes.length + unlisted }));
}

async function* foreignGroups(
  { store, clock }: InterconnectionContext,
  { configuration: { agreement, name } }: PartnerSettings,
): AsyncGenerator<string> {
  for (const { groupId } of await store.sourceStates(name)) {
    if (judgeAgreement(agreement, listsOf.inbound, groupId, clock.now()).verdict === 'allowed') yield groupId;
  }
}

async function* homeGroups(
  { documents, clock }: InterconnectionContext,
  { configuration: { agreement } }: PartnerSettings,
): AsyncGenerator<string> {
  const filter = { auid: groupsAuid, tree: 'users' as const, groups: true, limit: pageSize };
  let page = await documents.list(filter);
  while (page.length > 0) {
    for (const { groupId } of page) {
      if (groupId === undefined) continue;
      if (judgeAgreement(agreement, listsOf.outbound, groupId, clock.now()).verdict === 'allowed') yield groupId;
    }
    const after = page.at(-1)?.key;
    page = page.length < pageSize || after === undefined ? [] : await documents.list({ ...filter, after });
  }
}

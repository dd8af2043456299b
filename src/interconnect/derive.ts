// From the bytes that one side holds to those that the other may see: policy, the agreement's services, and a check before and after.
// Both directions go through here, so that nothing unchecked is stored and nothing unchecked leaves.
import type { Documents } from '../documents/documents.ts';
import type { Derivation, Policy, PolicyContext, PolicyUsers } from '../policy/policy.ts';
import { sharedServices } from './agreement.ts';
import type { PartnerSettings, Partners } from './partners.ts';

/**
 * Applies `policy` to `bytes` that are known to be a valid document of the group. Throws the Refusal of a rule, or of a rule that left
 * an invalid document behind, naming it.
 */
export async function derive(
  documents: Pick<Documents, 'checkGroup'>,
  policy: Policy,
  bytes: Uint8Array,
  context: PolicyContext,
): Promise<Derivation> {
  return policy.apply(bytes, context, async (derived) => {
    await documents.checkGroup(context.groupId, derived);
  });
}

/** What a rule may know beside the document. */
export function contextOf(
  partner: PartnerSettings,
  direction: PolicyContext['direction'],
  groupId: string,
  partners: Pick<Partners, 'isServed' | 'isOfEither'> & Partial<Pick<Partners, 'system'>>,
): PolicyContext {
  const { configuration } = partner;
  const { agreement, name } = configuration;
  const { thirdSystemMembers: treatment } = agreement;
  return {
    partner: name,
    direction,
    groupId,
    services: sharedServices(agreement, direction, groupId),
    isServed: partners.isServed,
    users: partners.system === undefined ? undefined : usersOf(partners.system, configuration),
    ...(treatment === 'keep'
      ? {}
      : { thirdSystemMembers: { treatment, isOfEither: (identity) => partners.isOfEither(configuration, identity) } }),
  };
}

/** The answers of `Partners` to the questions of rules as plain data. */
function usersOf(system: Partners['system'], partner: PartnerSettings['configuration']): PolicyUsers {
  const { domains, servedUsers, awayUsers } = system;
  return {
    own: { domains, servedUsers, awayUsers },
    either: {
      domains: [...domains, ...partner.domains],
      users: [...servedUsers, ...awayUsers, ...(partner.servedUsers ?? [])],
    },
  };
}

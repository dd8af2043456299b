// Frees the policies that settings do not use any more: their compiled expressions lie outside of the garbage collector's reach.
import type { InterconnectionSettings } from '../interconnect/partners.ts';
import type { Policy } from '../policy/policy.ts';

/** Closes every policy that the settings do not use, once. Derivations under way end as they would. */
export function closeUnused(policies: Iterable<Policy>, settings: InterconnectionSettings): void {
  const used = new Set(policiesOf(settings));
  for (const policy of new Set(policies)) if (!used.has(policy)) policy.close();
}

/** The policies that settings use. */
export function policiesOf({ partners }: InterconnectionSettings): readonly Policy[] {
  return partners.flatMap(({ inbound, outbound }) => [inbound, outbound]);
}

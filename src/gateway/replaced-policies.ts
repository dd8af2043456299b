// Frees the policies that a change of settings has replaced: their compiled expressions lie outside of the garbage collector's reach.
import type { InterconnectionSettings } from '../interconnect/partners.ts';
import type { Policy } from '../policy/policy.ts';

/** Closes every policy of `before` that `after` does not use. Derivations under way end as they would. */
export function closeReplaced(before: InterconnectionSettings, after: InterconnectionSettings): void {
  const used = new Set(policiesOf(after));
  for (const policy of policiesOf(before)) if (!used.has(policy)) policy.close();
}

function policiesOf({ partners }: InterconnectionSettings): readonly Policy[] {
  return partners.flatMap(({ inbound, outbound }) => [inbound, outbound]);
}

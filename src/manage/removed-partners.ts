// Partners that the configuration names no more, of which something is still kept; and the check of a partner's name in a query.
import type { PartnerConfiguration } from '../config/schema.ts';
import { Refusal } from '../refusals.ts';
import type { Store } from '../store/store.ts';

/** Names of partners that are not configured but have groups or deliveries here, sorted. */
export async function removedPartners(
  store: Pick<Store, 'sourceStates' | 'deliveryCounts'>,
  configured: readonly PartnerConfiguration[],
): Promise<readonly string[]> {
  const names = new Set<string>();
  for (const { partner } of await store.sourceStates()) names.add(partner);
  for (const { partner } of await store.deliveryCounts()) names.add(partner);
  for (const { name } of configured) names.delete(name);
  return [...names].sort();
}

/** Throws `partner-unknown`, which names those that there are, unless `name` is configured or something of it is kept. */
export async function checkPartnerName(
  store: Pick<Store, 'sourceStates' | 'deliveryCounts'>,
  configured: readonly PartnerConfiguration[],
  name: string,
): Promise<void> {
  if (configured.some((partner) => partner.name === name)) return;
  const removed = await removedPartners(store, configured);
  if (removed.includes(name)) return;
  const known = [...configured.map((partner) => partner.name), ...removed.map((one) => `${one} (configured no more)`)];
  const told = known.length === 0 ? 'there are none' : `there are ${known.join(', ')}`;
  throw new Refusal('partner-unknown', { phrase: `No partner ${name}: ${told}` });
}

// The canary: a group without members by which a live interconnection is tried. It is agreed by configuration or marked by its name, and
// never served to anybody.
import type { AgreementConfiguration, PartnerConfiguration } from '../config/schema.ts';
import { canonicalUri } from '../identity/uri.ts';
import { type AgreementList, isCovered } from './agreement.ts';

/** What stands in the ID of a group that is there to be tried with. */
const marker = 'mcgw-canary';

/** True for a group (canonical ID) that is only there to be tried with: named as a canary of the partner, or marked by its name. */
export function isCanary(partner: Pick<PartnerConfiguration, 'canaries'>, groupId: string): boolean {
  return groupId.includes(marker) || configured(partner).includes(groupId);
}

/**
 * The canary (canonical ID) that one of the `lists` covers: the first configured one for which `isHome` holds, or a marked one made from
 * the patterns and the domains of its home. Undefined when the agreement leaves no room for one.
 */
export function canaryFor(
  partner: Pick<PartnerConfiguration, 'canaries' | 'agreement'>,
  lists: readonly AgreementList[],
  domains: readonly string[],
  isHome: (groupId: string) => boolean,
): string | undefined {
  const { agreement } = partner;
  const fits = (groupId: string): boolean => isHome(groupId) && isCovered(agreement, lists, groupId);
  return configured(partner).find(fits) ?? candidates(agreement, lists, domains).find(fits);
}

function candidates(
  agreement: AgreementConfiguration,
  lists: readonly AgreementList[],
  domains: readonly string[],
): readonly string[] {
  const plain = domains.map((domain) => `sip:${marker}@${domain}`);
  const patterns = lists.flatMap((list) => agreement[list].map(({ groups }) => groups));
  // A pattern such as `sip:border-*@red.example` has room for the marker where its asterisk stands.
  const filled = patterns
    .filter((pattern) => pattern.includes('*'))
    .flatMap((pattern) => domains.map((domain) => fill(pattern, domain)));
  return [...plain, ...filled].flatMap((text) => canonicalUri(text) ?? []);
}

function fill(pattern: string, domain: string): string {
  const [user = '', host] = pattern.split('@');
  if (host?.includes('*') === true) return `${user.replaceAll('*', marker)}@${domain}`;
  if (host === undefined) return pattern.replace('*', `${marker}@${domain}`);
  return pattern.replace('*', marker).replaceAll('*', '');
}

function configured({ canaries }: Pick<PartnerConfiguration, 'canaries'>): readonly string[] {
  return canaries.map((groupId) => canonicalUri(groupId) ?? groupId);
}

// Does the agreement with a partner let something happen to a group: state, validity, patterns and services, purely.
// Everything not named is refused (TS 23.280 clause 10.2.7: "is authorized to provide", "is authorized to request").
import type { AgreementConfiguration, GroupPattern, McService } from '../config/schema.ts';
import { matchesPattern, uriDomain } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';

/** The lists of an agreement, seen from us. */
export type AgreementList = 'theyProvide' | 'weRequest' | 'weProvide' | 'theyRequest';

export type Inactivity = 'dormant' | 'suspended' | 'not yet valid' | 'no longer valid';

export type AgreementVerdict =
  | { readonly verdict: 'allowed' }
  /** No pattern covers the group: nothing about it may be told. */
  | { readonly verdict: 'not-covered' }
  /** A pattern covers the group, but not now: that may be told. */
  | { readonly verdict: 'not-active'; readonly why: Inactivity };

/** Both ways in which a group crosses the border in a direction. */
export const listsOf = {
  inbound: ['theyProvide', 'weRequest'],
  outbound: ['weProvide', 'theyRequest'],
} as const satisfies Record<string, readonly AgreementList[]>;

/** Judges one group (canonical ID) against any of the `lists` at an instant (milliseconds since 1970). */
export function judgeAgreement(
  agreement: AgreementConfiguration,
  lists: readonly AgreementList[],
  groupId: string,
  now: number,
): AgreementVerdict {
  if (!isCovered(agreement, lists, groupId)) return { verdict: 'not-covered' };
  const why = inactivity(agreement, now);
  return why === undefined ? { verdict: 'allowed' } : { verdict: 'not-active', why };
}

/**
 * Services of a group that may cross the border in a direction; absent = all. The same for provision and request, so that both bring
 * the same document.
 */
export function sharedServices(
  agreement: AgreementConfiguration,
  direction: keyof typeof listsOf,
  groupId: string,
): readonly McService[] | undefined {
  const shared = new Set<McService>();
  for (const list of listsOf[direction]) {
    for (const pattern of agreement[list]) {
      if (!covers(pattern, groupId)) continue;
      if (pattern.services === undefined) return undefined;
      for (const service of pattern.services) shared.add(service);
    }
  }
  return [...shared];
}

/** True when a pattern of one of the `lists` covers the group, whatever the state of the agreement. */
export function isCovered(
  agreement: AgreementConfiguration,
  lists: readonly AgreementList[],
  groupId: string,
): boolean {
  return lists.some((list) => agreement[list].some((pattern) => covers(pattern, groupId)));
}

/** Why the agreement lets nothing pass at an instant; undefined when it is active. */
export function inactivity(agreement: AgreementConfiguration, now: number): Inactivity | undefined {
  if (agreement.state !== 'active') return agreement.state;
  const { validFrom, validUntil } = agreement;
  if (validFrom !== undefined && now < Date.parse(validFrom)) return 'not yet valid';
  if (validUntil !== undefined && now >= Date.parse(validUntil)) return 'no longer valid';
  return undefined;
}

/** The refusal of something inside the patterns of an agreement that is not in force. */
export function notActive(why: Inactivity): Refusal {
  return new Refusal('agreement-not-active', { phrase: `The agreement with the partner is ${why}` });
}

/** True when the agreement is over and what it brought is to be withdrawn. */
export function isToBeUndone(agreement: AgreementConfiguration, now: number): boolean {
  return agreement.atEnd === 'withdraw' && inactivity(agreement, now) === 'no longer valid';
}

/** The next instant (milliseconds since 1970) at which the agreement begins or ends by itself; undefined when there is none. */
export function nextTurn({ validFrom, validUntil }: AgreementConfiguration, now: number): number | undefined {
  const turns = [validFrom, validUntil].map((instant) => Date.parse(instant ?? '')).filter((turn) => turn > now);
  return turns.length === 0 ? undefined : Math.min(...turns);
}

function covers(pattern: GroupPattern, groupId: string): boolean {
  // An identity without a domain is never caught by a pattern that was meant for domains.
  if (uriDomain(groupId) === undefined && !namesScheme(pattern.groups, groupId)) return false;
  return matchesPattern(pattern.groups, groupId);
}

function namesScheme(pattern: string, groupId: string): boolean {
  return pattern.toLowerCase().startsWith(groupId.slice(0, groupId.indexOf(':') + 1));
}

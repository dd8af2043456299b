// What TS 24.481 clause 7.2 demands of group documents and no schema can say. Pure over the facts; knows no store.

import type { McService } from '../config/schema.ts';
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { GroupFacts, ListServiceFacts } from '../xml/group-document.ts';
import { serviceOfEnabler } from '../xml/group-document.ts';
import type { MemberEntry, MemberList } from '../xml/member-list.ts';
import { namespaces } from '../xml/names.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { atOnce } from '../xml/turns.ts';
import { nodePath, type RepeatedValue, repeatedValues } from './node-path.ts';

/** RFC 4825 clause 11.1: where a group ID stands in a document with one list-service. */
export const groupIdField = 'group/list-service/@uri';

/** An identity that each entry must carry when the group supports the service, TS 24.481 clause 7.2.8. */
interface NeededIdentity {
  readonly service: McService;
  readonly name: string;
  readonly of: (entry: MemberEntry) => string | undefined;
}

const serviceIdentities: readonly NeededIdentity[] = [
  { service: 'mcvideo', name: 'MCVideo ID', of: (entry) => entry.mcvideoId },
  { service: 'mcdata', name: 'MCData ID', of: (entry) => entry.mcdataId },
];

/**
 * Checks a group document that its schema has accepted and returns the canonical group IDs of its list-service elements, in document order.
 * Throws Refusal `uniqueness-failure` (a URI used twice) or `constraint-failure` for the first broken rule.
 */
export function checkGroupDocument(index: OffsetIndex, group: GroupFacts): readonly string[] {
  return atOnce(checkingGroupDocument(index, group));
}

/** The same in slices, for long lists. `before`: facts of the document before an edit, which has passed this check. */
export function* checkingGroupDocument(
  index: OffsetIndex,
  group: GroupFacts,
  before?: GroupFacts,
): Generator<void, readonly string[]> {
  if (group.listServices.length === 0) throw broken('A group document needs at least one list-service');
  const isPaired = before?.listServices.length === group.listServices.length;
  const unknown = group.listServices.filter((listService, number) => {
    const counterpart = isPaired ? before?.listServices[number] : undefined;
    return counterpart === undefined || !isRightAgain(listService, counterpart);
  });
  // RFC 4825 8.2.5: uniqueness first, then other constraints
  yield* checkUniqueness(index, group.listServices, unknown);
  const groupIds: string[] = [];
  for (const listService of group.listServices) {
    groupIds.push(checkedUri(index, listService.element, listService.uri));
    checkServices(index, listService);
    if (unknown.includes(listService)) yield* checkEntries(index, listService);
    checkRuleIds(index, listService);
  }
  return groupIds;
}

/** Finds group IDs that several list-services have, and members that stand twice in one of `unknown`. */
function* checkUniqueness(
  index: OffsetIndex,
  listServices: readonly ListServiceFacts[],
  unknown: readonly ListServiceFacts[],
): Generator<void> {
  const repeated: RepeatedValue[] = [];
  const groupIds = new Set<string>();
  for (const { element, uri } of listServices) {
    const groupId = canonicalUri(uri);
    if (groupId === undefined) continue;
    if (groupIds.has(groupId)) repeated.push({ element, attribute: 'uri' });
    groupIds.add(groupId);
  }
  for (const { members } of unknown) {
    const seen = new Set<string>();
    let looked = 0;
    for (const { element, member } of members.entries) {
      if (++looked % entriesAtOnce === 0) yield;
      if (member === undefined) continue;
      // RFC 3261 19.1.4: two spellings of one URI are one member
      if (seen.has(member)) repeated.push({ element, attribute: 'uri' });
      seen.add(member);
    }
  }
  if (repeated.length > 0) throw repeatedValues(index, repeated);
}

/**
 * The refusal of a group ID that another document has, that does not belong here, or that is not the addressed one.
 * TS 24.481 clause 6.3.2.3: values that would be accepted may be offered.
 */
export function groupIdRefusal(phrase: string, altValues: readonly string[] = [], field = groupIdField): Refusal {
  return new Refusal('uniqueness-failure', { phrase, exists: [{ field, altValues }] });
}

// TS 24.481 7.2.2: supported-services shall be there, with at least one service
function checkServices(index: OffsetIndex, listService: ListServiceFacts): void {
  if (listService.enablers === undefined) throw broken('A group needs supported-services');
  if (listService.enablers.length > 0) return;
  const supported = index.firstNamed(listService.element, namespaces.omaExtensions, 'supported-services');
  const allExcept =
    supported === undefined ? undefined : index.firstNamed(supported, namespaces.omaExtensions, 'all-services-except');
  if (allExcept === undefined) throw broken('supported-services needs at least one service');
}

/** Entries between two places where checking can be interrupted. */
const entriesAtOnce = 256;

function neededIdentities({ enablers }: ListServiceFacts): readonly NeededIdentity[] {
  const offered = new Set((enablers ?? []).map(serviceOfEnabler));
  return serviceIdentities.filter(({ service }) => offered.has(service));
}

/** Whether the entries are right, given that those before the edit were: only the few that it has brought are looked at. */
function isRightAgain(listService: ListServiceFacts, before: ListServiceFacts): boolean {
  const { members } = listService;
  const { added } = members;
  const needed = neededIdentities(listService);
  const neededBefore = neededIdentities(before);
  if (added === undefined || added.length > entriesAtOnce || !needed.every((one) => neededBefore.includes(one))) {
    return false;
  }
  return added.every((entry) => isRight(entry, members, needed));
}

function isRight(entry: MemberEntry, members: MemberList, needed: readonly NeededIdentity[]): boolean {
  if (entry.member === undefined || members.entriesOf(entry.member) !== 1) return false;
  return needed.every(({ of }) => canonicalUri(of(entry) ?? '') !== undefined);
}

function* checkEntries(index: OffsetIndex, listService: ListServiceFacts): Generator<void> {
  const needed = neededIdentities(listService);
  let looked = 0;
  for (const entry of listService.members.entries) {
    if (++looked % entriesAtOnce === 0) yield;
    checkedUri(index, entry.element, entry.uri);
    for (const { of, name } of needed) {
      const identity = of(entry);
      if (identity === undefined) {
        throw broken(`${nodePath(index, entry.element)} needs an ${name}: the group supports the service`);
      }
      if (canonicalUri(identity) === undefined) {
        throw broken(`The ${name} of ${nodePath(index, entry.element)} is not a URI`);
      }
    }
  }
}

// RFC 4745 13: the id of a rule is an xs:ID
function checkRuleIds(index: OffsetIndex, listService: ListServiceFacts): void {
  const ids = new Set<string>();
  for (const rule of listService.rules) {
    if (ids.has(rule.id)) throw broken(`${nodePath(index, rule.element)} repeats the id of another rule`);
    ids.add(rule.id);
  }
}

function checkedUri(index: OffsetIndex, element: ElementId, uri: string): string {
  const canonical = canonicalUri(uri);
  if (canonical === undefined) throw broken(`${nodePath(index, element, 'uri')} is not a URI`);
  return canonical;
}

function broken(phrase: string): Refusal {
  return new Refusal('constraint-failure', { phrase });
}

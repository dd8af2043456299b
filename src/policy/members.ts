// The members rule: takes identities out of every position that holds one, and never widens anybody's rights by that.
// Authorisation rules follow RFC 4745: only grants, children of `identity` combine by OR, `except` takes away.
import { canonicalUri, uriDomain } from '../identity/uri.ts';
import { namespaces } from '../xml/names.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { type ElementPaths, type PolicyEdit, removal } from './edits.ts';
import { authorisationRules, listServices, strayIdentities } from './group-parts.ts';
import { canonicalDomain, type IdentityFilter, identityFilter, refuseUnresolved } from './identity-filter.ts';
import type { MembersFile } from './policy-schema.ts';

/** Plans the edits of a members rule. Throws Refusal `constraint-failure` for identities that it cannot resolve or judge. */
export function planMembers(
  index: OffsetIndex,
  paths: ElementPaths,
  members: MembersFile,
  isServed: (identity: string) => boolean,
): readonly PolicyEdit[] {
  const filter = identityFilter(index, members, isServed);
  const rules = listServices(index).flatMap((listService) => authorisationRules(index, listService));
  const fromRules = rules.flatMap((rule) => leavingOfRule(index, rule, filter));
  const strays = listServices(index)
    .flatMap((listService) => strayIdentities(index, listService))
    .filter((element) => !filter.keeps(index.attribute(element, 'uri')));
  const leaving = new Set([...filter.leaving, ...strays, ...fromRules]);
  // "Whoever no other rule matches" grows by everybody who leaves the list or a rule.
  if (leaving.size > 0) {
    for (const rule of rules) if (grantsToOthers(index, rule)) leaving.add(rule);
  }
  return [...leaving].map((element) => removal(index, paths, element));
}

/** What leaves one rule: the rule itself when one of its `identity` conditions would be empty, else the identities. */
function leavingOfRule(index: OffsetIndex, rule: ElementId, filter: IdentityFilter): readonly ElementId[] {
  const leaving: ElementId[] = [];
  for (const condition of conditionsOf(index, rule)) {
    if (isOmaCondition(index, condition, 'external-list')) refuseUnresolved('external-list');
    if (!isCommonPolicy(index, condition, ['identity'])) continue;
    const children = index.children(condition);
    const going = children.flatMap((child) => leavingOfIdentity(index, child, filter));
    const gone = new Set(going);
    if (children.every((child) => gone.has(child))) {
      // Without its last identity the condition would be gone, and an absent condition matches everybody.
      return [rule];
    }
    leaving.push(...going);
  }
  return leaving;
}

function leavingOfIdentity(index: OffsetIndex, child: ElementId, filter: IdentityFilter): readonly ElementId[] {
  if (isCommonPolicy(index, child, ['one'])) return filter.keeps(index.attribute(child, 'id')) ? [] : [child];
  if (!isCommonPolicy(index, child, ['many'])) refuseUnresolved(index.localName(child));
  const domain = index.attribute(child, 'domain');
  if (domain !== undefined && !filter.keepsDomain(domain)) return [child];
  const leaving: ElementId[] = [];
  for (const except of index.childrenNamed(child, namespaces.commonPolicy, 'except')) {
    if (keepsExcept(index, except, filter)) continue;
    const effect = exceptEffect(index, except, domain);
    // Whom `except` leaves out would get in without it; so the whole grant goes when the name must not stay.
    if (effect === 'unknown') return [child];
    if (effect === 'none') leaving.push(except);
  }
  return leaving;
}

function keepsExcept(index: OffsetIndex, except: ElementId, filter: IdentityFilter): boolean {
  const domain = index.attribute(except, 'domain');
  const id = index.attribute(except, 'id');
  if (domain !== undefined && !filter.keepsDomain(domain)) return false;
  return domain !== undefined && id === undefined ? true : filter.keeps(id);
}

/**
 * `none`: leaves out nobody whom the `many` of this domain lets in. `needed`: leaves out somebody of that domain, whose system knows
 * the name anyway. `unknown`: cannot be told, or `many` has no domain, so the name would have to stay for ever.
 */
function exceptEffect(index: OffsetIndex, except: ElementId, many: string | undefined): 'none' | 'needed' | 'unknown' {
  const domain = index.attribute(except, 'domain');
  const id = index.attribute(except, 'id');
  const identity = canonicalUri(id ?? '');
  const unreadable = domain === undefined ? identity === undefined : id !== undefined && identity === undefined;
  if (many === undefined || unreadable) return 'unknown';
  const left = [domain, identity === undefined ? undefined : uriDomain(identity)];
  const inMany = left.some((one) => one !== undefined && canonicalDomain(one) === canonicalDomain(many));
  return inMany ? 'needed' : 'none';
}

/** True for a rule that gives something to whoever no other rule matches (`ocp:other-identity`). */
function grantsToOthers(index: OffsetIndex, rule: ElementId): boolean {
  if (!conditionsOf(index, rule).some((condition) => isOmaCondition(index, condition, 'other-identity'))) return false;
  return ['actions', 'transformations']
    .flatMap((name) => index.childrenNamed(rule, namespaces.commonPolicy, name))
    .some((given) => [...index.descendants(given)].some((element) => grants(index, element)));
}

// RFC 4745 10.2: a false permission grants nothing.
function grants(index: OffsetIndex, element: ElementId): boolean {
  return index.firstChild(element) < 0 && !['false', '0'].includes(index.text(element).trim());
}

function conditionsOf(index: OffsetIndex, rule: ElementId): readonly ElementId[] {
  return index
    .childrenNamed(rule, namespaces.commonPolicy, 'conditions')
    .flatMap((conditions) => index.children(conditions));
}

function isCommonPolicy(index: OffsetIndex, element: ElementId, names: readonly string[]): boolean {
  return index.namespace(element) === namespaces.commonPolicy && names.includes(index.localName(element));
}

function isOmaCondition(index: OffsetIndex, element: ElementId, name: string): boolean {
  return index.is(element, namespaces.omaCommonPolicy, name);
}

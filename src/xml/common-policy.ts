// The rules inside a group document: read as typed facts, evaluated for one caller.
// RFC 4745 clauses 6, 7 and 10: rules only grant, all conditions of a rule must hold, what is not understood does not hold.

import { domainToASCII } from 'node:url';
import { canonicalUri, uriDomain } from '../identity/uri.ts';
import { namespaces } from './names.ts';
import type { ElementId, OffsetIndex } from './offset-index.ts';

export interface Except {
  /** As written; canonical comparison happens in the evaluation. */
  readonly id?: string | undefined;
  readonly domain?: string | undefined;
}

export type IdentityMatcher =
  | { readonly kind: 'one'; readonly id: string }
  | { readonly kind: 'many'; readonly domain?: string | undefined; readonly excepts: readonly Except[] }
  | { readonly kind: 'unknown' };

export type Condition =
  | { readonly kind: 'identity'; readonly matchers: readonly IdentityMatcher[] }
  | { readonly kind: 'is-list-member' | 'other-identity' | 'anonymous-request' | 'external-list' | 'unknown' }
  | { readonly kind: 'sphere'; readonly values: readonly string[] }
  /** Pairs of times, milliseconds since 1970. */
  | { readonly kind: 'validity'; readonly periods: readonly (readonly [from: number, until: number])[] };

export interface RuleAction {
  readonly element: ElementId;
  readonly namespace: string;
  readonly localName: string;
  /** Text content without surrounding white space. */
  readonly value: string;
}

export interface RuleFacts {
  readonly element: ElementId;
  readonly id: string;
  readonly conditions: readonly Condition[];
  readonly actions: readonly RuleAction[];
}

/** Who asks, for the evaluation of rules. */
export interface RuleCaller {
  /** Canonical URIs of the authenticated caller; empty when it is not authenticated. */
  readonly identities: readonly string[];
  readonly isListMember: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** State of the group's owner, RFC 4745 7.3; absent = unknown, no sphere condition holds. */
  readonly sphere?: string | undefined;
}

/** Reads the rules of a `cp:ruleset`. */
export function readRules(index: OffsetIndex, ruleset: ElementId): readonly RuleFacts[] {
  return index.childrenNamed(ruleset, namespaces.commonPolicy, 'rule').map((rule) => ({
    element: rule,
    id: index.attribute(rule, 'id') ?? '',
    conditions: childrenOf(index, rule, 'conditions').map((condition) => readCondition(index, condition)),
    actions: childrenOf(index, rule, 'actions').map((action) => ({
      element: action,
      namespace: index.namespace(action),
      localName: index.localName(action),
      value: index.text(action).trim(),
    })),
  }));
}

function childrenOf(index: OffsetIndex, rule: ElementId, localName: string): readonly ElementId[] {
  return index.childrenNamed(rule, namespaces.commonPolicy, localName).flatMap((part) => index.children(part));
}

function readCondition(index: OffsetIndex, element: ElementId): Condition {
  const localName = index.localName(element);
  switch (index.namespace(element)) {
    case namespaces.commonPolicy:
      if (localName === 'identity') {
        return { kind: 'identity', matchers: index.children(element).map((matcher) => readMatcher(index, matcher)) };
      }
      if (localName === 'sphere') {
        return { kind: 'sphere', values: (index.attribute(element, 'value') ?? '').split(/\s+/).filter(Boolean) };
      }
      return localName === 'validity' ? readValidity(index, element) : { kind: 'unknown' };
    case namespaces.listService:
      return { kind: localName === 'is-list-member' ? 'is-list-member' : 'unknown' };
    case namespaces.omaCommonPolicy:
      return {
        kind:
          localName === 'other-identity' || localName === 'anonymous-request' || localName === 'external-list'
            ? localName
            : 'unknown',
      };
    default:
      return { kind: 'unknown' };
  }
}

function readMatcher(index: OffsetIndex, element: ElementId): IdentityMatcher {
  if (index.is(element, namespaces.commonPolicy, 'one')) {
    return { kind: 'one', id: index.attribute(element, 'id') ?? '' };
  }
  if (!index.is(element, namespaces.commonPolicy, 'many')) return { kind: 'unknown' };
  const children = index.children(element);
  // A child that is not understood may restrict, like except does; ignoring it would grant too much.
  if (children.some((child) => !index.is(child, namespaces.commonPolicy, 'except'))) return { kind: 'unknown' };
  return {
    kind: 'many',
    domain: index.attribute(element, 'domain'),
    excepts: children.map((child) => ({ id: index.attribute(child, 'id'), domain: index.attribute(child, 'domain') })),
  };
}

function readValidity(index: OffsetIndex, element: ElementId): Condition {
  const times = index.children(element).map((time) => Date.parse(index.text(time).trim()));
  const periods: [number, number][] = [];
  for (let i = 0; i + 1 < times.length; i += 2) periods.push([times[i] ?? Number.NaN, times[i + 1] ?? Number.NaN]);
  return { kind: 'validity', periods };
}

/** Rules that apply to a caller: those of which every condition holds. A rule without conditions always applies. */
export function applyingRules(rules: readonly RuleFacts[], caller: RuleCaller): readonly RuleFacts[] {
  return rules.filter((rule) => rule.conditions.every((condition) => holds(condition, caller, rules, rule)));
}

/** Whether any applying rule grants a boolean action (RFC 4745 10.2: booleans combine by OR, absent is false). */
export function isGranted(
  rules: readonly RuleFacts[],
  caller: RuleCaller,
  namespace: string,
  localName: string,
): boolean {
  const grants = (action: RuleAction): boolean =>
    action.localName === localName && action.namespace === namespace && isTrue(action.value);
  // Conditions cost more than looking at the actions, so only rules that could grant are evaluated.
  return rules.some(
    (rule) => rule.actions.some(grants) && rule.conditions.every((condition) => holds(condition, caller, rules, rule)),
  );
}

/** All boolean actions granted to a caller, each once, in document order. */
export function grantedActions(rules: readonly RuleFacts[], caller: RuleCaller): readonly RuleAction[] {
  const granted = new Map<string, RuleAction>();
  for (const rule of applyingRules(rules, caller)) {
    for (const action of rule.actions) {
      const name = `${action.namespace} ${action.localName}`;
      if (isTrue(action.value) && !granted.has(name)) granted.set(name, action);
    }
  }
  return [...granted.values()];
}

// XML Schema part 2, 3.2.2: both spellings of true
function isTrue(value: string): boolean {
  return value === 'true' || value === '1';
}

function holds(condition: Condition, caller: RuleCaller, rules: readonly RuleFacts[], rule: RuleFacts): boolean {
  switch (condition.kind) {
    case 'identity':
      return condition.matchers.some((matcher) => matches(matcher, caller));
    case 'is-list-member':
      return caller.isListMember;
    case 'anonymous-request':
      return caller.identities.length === 0;
    case 'other-identity':
      return caller.identities.length > 0 && !rules.some((other) => other !== rule && refersTo(other, caller));
    case 'sphere': {
      const sphere = caller.sphere?.toLowerCase();
      return condition.values.some((value) => value.toLowerCase() === sphere);
    }
    case 'validity':
      return condition.periods.some(([from, until]) => caller.now >= from && caller.now < until);
    default:
      // RFC 4745 7: a condition that is not known or not supported is false; external lists are not resolved here.
      return false;
  }
}

/** OMA XDM: other-identity stands for those whom no other rule refers to. A list that cannot be resolved may refer to anyone. */
function refersTo(rule: RuleFacts, caller: RuleCaller): boolean {
  return rule.conditions.some(
    (condition) =>
      condition.kind === 'external-list' ||
      (condition.kind === 'is-list-member' && caller.isListMember) ||
      (condition.kind === 'identity' && condition.matchers.some((matcher) => matches(matcher, caller))),
  );
}

function matches(matcher: IdentityMatcher, caller: RuleCaller): boolean {
  if (matcher.kind === 'unknown') return false;
  if (matcher.kind === 'one') {
    const id = canonicalUri(matcher.id);
    return id !== undefined && caller.identities.includes(id);
  }
  const inside = caller.identities.some(
    (identity) => matcher.domain === undefined || isInDomain(identity, matcher.domain),
  );
  // RFC 4745 7.1.3: several excepts combine by OR; one of the caller's identities being excluded is enough.
  return inside && !matcher.excepts.some((except) => caller.identities.some((identity) => excludes(except, identity)));
}

function excludes(except: Except, identity: string): boolean {
  if (except.id === undefined && except.domain === undefined) return true;
  if (except.domain !== undefined && isInDomain(identity, except.domain)) return true;
  return except.id !== undefined && canonicalUri(except.id) === identity;
}

/** RFC 4745 7.1.3: domains compare after percent-decoding and ToASCII, label by label; what cannot be converted is not equal. */
function isInDomain(identity: string, domain: string): boolean {
  const own = asciiDomain(uriDomain(identity)?.replace(/:\d+$/, '') ?? '');
  return own !== '' && own === asciiDomain(domain.trim());
}

function asciiDomain(domain: string): string {
  try {
    return domainToASCII(decodeURIComponent(domain)).toLowerCase();
  } catch {
    return '';
  }
}

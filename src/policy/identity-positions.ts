// Every place of a group document that holds an identity or a whole domain: member entries, MCVideo and MCData IDs, and the identity
// conditions of authorisation rules (TS 24.481 clause 7.2.4, RFC 4745 clause 7.1). What stands for users it does not list refuses.
import { namespaces } from '../xml/names.ts';
import type { AttributeView, ElementId, OffsetIndex } from '../xml/offset-index.ts';
import {
  authorisationRules,
  identityElements,
  isEntry,
  isUnresolved,
  listItems,
  listServices,
  strayIdentities,
} from './group-parts.ts';
import { refuseUnresolved } from './identity-filter.ts';

/** An attribute that names one user. */
export interface IdentityPosition {
  readonly element: ElementId;
  readonly attribute: AttributeView;
  /** The entry that it belongs to; absent in rules. */
  readonly entry?: ElementId | undefined;
}

/** A `cp:many` with what it leaves out. */
export interface ManyPosition {
  readonly element: ElementId;
  /** Absent: everybody. */
  readonly domain?: AttributeView | undefined;
  readonly excepts: readonly ExceptPosition[];
}

export interface ExceptPosition {
  readonly element: ElementId;
  readonly domain?: AttributeView | undefined;
  readonly id?: AttributeView | undefined;
}

export interface IdentityPositions {
  /** Entries, MCVideo and MCData IDs, `cp:one`. */
  readonly users: readonly IdentityPosition[];
  readonly manys: readonly ManyPosition[];
}

/** The attribute of a regroup marker that names a user; the marker binds both systems. */
const requestor = 'temporary-MCPTT-group-requestor';

/**
 * All identity positions of a document; those of regroup markers only when asked for. Throws Refusal `constraint-failure` for what names
 * users elsewhere (`external`, `entry-ref`, nested lists, external lists) and for unknown kinds of identity conditions.
 */
export function identityPositions(index: OffsetIndex, withMarkers: boolean): IdentityPositions {
  const users: IdentityPosition[] = [];
  const manys: ManyPosition[] = [];
  for (const listService of listServices(index)) {
    for (const item of listItems(index, listService)) {
      if (isUnresolved(index, item)) refuseUnresolved(index.localName(item));
      if (isEntry(index, item)) users.push(...ofEntry(index, item));
    }
    for (const element of strayIdentities(index, listService)) users.push(...at(index, element, 'uri'));
    for (const rule of authorisationRules(index, listService)) {
      for (const condition of conditionsOf(index, rule)) ofCondition(index, condition, users, manys);
    }
    if (withMarkers) users.push(...ofMarkers(index, listService));
  }
  return { users, manys };
}

/** The conditions of an authorisation rule. */
export function conditionsOf(index: OffsetIndex, rule: ElementId): readonly ElementId[] {
  return index
    .childrenNamed(rule, namespaces.commonPolicy, 'conditions')
    .flatMap((conditions) => index.children(conditions));
}

/** A `cp:many` as it is written. Throws as identityPositions for children other than `cp:except`. */
export function readMany(index: OffsetIndex, element: ElementId): ManyPosition {
  const excepts = index.children(element).map((child) => {
    if (!index.is(child, namespaces.commonPolicy, 'except')) refuseUnresolved(index.localName(child));
    return {
      element: child,
      domain: index.attributeView(child, 'domain'),
      id: index.attributeView(child, 'id'),
    };
  });
  return { element, domain: index.attributeView(element, 'domain'), excepts };
}

function ofEntry(index: OffsetIndex, entry: ElementId): readonly IdentityPosition[] {
  return identityElements(index, entry).flatMap((element) => at(index, element, 'uri', entry));
}

function ofCondition(index: OffsetIndex, condition: ElementId, users: IdentityPosition[], manys: ManyPosition[]): void {
  if (index.is(condition, namespaces.omaCommonPolicy, 'external-list')) refuseUnresolved('external-list');
  if (!index.is(condition, namespaces.commonPolicy, 'identity')) return;
  for (const matcher of index.children(condition)) {
    if (index.is(matcher, namespaces.commonPolicy, 'one')) users.push(...at(index, matcher, 'id'));
    else if (index.is(matcher, namespaces.commonPolicy, 'many')) manys.push(readMany(index, matcher));
    else refuseUnresolved(index.localName(matcher));
  }
}

function ofMarkers(index: OffsetIndex, listService: ElementId): readonly IdentityPosition[] {
  return ['on-network-temporary', 'on-network-regrouped']
    .flatMap((name) => index.childrenNamed(listService, namespaces.mcpttGroupInfo, name))
    .flatMap((marker) => at(index, marker, requestor));
}

function at(index: OffsetIndex, element: ElementId, name: string, entry?: ElementId): readonly IdentityPosition[] {
  const attribute = index.attributeView(element, name);
  return attribute === undefined ? [] : [{ element, attribute, entry }];
}
